import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { TinkerbellDatacenterSpec } from './schema.ts';

/** EKS Anywhere's annotation of a Cluster: where Tinkerbell answers while there is only a bootstrap cluster. */
export const BOOTSTRAP_ANNOTATION = 'anywhere.eks.amazonaws.com/tinkerbell-bootstrap-ip';

/** Where machines find Tinkerbell: while the cluster is made, and from then on. */
export function tinkerbellAddresses(spec: ClusterSpec): string[] {
  const { tinkerbellIP } = spec.datacenter.spec as unknown as TinkerbellDatacenterSpec;
  return [bootstrapAddress(spec) ?? [], tinkerbellIP].flat();
}

/** Where it answers on the bootstrap cluster, when the specification says so. */
export function bootstrapAddress({ cluster }: ClusterSpec): string | undefined {
  const address = cluster.metadata.annotations?.[BOOTSTRAP_ANNOTATION] ?? '';
  return address === '' ? undefined : address;
}
