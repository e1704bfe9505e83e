import type { ClusterSpec, KubernetesObject, RegistryMirrorConfiguration } from '../../../contracts/cluster-spec.ts';
import type { NodeImages } from '../../../contracts/provider-plugin.ts';
import type { GeneratedFile } from '../../../contracts/source-plugin.ts';
import { mirrorHosts } from '../../node-config/hosts-toml.ts';
import { namespaceOf } from '../../oci/rewrite.ts';
import { mirrorHost } from '../spec/defaults.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE } from './names.ts';

const CERTIFICATES_ON_NODE = '/etc/containerd/certs.d';
/** What EKS Anywhere maps when a cluster names no registry itself. */
const DEFAULT_ORIGIN = 'public.ecr.aws';

/** A file on a node, as KubeadmConfig has it. */
export type NodeFile = { path: string; owner: string; permissions: string } & (
  { content: string } | { contentFrom: { secret: { name: string; key: string } } }
);

/** An image as nodes pull it from the mirror: the mapped namespace and the original path. */
export function mirroredReference(reference: string, mirror: RegistryMirrorConfiguration | undefined): string {
  if (mirror === undefined) return reference;
  const slash = reference.indexOf('/');
  const origin = reference.slice(0, slash);
  const namespace = namespaceOf(origin, { namespace: '', map: originNamespaces(mirror) });
  return [mirrorHost(mirror), namespace, reference.slice(slash + 1)].filter((part) => part !== '').join('/');
}

/** All of them, see mirroredReference. */
export function mirroredImages(images: NodeImages, mirror: RegistryMirrorConfiguration | undefined): NodeImages {
  const at = (reference: string): string => mirroredReference(reference, mirror);
  const { etcd, coreDns, kubeVip, cloudProvider } = images;
  return {
    kubernetesRepository: at(images.kubernetesRepository),
    etcd: { ...etcd, repository: at(etcd.repository) },
    coreDns: { ...coreDns, repository: at(coreDns.repository) },
    ...(kubeVip === undefined ? {} : { kubeVip: at(kubeVip) }),
    ...(cloudProvider === undefined ? {} : { cloudProvider: at(cloudProvider) }),
  };
}

/** containerd's configuration for the mirror; what holds a password comes from the Secret of mirrorSecret. */
export function mirrorFiles(spec: ClusterSpec): NodeFile[] {
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  if (mirror === undefined) return [];
  return hostFiles(mirror, mirror.authenticate === true ? 'in the secret' : undefined).map((file) => {
    const place = { path: `/${file.path}`, owner: 'root:root', permissions: file.secret ? '0600' : '0644' };
    return file.secret
      ? { ...place, contentFrom: { secret: { name: secretName(spec), key: secretKey(file.path) } } }
      : { ...place, content: 'content' in file ? file.content : '' };
  });
}

/**
 * The Secret with the files that hold the mirror's password; undefined when it wants none.
 * @param user value of the Authorization header is made of it, and goes nowhere else
 */
export function mirrorSecret(
  spec: ClusterSpec,
  user: { name: string; password: string },
): KubernetesObject | undefined {
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  if (mirror?.authenticate !== true) return undefined;
  const authorization = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
  const files = hostFiles(mirror, authorization).filter(({ secret }) => secret);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    // the label makes clusterctl's move take it along
    metadata: {
      name: secretName(spec),
      namespace: CLUSTER_NAMESPACE,
      labels: { [CLUSTER_NAME_LABEL]: spec.name, 'clusterctl.cluster.x-k8s.io/move': '' },
    },
    type: 'cluster.x-k8s.io/secret',
    stringData: Object.fromEntries(files.map((file) => [secretKey(file.path), 'content' in file ? file.content : ''])),
  };
}

function hostFiles(mirror: RegistryMirrorConfiguration, authorization: string | undefined): GeneratedFile[] {
  return mirrorHosts({
    origins: Object.keys(originNamespaces(mirror)),
    registry: {
      host: mirrorHost(mirror),
      prefix: '',
      plainHttp: false,
      map: originNamespaces(mirror),
      ...(mirror.caCertContent === undefined ? {} : { ca: mirror.caCertContent }),
    },
    folder: CERTIFICATES_ON_NODE,
    ...(mirror.insecureSkipVerify === true ? { skipVerify: true } : {}),
    ...(authorization === undefined ? {} : { authorization }),
  });
}

function originNamespaces({ ociNamespaces }: RegistryMirrorConfiguration): Record<string, string> {
  if (ociNamespaces === undefined || ociNamespaces.length === 0) return { [DEFAULT_ORIGIN]: '' };
  return Object.fromEntries(ociNamespaces.map(({ registry, namespace }) => [registry, namespace]));
}

function secretName({ name }: ClusterSpec): string {
  return `${name}-registry-mirror`;
}

// keys of a Secret have no slashes
function secretKey(path: string): string {
  return path.replaceAll('/', '_');
}
