import { z } from 'zod';
import type { ClusterRole } from '../../contracts/cluster-spec.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import type { NodeImages } from '../../contracts/provider-plugin.ts';
import type { ReadableBundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import { readFromBundle } from '../node-config/read-from-bundle.ts';
import { chartArchives } from '../trees/bundle-files.ts';
import { releaseImages, type ReleaseImage } from './release-images.ts';
import { readStack, type StackRelease } from './stack-release.ts';
import { byVersion } from './spec/syntax.ts';
import { parseYamlDocuments, readShape, type YamlDocument } from '../sources/yaml-documents.ts';

const EKS_ANYWHERE_BUNDLES = 'sealift/eks-anywhere/bundles:';
const EKS_DISTRO_RELEASE = 'sealift/eks-distro/releases:';

const file = z.looseObject({ uri: z.string() });
const image = z.looseObject({ uri: z.string() });
const component = z.looseObject({ version: z.string(), components: file, metadata: file });

const versionsBundleShape = z.looseObject({
  kubeVersion: z.string(),
  eksD: z.looseObject({ name: z.string(), kubeVersion: z.string() }),
  clusterAPI: component,
  bootstrap: component,
  controlPlane: component,
  certManager: z.looseObject({ version: z.string(), manifest: file }),
  docker: component.optional(),
  vSphere: component.extend({ kubeVip: image, manager: image.optional() }).optional(),
  tinkerbell: component.extend({ kubeVip: image }).optional(),
  cilium: z.looseObject({ cilium: image, operator: image, helmChart: image }).optional(),
  eksa: z.looseObject({ cliTools: image.optional() }).optional(),
});
type VersionsBundle = z.infer<typeof versionsBundleShape>;

const bundlesShape = z.looseObject({ spec: z.looseObject({ versionsBundles: z.array(versionsBundleShape).min(1) }) });

const eksDistroShape = z.looseObject({
  status: z.looseObject({
    components: z.array(
      z.looseObject({
        name: z.string(),
        assets: z
          .array(z.looseObject({ name: z.string(), image: z.looseObject({ uri: z.string() }).optional() }))
          .optional(),
      }),
    ),
  }),
});

/** The parts of a `versionsBundles` entry that bring Cluster API providers, by clusterctl's name of an infrastructure. */
const infrastructureFields = { docker: 'docker', vsphere: 'vSphere', tinkerbell: 'tinkerbell' } as const;
export type InfrastructureName = keyof typeof infrastructureFields;

/** The component manifests of one Cluster API provider. */
export interface ProviderComponents {
  /** e.g. `v1.13.2` */
  version: string;
  manifest: Uint8Array;
  metadata: Uint8Array;
}

/** Cilium as a release has it. */
export interface CiliumRelease {
  /** the chart's archive, as Helm makes it */
  chart: Uint8Array;
  /** of the chart: the tag of its reference */
  version: string;
  /** image references of the release */
  agent: string;
  operator: string;
}

/** What a bundle brings for clusters of one Kubernetes minor version. */
export interface ClusterRelease {
  /** identity of the bundle, see ReadableBundle */
  content: Digest;
  /** e.g. `v1.30.14` */
  kubernetesVersion: string;
  /** the same of every minor version in the bundle, for worker groups that have one of their own */
  versions: Record<string, string>;
  images: NodeImages;
  /** all that its clusters may pull */
  everyImage: ReleaseImage[];
  core: ProviderComponents;
  bootstrap: ProviderComponents;
  controlPlane: ProviderComponents;
  infrastructure: ProviderComponents;
  certManager: { version: string; manifest: Uint8Array };
  /** every release of EKS Anywhere has it; those of tests may not */
  cilium?: CiliumRelease;
  /** for management clusters, where the infrastructure has one (bare metal) */
  stack?: StackRelease;
}

/**
 * Finds in a bundle what clusters of a Kubernetes minor version are made of: the `Bundles` manifest that was exported, its
 * EKS Distro release, and Cluster API's component manifests.
 *
 * @param minor e.g. `1.30`
 * @param role of the cluster: what only management clusters run is asked for nobody else
 * @throws SealiftError ContentMissing naming what the bundle lacks; InvalidInput when a manifest in it is malformed
 */
export async function readRelease(
  bundle: ReadableBundle,
  minor: string,
  infrastructure: InfrastructureName,
  role: ClusterRole,
): Promise<ClusterRelease> {
  const versions = await versionsBundle(bundle, minor);
  const provider = versions[infrastructureFields[infrastructure]];
  if (provider === undefined) throw lacking(bundle, `the provider ${infrastructure} for Kubernetes ${minor}`);
  const componentsOf = async (one: z.infer<typeof component>): Promise<ProviderComponents> => ({
    version: withoutBuild(one.version),
    manifest: await fileOf(bundle, one.components.uri),
    metadata: await fileOf(bundle, one.metadata.uri),
  });
  const [core, bootstrap, controlPlane, infrastructureComponents, certManager] = await Promise.all([
    componentsOf(versions.clusterAPI),
    componentsOf(versions.bootstrap),
    componentsOf(versions.controlPlane),
    componentsOf(provider),
    fileOf(bundle, versions.certManager.manifest.uri),
  ]);
  const distro = await eksDistroImages(bundle, versions);
  return {
    content: bundle.identity,
    kubernetesVersion: versions.eksD.kubeVersion,
    versions: Object.fromEntries(
      (await versionsBundles(bundle)).map(({ kubeVersion, eksD }) => [kubeVersion, eksD.kubeVersion]),
    ),
    images: nodeImages(bundle, versions, distro),
    everyImage: releaseImages(bundle.billOfMaterials, [distro, blocksFor(versions, infrastructure)]),
    core,
    bootstrap,
    controlPlane,
    infrastructure: infrastructureComponents,
    certManager: { version: withoutBuild(versions.certManager.version), manifest: certManager },
    ...(await ciliumRelease(bundle, versions)),
    ...(role === 'management' && infrastructure === 'tinkerbell'
      ? { stack: await readStack(bundle, versions.tinkerbell!, (what) => lacking(bundle, what)) }
      : {}),
  };
}

/** The Kubernetes minor versions that a bundle can make clusters of, the oldest first. @throws SealiftError InvalidInput */
export async function minorVersions(bundle: ReadableBundle): Promise<string[]> {
  const all = await versionsBundles(bundle);
  return [...new Set(all.map(({ kubeVersion }) => kubeVersion))].sort(byVersion);
}

/**
 * The image of a bundle's newest version that holds the programs of whoever runs clusters (clusterctl, helm, govc), as the
 * release names it. @throws SealiftError InvalidInput
 */
export async function toolsImage(bundle: ReadableBundle): Promise<string | undefined> {
  const all = await versionsBundles(bundle);
  const newestFirst = all.sort((a, b) => byVersion(b.kubeVersion, a.kubeVersion));
  return newestFirst.find(({ eksa }) => eksa?.cliTools !== undefined)?.eksa?.cliTools?.uri;
}

async function versionsBundle(bundle: ReadableBundle, minor: string): Promise<VersionsBundle> {
  const found = (await versionsBundles(bundle)).find(({ kubeVersion }) => kubeVersion === minor);
  if (found !== undefined) return found;
  const there = (await minorVersions(bundle)).join(', ');
  throw lacking(bundle, `Kubernetes ${minor}${there === '' ? '' : `; it has ${there}`}`);
}

/** All of a version but what only other infrastructures use. */
function blocksFor(versions: VersionsBundle, infrastructure: InfrastructureName): object {
  const others: string[] = Object.entries(infrastructureFields).flatMap(([name, field]) =>
    name === infrastructure ? [] : [field],
  );
  return Object.fromEntries(Object.entries(versions).filter(([field]) => !others.includes(field)));
}

async function versionsBundles(bundle: ReadableBundle): Promise<VersionsBundle[]> {
  const manifests = bundle.billOfMaterials.items.filter(({ destination }) =>
    destination.startsWith(EKS_ANYWHERE_BUNDLES),
  );
  const parsed = await Promise.all(manifests.map(({ reference }) => documentsOf(bundle, reference)));
  return parsed
    .flat()
    .filter(({ value }) => (value as { kind?: unknown }).kind === 'Bundles')
    .flatMap((document) => readShape(document, bundlesShape).spec.versionsBundles);
}

/** The images of the EKS Distro release that a Kubernetes version is built from, e.g. `etcd-image`. */
async function eksDistroImages(
  bundle: ReadableBundle,
  { eksD }: VersionsBundle,
): Promise<{ name: string; uri: string }[]> {
  const item = bundle.billOfMaterials.items.find(({ destination }) => destination === EKS_DISTRO_RELEASE + eksD.name);
  if (item === undefined) throw lacking(bundle, `the EKS Distro release ${eksD.name}`);
  const documents = await documentsOf(bundle, item.reference);
  return documents
    .filter(({ value }) => (value as { kind?: unknown }).kind === 'Release')
    .flatMap((document) => readShape(document, eksDistroShape).status.components)
    .flatMap((one) => one.assets ?? [])
    .flatMap(({ name, image: found }) => (found === undefined ? [] : [{ name, uri: found.uri }]));
}

function nodeImages(
  bundle: ReadableBundle,
  { eksD, vSphere, tinkerbell }: VersionsBundle,
  assets: readonly { name: string; uri: string }[],
): NodeImages {
  const imageNamed = (name: string): string => {
    const found = assets.find((asset) => asset.name === `${name}-image`)?.uri;
    if (found === undefined) throw lacking(bundle, `the image ${name} of the EKS Distro release ${eksD.name}`);
    return found;
  };
  return {
    kubernetesRepository: splitTag(imageNamed('kube-apiserver')).repository.replace(/\/[^/]+$/, ''),
    etcd: splitTag(imageNamed('etcd')),
    coreDns: splitTag(imageNamed('coredns')),
    ...kubeVip(vSphere ?? tinkerbell),
    ...(vSphere?.manager === undefined ? {} : { cloudProvider: vSphere.manager.uri }),
  };
}

function kubeVip(provider: { kubeVip: { uri: string } } | undefined): Pick<NodeImages, 'kubeVip'> {
  return provider === undefined ? {} : { kubeVip: provider.kubeVip.uri };
}

async function ciliumRelease(
  bundle: ReadableBundle,
  { cilium }: VersionsBundle,
): Promise<Pick<ClusterRelease, 'cilium'>> {
  if (cilium === undefined) return {};
  const { uri } = cilium.helmChart;
  const archive = (await chartArchives(bundle)).find(({ item }) => item.reference === uri);
  if (archive === undefined) throw lacking(bundle, `the chart ${uri}`);
  const chart = await bundle.read(archive.blob.digest);
  return { cilium: { chart, version: splitTag(uri).tag, agent: cilium.cilium.uri, operator: cilium.operator.uri } };
}

/** @param reference with a tag, e.g. `public.ecr.aws/eks-distro/etcd-io/etcd:v3.5.1` */
export function splitTag(reference: string): { repository: string; tag: string } {
  const colon = reference.lastIndexOf(':');
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

// clusterctl takes semantic versions for folder names, and EKS Anywhere adds its commit as build metadata
function withoutBuild(version: string): string {
  return version.replace(/\+.*$/, '');
}

async function documentsOf(bundle: ReadableBundle, reference: string): Promise<YamlDocument[]> {
  return parseYamlDocuments(reference, await fileOf(bundle, reference));
}

async function fileOf(bundle: ReadableBundle, reference: string): Promise<Uint8Array> {
  const bytes = await readFromBundle(bundle, reference);
  if (bytes === undefined) throw lacking(bundle, reference);
  return bytes;
}

function lacking(bundle: ReadableBundle, what: string): SealiftError {
  return new SealiftError('ContentMissing', {
    side: 'source',
    operation: 'read release',
    subject: bundle.path,
    message: `the bundle lacks ${what}`,
    remedy:
      'export a bundle that has it (`sealift export artifacts --source eks-anywhere`), or ask for a version that is there',
  });
}
