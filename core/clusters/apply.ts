import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { SealiftError } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import type { ClusterRelease } from './release.ts';
import { mirrorSecret } from './render/mirror.ts';
import { CLUSTER_NAMESPACE } from './render/names.ts';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';

export interface ClusterMaking {
  spec: ClusterSpec;
  /** what the cluster was made from, when it is upgraded */
  previous?: ClusterSpec;
  provider: ProviderPlugin;
  release: ClusterRelease;
  context: ProviderContext;
}

/**
 * Says on a management or bootstrap cluster what a cluster is to be: secrets, what the infrastructure has to know first, then
 * the cluster. May be repeated: what is as it should be stays as it is.
 * @throws SealiftError those of Cluster.applyAll, and of the provider; RegistryUnauthorized when the mirror wants a password and
 * none is given
 */
export async function applyCluster(making: ClusterMaking, on: Cluster, signal: AbortSignal): Promise<void> {
  const { spec, provider, context } = making;
  await applySecrets(making, on, signal);
  await provider.postCapiInit(spec, on, context);
  await on.applyAll(renderedObjects(making), { signal });
}

/** Brings the credentials of now onto a management or bootstrap cluster. May be repeated. @throws SealiftError as applyCluster */
export async function applySecrets(
  { spec, provider, context }: Omit<ClusterMaking, 'release'>,
  on: Cluster,
  signal: AbortSignal,
): Promise<void> {
  const namespace: KubernetesObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CLUSTER_NAMESPACE } };
  const credentials = await provider.credentials(spec, context);
  await on.applyAll([namespace, ...credentials, ...registrySecret(spec, context)], { signal });
}

/** The Cluster API objects of a cluster. */
export function renderedObjects({ spec, previous, provider, release }: ClusterMaking): KubernetesObject[] {
  const { kubernetesVersion, images, versions } = release;
  const request = { spec, kubernetesVersion, images, workerVersions: versions };
  return provider.render({ ...request, ...(previous === undefined ? {} : { previous }) });
}

function registrySecret(spec: ClusterSpec, { env }: ProviderContext): KubernetesObject[] {
  if (spec.cluster.spec.registryMirrorConfiguration?.authenticate !== true) return [];
  const { REGISTRY_USERNAME: name, REGISTRY_PASSWORD: password } = env;
  if (name === undefined || password === undefined) {
    throw new SealiftError('RegistryUnauthorized', {
      side: 'local',
      operation: 'make registry credentials',
      subject: spec.cluster.spec.registryMirrorConfiguration.endpoint,
      message: 'the registry mirror wants a password (authenticate: true), and the worker has none',
      remedy: 'set REGISTRY_USERNAME and REGISTRY_PASSWORD where the worker runs',
    });
  }
  const secret = mirrorSecret(spec, { name, password });
  return secret === undefined ? [] : [secret];
}
