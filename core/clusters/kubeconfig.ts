import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { SealiftError } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { CLUSTER_NAMESPACE } from './render/names.ts';

/** The kubeconfig that Cluster API keeps for a cluster that it has made. @throws SealiftError ClusterNotReady, those of Cluster.get */
export async function kubeconfigOf(name: string, on: Cluster): Promise<string> {
  const secret = await on.get({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `${name}-kubeconfig`, namespace: CLUSTER_NAMESPACE },
  });
  const encoded = (secret as (KubernetesObject & { data?: { value?: string } }) | undefined)?.data?.value;
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString('utf8');
  throw new SealiftError('ClusterNotReady', {
    side: 'cluster',
    operation: 'read kubeconfig',
    subject: `Secret ${CLUSTER_NAMESPACE}/${name}-kubeconfig`,
    message: `the API server at ${on.server} does not have it yet`,
    remedy: 'look at the conditions of the Cluster, then retry',
  });
}
