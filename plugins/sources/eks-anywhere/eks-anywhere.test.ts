import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { SourceContents, SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceSelection } from '../../../contracts/source-plugin.ts';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { eksAnywhere } from './index.ts';

const assets = 'https://assets.example.test';
const bundlesText = fixture('valid/bundles.yaml');
const eksDistro130 = fixture('valid/kubernetes-1-30-eks-3.yaml');
const eksDistro131 = fixture('served/kubernetes-1-31-eks-1.yaml');

/** Every location a test may read; the EKS-D manifests also at their URLs. */
const world: Record<string, string> = {
  '/in/bundles.yaml': bundlesText,
  '/in/eks-d-130.yaml': eksDistro130,
  '/in/eks-d-131.yaml': eksDistro131,
  '/in/release.yaml': fixture('served/release.yaml'),
  [`${assets}/eks-distro/kubernetes-1-30-eks-3.yaml`]: eksDistro130,
  [`${assets}/eks-distro/kubernetes-1-31-eks-1.yaml`]: eksDistro131,
  [`${assets}/releases/bundles/7/manifest.yaml`]: bundlesText,
  [`${assets}/releases/bundles/8/manifest.yaml`]: bundlesText.replace('number: 7', 'number: 8'),
};

function fixture(name: string): string {
  return readFileSync(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url)), 'utf8');
}

function select(fields: Partial<SourceSelection> = {}): SourceSelection {
  return { source: 'eks-anywhere', files: ['/in/bundles.yaml'], kubeVersions: [], providers: [], ...fields };
}

function list(fields: Partial<SourceSelection> = {}, changes: Record<string, string> = {}): Promise<SourceContents> {
  return eksAnywhere.list(select(fields), memoryContext({ ...world, ...changes }));
}

function withBundles(from: string, to: string): Promise<SourceContents> {
  expect(bundlesText).toContain(from);
  return list({}, { '/in/bundles.yaml': bundlesText.replace(from, to) });
}

function named(items: SourceItem[], name: string): SourceItem | undefined {
  return items.find((item) => item.name === name);
}

function names(items: SourceItem[]): Set<string> {
  return new Set(items.map((item) => item.name));
}

describe('what a Bundles manifest holds', () => {
  it('states an image with its digest, platforms and place', async () => {
    const { items } = await list();
    expect(named(items, 'cilium')).toEqual({
      kind: 'image',
      name: 'cilium',
      reference: 'public.example.test/eks-anywhere/cilium/cilium:v1.10.1',
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      platforms: ['linux/amd64', 'linux/arm64'],
      foundAt: 'versionsBundles[1.30].cilium.cilium',
    });
  });

  it('tells charts, manifests and files apart', async () => {
    const { items } = await list();
    const kinds = (kind: string) => [...names(items.filter((item) => item.kind === kind))].sort();
    expect(kinds('chart')).toEqual(['cilium-chart', 'eks-anywhere-packages', 'tinkerbell', 'tinkerbell-crds']);
    expect(kinds('manifest')).toEqual([
      'bootstrap.components',
      'bootstrap.metadata',
      'docker.components',
      'kindnetd.manifest',
      'releases.yaml',
      'vSphere.clusterTemplate',
    ]);
    expect(kinds('file')).toEqual([
      'bottlerocket-ova.tar.gz',
      'containerd.tar.gz',
      'hook-x86_64.iso',
      'kubernetes-server-linux-amd64.tar.gz',
    ]);
  });

  it('states archives with both checksums, also those of EKS-D, and none where none is stated', async () => {
    const { items } = await list();
    const both = { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), sha512: expect.stringMatching(/^[0-9a-f]{128}$/) };
    expect(named(items, 'containerd.tar.gz')?.checksums).toEqual(both);
    expect(named(items, 'kubernetes-server-linux-amd64.tar.gz')?.checksums).toEqual(both);
    expect(named(items, 'hook-x86_64.iso')).not.toHaveProperty('checksums');
  });

  it('takes what upstream forgets, and leaves placeholders and other systems out', async () => {
    const found = names((await list()).items);
    expect(found).toContain('credential-provider-package');
    expect(found).not.toContain('cluster-api-provider-cloudstack');
    expect(found).not.toContain('kubernetes-node-windows-amd64.tar.gz');
  });

  it('finds blocks it has never heard of, and warns about a URL outside a block', async () => {
    const block =
      '      newThing:\n        parts:\n          - uri: example.test/new/part:v1\n        docs: https://example.test/docs\n';
    const changed = bundlesText.replace('      bootstrap:\n', `${block}      bootstrap:\n`);
    const context = memoryContext({
      ...world,
      '/in/bundles.yaml': changed.replace('part:v1', 'part:v1\n            name: part'),
    });
    const { items } = await eksAnywhere.list(select(), context);
    expect(named(items, 'part')).toMatchObject({ kind: 'image', foundAt: 'versionsBundles[1.30].newThing.parts[0]' });
    expect(context.warnings).toEqual([expect.stringContaining('spec.versionsBundles[0].newThing.docs')]);
  });

  it('collapses duplicates, keeping the digest that one of them states', async () => {
    const { items } = await list();
    const kubeVip = items.filter((item) => item.name === 'kube-vip');
    expect(kubeVip).toHaveLength(1);
    expect(kubeVip[0]).toMatchObject({ foundAt: 'versionsBundles[1.30].tinkerbell.kubeVip' });
    expect(kubeVip[0]?.digest).toBeDefined();
  });
});

describe('selecting', () => {
  it.each(['1.30', 'v1.30', '1-30'])('takes only the Kubernetes version %s', async (version) => {
    const context = memoryContext(world);
    const { items, documents } = await eksAnywhere.list(select({ kubeVersions: [version] }), context);
    expect(items.filter((item) => item.reference.includes('1-31') || item.reference.includes('1.31'))).toEqual([]);
    expect(named(items, 'kind-node')?.reference).toContain(':v1.30.4');
    expect(context.reads).not.toContain(`${assets}/eks-distro/kubernetes-1-31-eks-1.yaml`);
    expect(documents.map((document) => document.destination)).not.toContain(
      'sealift/eks-distro/releases:kubernetes-1-31-eks-1',
    );
  });

  it.each([
    [
      'vsphere',
      ['kube-vip', 'vsphere-manager', 'bottlerocket-ova.tar.gz'],
      ['haproxy', 'tinkerbell', 'docker-manager'],
    ],
    [
      'tinkerbell',
      ['kube-vip', 'tinkerbell', 'hook-x86_64.iso'],
      ['haproxy', 'vsphere-manager', 'bottlerocket-ova.tar.gz'],
    ],
    ['Bare-Metal', ['kube-vip', 'tinkerbell', 'hook-kernel'], ['kindnetd.manifest', 'vsphere-manager']],
    ['docker', ['docker-manager', 'haproxy', 'kindnetd.manifest'], ['kube-vip', 'tinkerbell', 'vsphere-manager']],
  ])('takes the blocks of %s and what is common', async (provider, wanted, unwanted) => {
    const found = names((await list({ providers: [provider] })).items);
    const common = ['cilium', 'cilium-chart', 'kind-node', 'containerd.tar.gz', 'coredns-image', 'bootstrap.metadata'];
    expect([...found]).toEqual(expect.arrayContaining([...wanted, ...common]));
    expect(unwanted.filter((name) => found.has(name))).toEqual([]);
  });

  it('takes the union of several, which is everything when all are named', async () => {
    const all = await list();
    const providers = ['vsphere', 'baremetal', 'docker', 'nutanix', 'snow', 'cloudstack'];
    expect(await list({ providers, kubeVersions: ['1.31', '1.30'] })).toEqual(all);
  });

  it('warns about a provider that upstream has retired', async () => {
    const context = memoryContext(world);
    await eksAnywhere.list(select({ providers: ['cloudstack', 'docker'] }), context);
    expect(context.warnings).toEqual([expect.stringContaining('provider cloudstack')]);
  });

  it.each([
    [{ kubeVersions: ['1.29'] }, 'there is no Kubernetes version 1.29', 'choose from: 1.30, 1.31'],
    [
      { providers: ['constructor'] },
      'there is no provider constructor',
      'cloudstack, docker, nutanix, snow, tinkerbell, vsphere',
    ],
    [{ release: 'v0.20.0' }, 'no input file lists releases', 'give the Release manifest'],
  ])('refuses %j', async (fields, message, remedy) => {
    await expect(list(fields)).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { message: expect.stringContaining(message), remedy: expect.stringContaining(remedy) },
    });
  });
});

describe('following manifests', () => {
  it('carries every manifest it read, byte by byte', async () => {
    const { documents } = await list({ files: ['/in/release.yaml'], release: 'v0.20.0' });
    expect(
      documents.map(({ destination, title, content }) => [destination, title, new TextDecoder().decode(content)]),
    ).toEqual([
      ['sealift/eks-anywhere/bundles:bundles-7', 'bundle-release.yaml', bundlesText],
      ['sealift/eks-anywhere/releases:v0.20.0', 'eks-a-release.yaml', world['/in/release.yaml']],
      ['sealift/eks-distro/releases:kubernetes-1-30-eks-3', 'kubernetes-1-30-eks-3.yaml', eksDistro130],
      ['sealift/eks-distro/releases:kubernetes-1-31-eks-1', 'kubernetes-1-31-eks-1.yaml', eksDistro131],
    ]);
  });

  it('takes the latest release when none is asked for', async () => {
    const context = memoryContext(world);
    await eksAnywhere.list(select({ files: ['/in/release.yaml'] }), context);
    expect(context.reads).toContain(`${assets}/releases/bundles/8/manifest.yaml`);
    expect(context.reads).not.toContain(`${assets}/releases/bundles/7/manifest.yaml`);
  });

  it('says which release is the latest when the one asked for is not there', async () => {
    await expect(list({ files: ['/in/release.yaml'], release: 'v9.9.9' })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: {
        subject: '/in/release.yaml:7:3',
        message: expect.stringContaining(
          'no matching release found for version v9.9.9 to get Bundles URL. Latest available version is v0.21.0',
        ),
        remedy: expect.stringContaining('v0.20.0, v0.21.0'),
      },
    });
  });

  it('needs no network when all manifests are given as files', async () => {
    const files = ['/in/eks-d-131.yaml', '/in/release.yaml', '/in/bundles.yaml', '/in/eks-d-130.yaml'];
    const context = memoryContext(world);
    const { items } = await eksAnywhere.list(select({ files, release: '0.20.0' }), context);
    expect(context.reads.sort()).toEqual(files.sort());
    expect(items).toEqual((await list()).items);
  });

  it('takes one file of several YAML documents', async () => {
    const joined = [bundlesText, eksDistro130, eksDistro131].join('---\n');
    const { items, documents } = await list({}, { '/in/bundles.yaml': joined });
    expect(items).toEqual((await list()).items);
    expect(documents.every((document) => new TextDecoder().decode(document.content) === joined)).toBe(true);
  });

  it('refuses Bundles that are not those of the release', async () => {
    await expect(list({ files: ['/in/release.yaml', '/in/bundles.yaml'] })).rejects.toMatchObject({
      problem: { subject: '/in/bundles.yaml:6:3', message: expect.stringContaining('number 8') },
    });
  });

  it('refuses an EKS-D manifest that nothing refers to, and a URL that leads to another one', async () => {
    const other = eksDistro130.replace('name: kubernetes-1-30-eks-3', 'name: kubernetes-1-30-eks-9');
    await expect(
      list({ files: ['/in/bundles.yaml', '/in/other.yaml'] }, { '/in/other.yaml': other }),
    ).rejects.toMatchObject({ problem: { subject: '/in/other.yaml:4:3' } });
    await expect(list({}, { [`${assets}/eks-distro/kubernetes-1-30-eks-3.yaml`]: other })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { message: expect.stringContaining('holds kubernetes-1-30-eks-9, not kubernetes-1-30-eks-3') },
    });
  });

  it('refuses EKS-D manifests alone', async () => {
    await expect(list({ files: ['/in/eks-d-130.yaml'] })).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});

describe('what is wrong in a manifest', () => {
  const iso = `${assets}/hook/abc123/hook-x86_64.iso`;
  it.each([
    ['uri: public.example.test/eks-anywhere/hook-kernel:abc123', 'uri: Public/hook_:1', 'hook.kernel.uri'],
    [iso, 'https://user:secret@assets.example.test/hook.iso', 'hook.iso.amd.uri'],
    [`${assets}/cluster-api/v1.2.3/metadata.yaml`, 'metadata.yaml', 'bootstrap.metadata.uri'],
    ['sha512: ', 'sha512: "0"\n          note: ', 'eksD.containerd.sha512'],
    ['imageDigest: ', 'imageDigest: sha1:0\n          note: ', 'bootstrap.controller.imageDigest'],
    ['          uri: public.example.test/eks-anywhere/cilium/cilium:1.10.1\n', '', 'cilium.helmChart.uri: is missing'],
    ['        name: kubernetes-1-30-eks-3\n', '', 'eksD.name: is missing'],
    ['arch: [amd64, arm64]', 'arch: amd64', 'bootstrap.controller.arch'],
  ])('names file, line, column and field when %j becomes %j', async (from, to, field) => {
    const listed = withBundles(from, to);
    await expect(listed).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: {
        subject: expect.stringMatching(/^\/in\/bundles\.yaml:\d+:\d+$/),
        message: expect.stringContaining(field),
      },
    });
    await expect(listed).rejects.not.toThrow('secret');
  });

  it('refuses one tag with two digests, naming both places', async () => {
    const [first = ''] = /imageDigest: \S+/.exec(bundlesText) ?? [];
    await expect(withBundles(first, `imageDigest: sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: {
        subject: expect.stringMatching(/^\/in\/bundles\.yaml:\d+:\d+$/),
        message: expect.stringMatching(/has the digest .* at \/in\/bundles\.yaml:\d+/),
      },
    });
  });

  it.each([
    ['an alias that contains itself', 'loop: &loop\n        again: *loop\n      bootstrap:\n'],
    ['aliases that multiply', `${multiplyingAliases()}      bootstrap:\n`],
  ])('refuses %s', async (_, block) => {
    await expect(withBundles('bootstrap:\n', block)).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  function multiplyingAliases(): string {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level += 1) {
      lines.push(`      a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`);
    }
    return `${lines.join('\n')}\n`;
  }
});
