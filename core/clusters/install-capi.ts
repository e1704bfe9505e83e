import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ChartsRequest } from '../../contracts/provider-plugin.ts';
import type { BootstrapDriver } from '../bootstrap/driver.ts';
import { createClusterctl } from '../cluster-api/clusterctl.ts';
import { writeRepository, type ProviderRelease, type ProviderType } from '../cluster-api/repository.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { waitFor } from '../kubernetes/wait.ts';
import type { ClusterMaking } from './apply.ts';
import { awaitProviderCharts, installProviderCharts } from './provider-charts.ts';
import { mirroredReference } from './render/mirror.ts';
import type { ClusterRelease, ProviderComponents } from './release.ts';

/** How long controllers may take to be pulled and to start. */
const CONTROLLERS_TIMEOUT_MS = 30 * 60_000;
const CLUSTERCTL_LABEL = 'clusterctl.cluster.x-k8s.io';

/** Path of the clusterctl.yaml that an installation leaves in its folder. */
export function clusterctlConfig(folder: string): string {
  return `${folder}/repository/clusterctl.yaml`;
}

export interface ClusterApiInstallation extends ClusterMaking {
  /** path of clusterctl */
  clusterctl: string;
  /** a folder of the operation's own for this cluster */
  folder: string;
  place: ChartsRequest['place'];
  /** of the cluster, when it is a bootstrap cluster */
  driver?: BootstrapDriver;
  /** older providers that are there make way; a refusal when absent */
  replacesOlder?: boolean;
}

/**
 * Brings Cluster API onto a cluster, out of the bundle, with its images from the registry mirror, and waits until its
 * controllers work. May be repeated after it was broken off anywhere.
 * @throws SealiftError those of Clusterctl.init, of a Cluster, and of the provider; ClusterNotReady
 */
export async function installClusterApi(
  installation: ClusterApiInstallation,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<void> {
  const { spec, provider, release, context, driver, place } = installation;
  const { name, env: variables } = provider.capi(spec, context);
  const providers = releasedProviders(release, name);
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  const config = await writeRepository(`${installation.folder}/repository`, {
    providers,
    certManager: driver?.runProviders === undefined ? release.certManager : 'none',
    rewriteImage: (reference) => mirroredReference(reference, mirror),
  });
  await cluster.applyAll(await provider.bootstrapPrereqs(spec, context), { signal });
  // Cluster API's provider may watch their kinds from its start
  await installProviderCharts(installation, place, cluster, signal);
  const clusterctl = createClusterctl({
    ...{ command: installation.clusterctl, config, home: `${installation.folder}/home`, variables, signal },
  });
  if (installation.replacesOlder === true) {
    context.alive('clusterctl upgrade apply');
    await clusterctl.upgrade(cluster.kubeconfig, providers);
  }
  context.alive('clusterctl init');
  await clusterctl.init(cluster.kubeconfig, providers);
  await driver?.runProviders?.();
  await waitFor(cluster, {
    subject: 'the controllers of Cluster API',
    watched: [{ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector: CLUSTERCTL_LABEL }],
    decide: controllersReady,
    timeoutMs: CONTROLLERS_TIMEOUT_MS,
    alive: (detail) => context.alive(detail),
    signal,
  });
  await awaitProviderCharts(installation, place, cluster, signal);
  await provider.postCapiInit(spec, cluster, context);
}

/** The Cluster API providers of a release. @param infrastructure clusterctl's name of its infrastructure provider */
export function releasedProviders(release: ClusterRelease, infrastructure: string): ProviderRelease[] {
  return [
    providerRelease('cluster-api', 'CoreProvider', release.core),
    providerRelease('kubeadm', 'BootstrapProvider', release.bootstrap),
    providerRelease('kubeadm', 'ControlPlaneProvider', release.controlPlane),
    providerRelease(infrastructure, 'InfrastructureProvider', release.infrastructure),
  ];
}

function providerRelease(
  name: string,
  type: ProviderType,
  { version, manifest, metadata }: ProviderComponents,
): ProviderRelease {
  return { name, type, version, components: manifest, metadata };
}

function controllersReady(deployments: readonly KubernetesObject[]): { done: boolean; detail: string } {
  const waiting = deployments.filter((deployment) => !isAvailable(deployment)).map(({ metadata }) => metadata.name);
  const detail = waiting.length === 0 ? 'controllers are available' : `waiting for ${waiting.join(', ')}`;
  return { done: deployments.length > 0 && waiting.length === 0, detail };
}

function isAvailable(deployment: KubernetesObject): boolean {
  const { status } = deployment as { status?: { conditions?: { type: string; status: string }[] } };
  return status?.conditions?.some(({ type, status: met }) => type === 'Available' && met === 'True') ?? false;
}
