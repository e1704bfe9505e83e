import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ClusterTimeouts } from '../../contracts/clusters.ts';
import type { StuckInfrastructure } from '../../contracts/provider-plugin.ts';
import { SealiftError } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { clusterState, type ClusterState } from '../kubernetes/cluster-state.ts';
import { waitFor } from '../kubernetes/wait.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';
import { noneIfUnknown } from '../kubernetes/unknown-kind.ts';

export interface AwaitRequest {
  spec: Pick<ClusterSpec, 'name'>;
  /** how many machines it is to have, for how long is waited */
  machines: number;
  timeouts: ClusterTimeouts;
  /** see ProviderPlugin */
  stuck?: StuckInfrastructure | undefined;
  /** told of every change, and every few seconds */
  report(state: ClusterState): void;
  signal: AbortSignal;
}

/**
 * Waits until all machines of a cluster are there and ready, and none is left that should not be.
 * @throws SealiftError ClusterNotReady with what is not met, or will never be; those of waitFor
 */
export async function awaitCluster(request: AwaitRequest, on: Cluster): Promise<void> {
  const { spec, timeouts, stuck, signal } = request;
  let latest: ClusterState | undefined;
  await waitFor(on, {
    subject: `Cluster ${CLUSTER_NAMESPACE}/${spec.name}`,
    watched: watchedOf(spec.name, stuck),
    decide: (objects) => {
      refuseStuck(objects, stuck);
      latest = stateOf(spec.name, objects);
      if (latest === undefined) return { done: false, detail: 'waiting for the Cluster object' };
      request.report(latest);
      return { done: latest.ready, detail: latest.detail };
    },
    ...timeoutOf(timeouts, request.machines),
    alive: () => {
      if (latest !== undefined) request.report(latest);
    },
    signal,
  });
}

/**
 * Waits until the API server of a cluster answers: its first control plane is there, whether its node is ready or not.
 * @throws SealiftError as awaitCluster
 */
export async function awaitControlPlane(request: AwaitRequest, on: Cluster): Promise<void> {
  const { spec, timeouts, stuck, signal } = request;
  const watched = watchedOf(spec.name, stuck);
  const report = (objects: readonly KubernetesObject[]): void => {
    const state = stateOf(spec.name, objects);
    if (state !== undefined) request.report(state);
  };
  let latest: readonly KubernetesObject[] = [];
  await waitFor(on, {
    subject: `the API server of Cluster ${CLUSTER_NAMESPACE}/${spec.name}`,
    watched,
    decide: (objects) => {
      refuseStuck(objects, stuck);
      latest = objects;
      report(objects);
      const detail = stateOf(spec.name, objects)?.detail ?? 'waiting for the Cluster object';
      return { done: objects.some(isInitialized), detail };
    },
    ...timeoutOf(timeouts, request.machines),
    alive: () => {
      report(latest);
    },
    signal,
  });
}

function isInitialized({ kind, ...object }: KubernetesObject): boolean {
  const { status } = object as { status?: { initialization?: { controlPlaneInitialized?: boolean } } };
  return kind === 'Cluster' && status?.initialization?.controlPlaneInitialized === true;
}

/**
 * What Cluster API says of a cluster right now; undefined when it knows none, or is not there itself.
 * @throws SealiftError those of Cluster.read
 */
export async function readClusterState(name: string, on: Cluster): Promise<ClusterState | undefined> {
  const read = Promise.all(watchedOf(name).map((collection) => on.read(collection)));
  const found = await read.catch(noneIfUnknown);
  return stateOf(
    name,
    found.flatMap(({ objects }) => objects),
  );
}

function watchedOf(name: string, stuck?: StuckInfrastructure) {
  const namespace = CLUSTER_NAMESPACE;
  const labelSelector = `${CLUSTER_NAME_LABEL}=${name}`;
  return [
    { apiVersion: capiVersions.cluster, kind: 'Cluster', namespace, name },
    { apiVersion: capiVersions.controlPlane, kind: 'KubeadmControlPlane', namespace, labelSelector },
    { apiVersion: capiVersions.cluster, kind: 'MachineDeployment', namespace, labelSelector },
    { apiVersion: capiVersions.cluster, kind: 'Machine', namespace, labelSelector },
    ...(stuck === undefined ? [] : [{ ...stuck.kind, namespace }]),
  ];
}

function refuseStuck(objects: readonly KubernetesObject[], stuck: StuckInfrastructure | undefined): void {
  const ofKind = (kind: string): KubernetesObject[] => objects.filter((object) => object.kind === kind);
  const found = stuck?.find(ofKind('Machine'), ofKind(stuck.kind.kind));
  if (found === undefined) return;
  throw new SealiftError('ClusterNotReady', { side: 'cluster', operation: 'wait for machines', ...found });
}

function stateOf(name: string, objects: readonly KubernetesObject[]): ClusterState | undefined {
  const ofKind = (kind: string): KubernetesObject[] => objects.filter((object) => object.kind === kind);
  const cluster = ofKind('Cluster').find(({ metadata }) => metadata.name === name);
  const [controlPlane] = ofKind('KubeadmControlPlane');
  if (cluster === undefined) return undefined;
  return clusterState({
    cluster,
    ...(controlPlane === undefined ? {} : { controlPlane }),
    machineDeployments: ofKind('MachineDeployment'),
    machines: ofKind('Machine'),
  });
}

/** As upstream: time for the control plane, and for each machine more. Waits for ever when neither is limited. */
export function timeoutOf({ controlPlane, perMachine }: ClusterTimeouts, machines: number): { timeoutMs?: number } {
  if (controlPlane === undefined || perMachine === undefined) return {};
  return { timeoutMs: (controlPlane + perMachine * machines) * 1000 };
}
