import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { eksAnywhere } from './index.ts';

const samples = fileURLToPath(new URL('../../../../shared/samples/eks-anywhere/', import.meta.url));
const present = existsSync(`${samples}bundles.yaml`);
if (!present) console.warn(`real manifests not tested: ${samples}bundles.yaml is not on this machine`);

/** The EKS-D manifests that the real Bundles points to, each with one image of its own. */
function eksDistroManifests(bundles: string): Record<string, string> {
  const names = [...bundles.matchAll(/^ {6}name: (kubernetes-\S+)$/gm)].map(([, name]) => name ?? '');
  return Object.fromEntries(names.map((name) => [`/in/${name}.yaml`, eksDistroManifest(name)]));
}

function eksDistroManifest(name: string): string {
  return JSON.stringify({
    apiVersion: 'distro.eks.amazonaws.com/v1alpha1',
    kind: 'Release',
    metadata: { name },
    status: {
      components: [{ name: 'etcd', assets: [{ name: 'etcd-image', image: { uri: `own.test/etcd:${name}` } }] }],
    },
  });
}

async function listReal(fields: { kubeVersions?: string[]; providers?: string[] } = {}): Promise<SourceItem[]> {
  const bundles = readFileSync(`${samples}bundles.yaml`, 'utf8');
  const documents = { '/in/bundles.yaml': bundles, ...eksDistroManifests(bundles) };
  const context = memoryContext(documents);
  const files = Object.keys(documents);
  const selection = { source: 'eks-anywhere', files, kubeVersions: [], providers: [], ...fields };
  const { items } = await eksAnywhere.list(selection, context);
  expect(context.warnings).toEqual([]);
  return items.filter((item) => !item.reference.startsWith('own.test/'));
}

function count(items: SourceItem[]): Record<string, number> {
  const kinds = { image: 0, chart: 0, manifest: 0, file: 0 };
  for (const item of items) kinds[item.kind] += 1;
  return kinds;
}

describe.runIf(present)('the real Bundles manifest', () => {
  // 714 blocks have a uri that is no placeholder: 455 of them OCI references, 92 distinct (87 images, 5 charts), and
  // 259 URLs, 43 distinct. The EKS-D CRDs are a bare URL, named once per version: one manifest more.
  it('holds 92 distinct references and 43 distinct files, and the EKS-D CRDs', async () => {
    const items = await listReal();
    const { image, chart, manifest, file } = count(items);
    expect({ image, chart }).toEqual({ image: 87, chart: 5 });
    const crds = items.filter((item) => item.foundAt.endsWith('.eksD.components'));
    expect(crds).toHaveLength(1);
    expect((manifest ?? 0) + (file ?? 0) - crds.length).toBe(43);
  });

  it('gives a smaller set for one version and one provider', async () => {
    const all = new Set((await listReal()).map((item) => item.reference));
    const one = await listReal({ kubeVersions: ['1.30'], providers: ['vsphere'] });
    expect(one.every((item) => all.has(item.reference))).toBe(true);
    expect(one.filter((item) => /tinkerbell|nutanix|snow|haproxy|1-31|1\.31/.test(item.reference))).toEqual([]);
    expect(one.map((item) => item.name)).toEqual(expect.arrayContaining(['cluster-api-provider-vsphere', 'kind-node']));
    expect(one.length).toBeLessThan(all.size / 2);
  });
});

describe.runIf(present)('a real EKS-D manifest', () => {
  const name = 'kubernetes-1-21-eks-4';

  // 62 assets: 17 images and 45 archives, of which 3 are for darwin and 7 for windows.
  it('holds 17 images and 35 archives for Linux', async () => {
    const bundles = JSON.stringify({
      apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1',
      kind: 'Bundles',
      metadata: { name: 'bundles-1' },
      spec: {
        number: 1,
        versionsBundles: [{ kubeVersion: '1.21', eksD: { name, manifestUrl: `https://own.test/${name}.yaml` } }],
      },
    });
    const context = memoryContext({
      '/in/bundles.json': bundles,
      [`/in/${name}.yaml`]: readFileSync(`${samples}${name}.yaml`, 'utf8'),
    });
    const files = ['/in/bundles.json', `/in/${name}.yaml`];
    const selection = { source: 'eks-anywhere', files, kubeVersions: [], providers: [] };
    const { items } = await eksAnywhere.list(selection, context);
    expect(count(items)).toEqual({ image: 17, chart: 0, manifest: 0, file: 35 });
    expect(items.filter((item) => item.kind === 'file' && item.checksums?.sha512 === undefined)).toEqual([]);
  });
});
