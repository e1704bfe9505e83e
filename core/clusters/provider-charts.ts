import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ChartsRequest } from '../../contracts/provider-plugin.ts';
import type { ProviderChange } from '../../contracts/upgrade-plan.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { waitFor } from '../kubernetes/wait.ts';
import type { ClusterMaking } from './apply.ts';
import type { ClusterRelease } from './release.ts';
import { installChart, installedVersion, isInstalled, type Chart, type ChartInstallation } from './charts.ts';

/** How long services may take to be pulled and to start. */
const SERVICES_TIMEOUT_MS = 30 * 60_000;

/** As much of a ClusterMaking as charts need. */
export interface ChartMaking extends Pick<ClusterMaking, 'spec' | 'provider' | 'context'> {
  release: Pick<ClusterRelease, 'kubernetesVersion' | 'stack'>;
}

/** What a management cluster's provider needs beside Cluster API's controllers; none where it needs nothing. */
export function providerCharts(
  { spec, provider, release }: Omit<ChartMaking, 'context'>,
  place: ChartsRequest['place'],
): Chart[] {
  const { stack } = release;
  if (stack === undefined || provider.charts === undefined) return [];
  return provider.charts({ spec, place, stack: stack.parts }).flatMap(({ chart, ...named }) => {
    const released = stack.charts[chart];
    return released === undefined ? [] : [{ ...named, ...released }];
  });
}

/**
 * Brings them onto a cluster, their images from the registry mirror. May be repeated, see installChart.
 * @throws SealiftError as installChart
 */
export async function installProviderCharts(
  making: ChartMaking,
  place: ChartsRequest['place'],
  on: Cluster,
  signal: AbortSignal,
): Promise<void> {
  for (const chart of providerCharts(making, place)) {
    await on.applyAll([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: chart.namespace } }], { signal });
    await installChart(chart, installationOf(making), on, signal);
  }
}

/** Waits until a cluster's nodes run them as they are said now. @throws SealiftError ClusterNotReady; those of a Cluster */
export async function awaitProviderCharts(
  making: ChartMaking,
  place: ChartsRequest['place'],
  on: Cluster,
  signal: AbortSignal,
): Promise<void> {
  const deployments = providerCharts(making, place).filter(({ mark }) => mark.kind === 'Deployment');
  if (deployments.length === 0) return;
  await waitFor(on, {
    subject: `what ${making.provider.name} needs beside Cluster API`,
    watched: deployments.map(({ mark: { apiVersion, kind, metadata } }) => ({ apiVersion, kind, ...metadata })),
    decide: (found) => {
      const ready = found.filter(isRolledOut).map(({ metadata }) => metadata.name);
      const waiting = deployments.map(({ mark }) => mark.metadata.name).filter((name) => !ready.includes(name));
      const detail = waiting.length === 0 ? 'its services are available' : `waiting for ${waiting.join(', ')}`;
      return { done: waiting.length === 0, detail };
    },
    timeoutMs: SERVICES_TIMEOUT_MS,
    alive: (detail) => making.context.alive(detail),
    signal,
  });
}

/** Those that are there otherwise than they would be installed now, or not at all. @throws SealiftError those of a Cluster */
export async function changesOfCharts(making: ChartMaking, on: Cluster): Promise<ProviderChange[]> {
  const changes: ProviderChange[] = [];
  for (const chart of providerCharts(making, 'self')) {
    if (await isInstalled(chart, installationOf(making), on)) continue;
    const from = await installedVersion(chart, on);
    const to = from === chart.version ? `${chart.version} with other values` : chart.version;
    changes.push({ subject: `chart ${chart.name}`, from: from ?? 'unknown', to });
  }
  return changes;
}

function installationOf({ spec, release, context }: ChartMaking): ChartInstallation {
  const { registryMirrorConfiguration: mirror } = spec.cluster.spec;
  return { mirror, kubernetesVersion: release.kubernetesVersion, context };
}

/** Of the generation of now, with no pod of an earlier one: a Deployment stays available while it is replaced. */
function isRolledOut(deployment: KubernetesObject): boolean {
  const { metadata, spec, status } = deployment as KubernetesObject & {
    spec?: { replicas?: number };
    status?: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number; replicas?: number };
  };
  const wanted = spec?.replicas ?? 1;
  const { observedGeneration, updatedReplicas, availableReplicas, replicas } = status ?? {};
  return (
    observedGeneration === metadata.generation &&
    [updatedReplicas, availableReplicas, replicas].every((n) => n === wanted)
  );
}
