import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { BillItem, BillOfMaterials } from '../../contracts/bill-of-materials.ts';
import { requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { createPuller, type Puller } from '../helpers/pull.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { bundlesManifest, serveRelease, type ServedRelease } from '../helpers/served-release.ts';
import { smallBundles } from '../helpers/small-bundles.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

// One export and one import of the whole release, looked at from all sides; subsets have exports of their own.

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let release: ServedRelease;
let real: boolean;
let destination: TestRegistry;
let puller: Puller;
let exported: Record<string, unknown>;
let imported: Record<string, unknown>;
const tar = (): string => join(folder.path, 'artifacts.tar');

beforeAll(async () => {
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('bundles');
  const manifest = await bundlesManifest();
  real = manifest.real;
  release = await serveRelease(manifest.text);
  destination = await startRegistry({ kind: 'distribution' });
  puller = createPuller(destination.url);
  exported = await exportTo(tar(), []);
  imported = await json('import', ['import', 'artifacts', '--input', tar(), '--registry', destination.host]);
});

afterAll(async () => {
  await puller?.[Symbol.asyncDispose]();
  await home?.remove();
  await Promise.all([destination?.stop(), release?.[Symbol.asyncDispose](), temporal?.stop()]);
  await folder?.remove();
});

function json(kind: string, args: string[]): Promise<Record<string, unknown>> {
  return sealiftJson(home, kind, args);
}

function exportTo(output: string, options: string[], from = release): Promise<Record<string, unknown>> {
  const source = ['-f', from.manifest, ...from.pullFrom, '--concurrency', '8'];
  return json('export', ['export', 'artifacts', '--output', output, ...source, ...options]);
}

/** The bill of materials as the registry has it. */
async function billIn(from: Puller, bundle: unknown, namespace = ''): Promise<BillOfMaterials> {
  const repository = `${namespace}sealift/bundles`;
  const { document } = await from.manifest(repository, String(bundle).slice(7, 19));
  expect(document.artifactType).toBe('application/vnd.sealift.bill-of-materials.v1+json');
  const bytes = await from.blob(repository, document.layers![0]!.digest);
  return JSON.parse(bytes.toString('utf8')) as BillOfMaterials;
}

function placeOf(item: Pick<BillItem, 'destination'>): [repository: string, tag: string] {
  const colon = item.destination.lastIndexOf(':');
  return [item.destination.slice(0, colon), item.destination.slice(colon + 1)];
}

/** public.ecr.aws/X:T -> X:T, which is what EKS Anywhere documents. */
function withoutHost(reference: string): string {
  return reference.slice(reference.indexOf('/') + 1);
}

describe('the whole release', () => {
  it('is carried completely', async () => {
    const { images, charts, files } = release.filled;
    expect(exported['images']).toBe(images.size);
    expect(exported['charts']).toBe(charts.size);
    if (!real) return;
    const stated = [...images.keys(), ...charts.keys()].filter((uri) => !uri.includes('/eks-distro/'));
    expect(stated).toHaveLength(92);
    expect([...files.keys()].filter((url) => url.startsWith('https://release-bucket/'))).toHaveLength(43);
  });

  it('is found right by verify, in the tar and in the registry', async () => {
    const inTar = await json('verify', ['verify', 'artifacts', '--input', tar()]);
    expect(inTar).toMatchObject({ digest: exported['digest'], problems: [] });
    const args = ['verify', 'artifacts', '--input', tar(), '--registry', destination.host];
    const both = (await json('verify', args)) as { registry: { images: number; blobs: number }; problems: unknown[] };
    expect(both.problems).toEqual([]);
    expect(both.registry.blobs).toBeGreaterThan(0);
  });

  it('can be pulled under the documented names with the digests of its origin', async () => {
    const bill = await billIn(puller, exported['digest']);
    const { images, charts, files } = release.filled;
    const byReference = new Map(bill.items.map((item) => [item.reference, item]));
    for (const [reference, digest] of [...images, ...charts]) {
      const item = byReference.get(reference);
      expect(item, `${reference} is in the bill of materials`).toMatchObject({ digest });
      expect(item!.destination).toBe(withoutHost(reference));
      expect(await puller.whole(...placeOf(item!)), reference).toBe(digest);
    }
    for (const [url, { sha256 }] of files) {
      const item = byReference.get(url);
      // the EKS-D manifests are carried as documents
      if (item === undefined) {
        expect(url).toMatch(/kubernetes-[\d-]+-eks-\d+\.yaml$/);
        continue;
      }
      const { host, pathname } = new URL(url);
      const [repository, tag] = placeOf(item);
      expect(`${repository}/${tag}`, `the place of ${url}`).toBe(`sealift/files/${host}${pathname}`);
      const { document, digest } = await puller.manifest(repository, tag);
      expect(digest).toBe(item.digest);
      const [layer] = document.layers!;
      expect(layer!.digest, url).toBe(`sha256:${sha256}`);
      expect(layer!.annotations).toMatchObject({ 'org.opencontainers.image.title': tag });
      await puller.blob(repository, layer!.digest);
    }
  });

  it('has its manifests and its bill of materials in the registry', async () => {
    const bill = await billIn(puller, exported['digest']);
    const documents = bill.items.filter(({ kind }) => kind === 'document');
    const wanted = [...release.filled.files.keys()].filter((url) => /\/kubernetes-[\d-]+-eks-\d+\.yaml$/.test(url));
    expect(documents).toHaveLength(1 + wanted.length);
    const content = async (item: BillItem): Promise<Buffer> => {
      const [repository, tag] = placeOf(item);
      const { document } = await puller.manifest(repository, tag);
      return puller.blob(repository, document.layers![0]!.digest);
    };
    const bundles = documents.find(({ destination: place }) => place === 'sealift/eks-anywhere/bundles:bundles-1');
    expect((await content(bundles!)).toString('utf8')).toBe(await readFile(release.manifest, 'utf8'));
    for (const url of wanted) {
      const name = url.split('/').at(-1)!.replace('.yaml', '');
      const found = documents.find(({ destination: place }) => place === `sealift/eks-distro/releases:${name}`);
      const hash = createHash('sha256')
        .update(await content(found!))
        .digest('hex');
      expect(hash, url).toBe(release.filled.files.get(url)!.sha256);
    }
  });

  it('finds everything there when it is imported again', async () => {
    const again = await json('import', ['import', 'artifacts', '--input', tar(), '--registry', destination.host]);
    expect(again).toMatchObject({ bytesPushed: 0, tagsWritten: 0, tagsUnchanged: imported['tagsWritten'] });
  });
});

describe('other clients', () => {
  const tools = {
    skopeo: (place: string) => ['inspect', '--raw', '--tls-verify=false', `docker://${place}`],
    crane: (place: string) => ['manifest', '--insecure', place],
    oras: (place: string) => ['manifest', 'fetch', '--plain-http', place],
    regctl: (place: string) => [
      '--host',
      `reg=${destination.host},tls=disabled`,
      'manifest',
      'get',
      '--format',
      'raw-body',
      place,
    ],
  };

  it.each(Object.keys(tools) as (keyof typeof tools)[])('%s gets the very same manifest', async (name) => {
    const [reference, digest] = [...release.filled.images][0]!;
    const place = `${destination.host}/${withoutHost(reference)}`;
    const text = await runOk(await requireTool(name), tools[name](place), { env: home.env });
    expect(`sha256:${createHash('sha256').update(text).digest('hex')}`, text).toBe(digest);
  });

  it.each([
    [
      'skopeo',
      (from: string, to: string) => [
        'copy',
        '--all',
        '--preserve-digests',
        '--insecure-policy',
        '--src-tls-verify=false',
        `docker://${from}`,
        `dir:${to}`,
      ],
    ],
    ['crane', (from: string, to: string) => ['pull', '--insecure', '--format', 'oci', from, to]],
    ['oras', (from: string, to: string) => ['cp', '--from-plain-http', from, '--to-oci-layout', `${to}:v1`]],
    [
      'regctl',
      (from: string, to: string) => [
        '--host',
        `reg=${destination.host},tls=disabled`,
        'image',
        'copy',
        from,
        `ocidir://${to}:v1`,
      ],
    ],
  ] as const)('%s pulls a whole image', async (name, args) => {
    const [reference, digest] = [...release.filled.images][1]!;
    const to = join(folder.path, `pulled-${name}`);
    await mkdir(to, { recursive: true });
    const from = `${destination.host}/${withoutHost(reference)}`;
    await runOk(await requireTool(name), args(from, to), { env: home.env });
    const file = name === 'skopeo' ? 'manifest.json' : `blobs/sha256/${digest.slice(7)}`;
    const bytes = await readFile(join(to, file));
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest);
  });

  it('helm pulls a chart', async () => {
    const [reference] = [...release.filled.charts][0]!;
    const [, path, version] = /^[^/]+\/(.+):(.+)$/.exec(reference)!;
    const to = join(folder.path, 'charts');
    await mkdir(to);
    const source = `oci://${destination.host}/${path!}`;
    const args = ['pull', source, '--version', version!, '--plain-http', '--destination', to];
    await runOk(await requireTool('helm'), args, { env: home.env });
    const [archive = ''] = await readdir(to);
    const chart = await runOk(await requireTool('helm'), ['show', 'chart', join(to, archive)], { env: home.env });
    expect(parse(chart)).toMatchObject({ name: path!.split('/').at(-1) });
  });

  it('oras pulls a file as the file it was', async () => {
    const url = [...release.filled.files.keys()].find((key) => key.startsWith('https://release-bucket/'))!;
    const { host, pathname } = new URL(url);
    const slash = pathname.lastIndexOf('/');
    const place = `${destination.host}/sealift/files/${host}${pathname.slice(0, slash)}:${pathname.slice(slash + 1)}`;
    const to = join(folder.path, 'oras-files');
    await runOk(await requireTool('oras'), ['pull', '--plain-http', '-o', to, place], { env: home.env });
    const hash = createHash('sha256').update(await readFile(join(to, pathname.slice(slash + 1))));
    expect(hash.digest('hex')).toBe(release.filled.files.get(url)!.sha256);
  });
});

describe('a subset', () => {
  it('holds what is listed for one version and one provider, and nothing else', async () => {
    const selection = ['--kube-version', '1.30', '--provider', 'vsphere'];
    const listed = (await json('images', [
      ...['list', 'images', '-f', release.manifest, ...release.pullFrom],
      ...selection,
    ])) as { items: { reference: string }[]; documents: { destination: string }[] };
    const output = join(folder.path, 'subset.tar');
    const result = await exportTo(output, selection);
    await using registry = await startRegistry({ kind: 'distribution' });
    await using subset = createPuller(registry.url);
    await json('import', ['import', 'artifacts', '--input', output, '--registry', registry.host]);
    const bill = await billIn(subset, result['digest']);
    const carried = bill.items.filter(({ kind }) => kind !== 'document').map(({ reference }) => reference);
    expect(carried.sort()).toEqual(listed.items.map(({ reference }) => reference).sort());
    expect(bill.sources).toEqual([
      { name: 'eks-anywhere', selection: { kubeVersions: ['1.30'], providers: ['vsphere'] } },
    ]);
    // judged by the manifest itself: the version's own control plane image is there, others' and Docker's are not
    expect(carried.some((reference) => reference.includes('kube-apiserver:v1.30.'))).toBe(true);
    expect(carried.filter((reference) => /kube-apiserver:v1\.3[1-9]/.test(reference))).toEqual([]);
    expect(
      carried.filter((reference) => /capd|kindnetd|haproxy|cloudstack|tinkerbell|nutanix/.test(reference)),
    ).toEqual([]);
    const { images, charts, files } = release.filled;
    expect(carried.length).toBeLessThan(images.size + charts.size + files.size);
    const { repositories } = (await (await fetch(`${registry.url}/v2/_catalog?n=1000`)).json()) as {
      repositories: string[];
    };
    const expected = [...bill.items.map((item) => placeOf(item)[0]), 'sealift/bundles'];
    expect(repositories.sort()).toEqual([...new Set(expected)].sort());
  });

  it('of one platform has smaller indexes and records both digests', async () => {
    const output = join(folder.path, 'platform.tar');
    const one = ['--kube-version', '1.30', '--provider', 'vsphere', '--platform', 'linux/amd64'];
    const result = await exportTo(output, one);
    await using registry = await startRegistry({ kind: 'distribution' });
    await using filtered = createPuller(registry.url);
    await json('import', ['import', 'artifacts', '--input', output, '--registry', registry.host]);
    const bill = await billIn(filtered, result['digest']);
    expect(bill.platforms).toEqual(['linux/amd64']);
    const images = bill.items.filter(({ kind }) => kind === 'image');
    expect(images.length).toBeGreaterThan(0);
    for (const item of images) {
      expect(item.originDigest, item.reference).toBe(release.filled.images.get(item.reference));
      const { document, digest } = await filtered.manifest(...placeOf(item));
      expect(digest).toBe(item.digest);
      expect(
        document.manifests!.map(({ platform }) => platform!.architecture),
        item.reference,
      ).toEqual(['amd64']);
    }
    await filtered.whole(...placeOf(images[0]!));
    for (const chart of bill.items.filter(({ kind }) => kind === 'chart')) expect(chart.originDigest).toBeUndefined();
  });
});

describe('namespaces', () => {
  interface Mirror {
    registryMirrorConfiguration: {
      endpoint: string;
      port: string;
      ociNamespaces: { registry: string; namespace: string }[];
    };
  }

  let small: ServedRelease;
  let bundle: Record<string, unknown>;
  const smallTar = (): string => join(folder.path, 'small.tar');

  beforeAll(async () => {
    small = await serveRelease(smallBundles);
    bundle = await exportTo(smallTar(), [], small);
  });

  afterAll(() => small?.[Symbol.asyncDispose]());

  it.each([
    ['everything below one path', '/mirror/eks', [], 'mirror/eks', 'mirror/eks/'],
    ['one origin in a project of its own', '', ['--map', 'public.ecr.aws=eks'], 'eks', ''],
    ['both', '/mirror', ['--map', 'public.ecr.aws=eks'], 'eks', 'mirror/'],
  ])('%s', async (_name, namespace, options, imagesBelow, documentsBelow) => {
    await using registry = await startRegistry({ kind: 'distribution' });
    await using below = createPuller(registry.url);
    const args = ['--input', smallTar(), '--registry', `${registry.host}${namespace}`, ...options];
    const result = await json('import', ['import', 'artifacts', ...args]);
    const { registryMirrorConfiguration: mirror } = parse(String(result['registryMirrorConfiguration'])) as Mirror;
    expect(mirror).toEqual({
      endpoint: '127.0.0.1',
      port: String(registry.port),
      ociNamespaces: [{ registry: 'public.ecr.aws', namespace: imagesBelow }],
    });
    // as containerd on a node asks: the mirror's namespace, then the path of the original reference
    const bill = await billIn(below, bundle['digest'], documentsBelow);
    for (const [reference, digest] of [...small.filled.images, ...small.filled.charts]) {
      const [repository, tag] = placeOf({ destination: withoutHost(reference) });
      const found = await below.manifest(`${mirror.ociNamespaces[0]!.namespace}/${repository}`, tag);
      expect(found.digest, reference).toBe(digest);
    }
    await below.manifest(`${documentsBelow}sealift/eks-anywhere/bundles`, 'bundles-1');
    expect(bill.items.length).toBeGreaterThan(0);
    await json('verify', ['verify', 'artifacts', ...args]);
  });
});
