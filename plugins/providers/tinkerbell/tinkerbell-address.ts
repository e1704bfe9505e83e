import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { TinkerbellDatacenterSpec } from './schema.ts';

/** EKS Anywhere's annotation of a Cluster: where Tinkerbell answers while there is only a bootstrap cluster. */
const BOOTSTRAP_ANNOTATION = 'anywhere.eks.amazonaws.com/tinkerbell-bootstrap-ip';

/** Where machines find Tinkerbell: while the cluster is made, and from then on. */
export function tinkerbellAddresses({ cluster, datacenter }: ClusterSpec): string[] {
  const { tinkerbellIP } = datacenter.spec as unknown as TinkerbellDatacenterSpec;
  const bootstrap = cluster.metadata.annotations?.[BOOTSTRAP_ANNOTATION] ?? '';
  return bootstrap === '' ? [tinkerbellIP] : [bootstrap, tinkerbellIP];
}
