export interface EksDistroOptions {
  /** `https://host/kubernetes-1-30/kubernetes-1-30-eks-58.yaml` */
  url: string;
  /** registry host of the images */
  imageHost: string;
  /** `v1.30.14` */
  kubeVersion: string;
}

/** What a component has in the generated releases: as upstream, an image, archives per architecture, or both. */
const components = [
  { name: 'coredns', version: 'v1.11.4', image: 'coredns/coredns', archives: [] },
  { name: 'etcd', version: 'v3.5.21', image: 'etcd-io/etcd', archives: ['etcd-linux-ARCH-VERSION.tar.gz'] },
  { name: 'metrics-server', version: 'v0.7.2', image: 'kubernetes-sigs/metrics-server', archives: [] },
  { name: 'cni-plugins', version: 'v1.7.1', archives: ['cni-plugins-linux-ARCH-VERSION.tar.gz'] },
  { name: 'kubernetes', image: 'kubernetes/kube-apiserver', archives: ['kubernetes-server-linux-ARCH.tar.gz'] },
] as const satisfies { name: string; version?: string; image?: string; archives: string[] }[];

const architectures = ['amd64', 'arm64'] as const;

/**
 * An EKS-D Release manifest like upstream's, only shorter (`distro.eks.amazonaws.com/v1alpha1`; a real one is
 * eks-anywhere/kubernetes-1-21-eks-4.yaml in the samples). Checksums are placeholders: who makes the archives puts them right.
 */
export function eksDistroRelease(options: EksDistroOptions): Record<string, unknown> {
  const name = new URL(options.url).pathname.split('/').at(-1)?.replace('.yaml', '') ?? '';
  const [, channel = '', release = ''] = /^kubernetes-(\d+-\d+)-eks-(\d+)$/.exec(name) ?? [];
  return {
    apiVersion: 'distro.eks.amazonaws.com/v1alpha1',
    kind: 'Release',
    metadata: { creationTimestamp: null, name },
    spec: { channel, number: Number(release) },
    status: {
      components: components.map((component) => {
        const version = 'version' in component ? component.version : options.kubeVersion;
        const images =
          'image' in component ? [imageAsset(options, component.image, `${version}-eks-${channel}-${release}`)] : [];
        const archives = component.archives.flatMap((archive) =>
          architectures.map((arch) => {
            const file = archive.replace('ARCH', arch).replace('VERSION', version);
            const path = `releases/${release}/artifacts/${component.name}/${version}/${file}`;
            return archiveAsset(new URL(path, options.url).href, file, arch);
          }),
        );
        return { name: component.name, gitTag: version, assets: [...images, ...archives] };
      }),
      date: '1970-01-01T00:00:00Z',
    },
  };
}

function imageAsset(options: EksDistroOptions, image: string, tag: string): Record<string, unknown> {
  const name = image.split('/').at(-1) ?? image;
  return {
    arch: [...architectures],
    description: `${name} container image`,
    image: { uri: `${options.imageHost}/eks-distro/${image}:${tag}` },
    name: `${name}-image`,
    os: 'linux',
    type: 'Image',
  };
}

function archiveAsset(uri: string, name: string, arch: string): Record<string, unknown> {
  return {
    arch: [arch],
    archive: { sha256: '', sha512: '', uri },
    description: `${name} for linux/${arch}`,
    name,
    os: 'linux',
    type: 'Archive',
  };
}
