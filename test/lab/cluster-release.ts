import { stringify } from 'yaml';
import { standInForCertManager } from '../../core/cluster-api/repository.ts';
import { serveRelease, type ServedRelease } from '../helpers/served-release.ts';
import { programImages } from './program-images.ts';
import { smallCilium, smallCiliumTemplates } from './small-cilium.ts';
import { clusterApiReleases, type LabInfrastructure, type WantedReleases } from './components.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const FILES = 'https://release-bucket/artifacts';
const IMAGES = 'public.ecr.aws/release-container-registry';

/** Kubernetes versions that clusters can be made of, an upgrade apart each. */
export const labVersions = { older: 'v1.34.6', newer: 'v1.35.4', newest: 'v1.36.1' } as const;

/** What the manifest calls an infrastructure, and the images it has beside the provider's own. */
const infrastructures: Record<LabInfrastructure, { field: string; images: object }> = {
  docker: { field: 'docker', images: {} },
  vsphere: {
    field: 'vSphere',
    images: {
      kubeVip: image('kube-vip/kube-vip', 'v0.8.9'),
      manager: image('kubernetes/cloud-provider-vsphere/cpi/manager', 'v1.34.0'),
    },
  },
  tinkerbell: { field: 'tinkerbell', images: { kubeVip: image('kube-vip/kube-vip', 'v0.8.9') } },
};

export interface ClusterReleaseSettings extends WantedReleases {
  /** with the images of Cluster API's controllers and of tools, some of which hold the real programs, as etcd's does then */
  withPrograms?: boolean;
  /** with a small Cilium of this version: for clusters whose API servers are real, since imitations take no server-side apply */
  cilium?: string;
  /** of the release; 1 when absent */
  number?: number;
}

/** An EKS Anywhere release, served on this machine, that holds the lab's Cluster API: clusters can be made of its bundle. */
export async function serveClusterRelease(wanted: ClusterReleaseSettings = {}): Promise<ServedRelease> {
  const releases = await clusterApiReleases(wanted);
  const { number = 1, cilium, infrastructure = 'docker' } = wanted;
  const { field, images } = infrastructures[infrastructure];
  const fields = ['clusterAPI', 'bootstrap', 'controlPlane', field];
  const contents = new Map<string, Uint8Array>();
  const components = releases.map(({ version, components: manifest, metadata }, index) => {
    const folder = `${FILES}/${fields[index]}/${version}`;
    contents.set(`${folder}/components.yaml`, manifest);
    contents.set(`${folder}/metadata.yaml`, metadata);
    const uris = { components: { uri: `${folder}/components.yaml` }, metadata: { uri: `${folder}/metadata.yaml` } };
    const more = fields[index] === field ? images : {};
    const own = wanted.withPrograms === true ? { controller: controllerImage(manifest) } : {};
    return [fields[index], { ...uris, ...own, ...more, version: `${version}+abcdef1` }] as const;
  });
  const certManager = { manifest: { uri: `${FILES}/cert-manager.yaml` }, version: 'v1.20.2+abcdef1' };
  // the lab has no nodes that cert-manager could run on: webhooks get their certificates from who runs the providers
  contents.set(certManager.manifest.uri, Buffer.from(standInForCertManager()));
  const versionsBundles = Object.values(labVersions).map((kubeVersion) => {
    const minor = kubeVersion.split('.').slice(0, 2).join('.').slice(1);
    const name = `kubernetes-${minor.replace('.', '-')}-eks-1`;
    return {
      kubeVersion: minor,
      ...Object.fromEntries(components),
      certManager,
      ...(cilium === undefined ? {} : { cilium: ciliumBlock(cilium) }),
      ...(wanted.withPrograms === true ? { eksa: { cliTools: image('eks-anywhere-cli-tools', 'v0.26.0') } } : {}),
      eksD: {
        ...{ name, kubeVersion, channel: minor.replace('.', '-') },
        kindNode: image('kind-node', kubeVersion),
        manifestUrl: `https://distro.eks.amazonaws.com/kubernetes-${minor.replace('.', '-')}/${name}.yaml`,
      },
    };
  });
  const bundles = {
    apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1',
    kind: 'Bundles',
    metadata: { name: `bundles-${number}` },
    spec: { number, cliMinVersion: 'v0.18.0', cliMaxVersion: 'v0.30.0', versionsBundles },
  };
  const made = {
    ...(wanted.withPrograms === true ? { imageOf: await programImages() } : {}),
    ...(cilium === undefined ? {} : { charts: new Map([[smallCilium(cilium).chart, smallCiliumTemplates]]) }),
  };
  return serveRelease(stringify(bundles, { lineWidth: 0 }), contents, made);
}

function ciliumBlock(version: string): object {
  const { chart, agent, operator } = smallCilium(version);
  return {
    version: `v${version}-1`,
    cilium: { ...image('cilium', ''), uri: agent },
    operator: { ...image('operator-generic', ''), uri: operator },
    helmChart: { description: 'Helm chart for cilium-chart', imageDigest: digest, name: 'cilium-chart', uri: chart },
  };
}

/** The image that a component manifest runs, as the release has it. */
function controllerImage(manifest: Uint8Array): object {
  const [, uri = ''] = /^ +image: (\S+)$/m.exec(Buffer.from(manifest).toString('utf8')) ?? [];
  return { ...image('controller', ''), uri };
}

function image(name: string, tag: string): object {
  const uri = `${IMAGES}/${name}:${tag}`;
  return {
    arch: ['amd64'],
    description: `Container image for ${name} image`,
    imageDigest: digest,
    name,
    os: 'linux',
    uri,
  };
}
