import { count } from '../../contracts/format.ts';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ClusterTimeouts } from '../../contracts/clusters.ts';
import { describeObject } from '../kubernetes/cluster-access.ts';
import type { Cluster, CollectionKey } from '../kubernetes/cluster.ts';
import { waitFor } from '../kubernetes/wait.ts';
import { timeoutOf } from './await.ts';
import { clusterApiKinds } from './move-inventory.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';

export interface DeletionRequest {
  name: string;
  timeouts: ClusterTimeouts;
  /** told of every change, and every few seconds: machines that are left of those there were, and what keeps them */
  report(left: { machines: number; of: number; detail: string }): void;
  signal: AbortSignal;
}

/** More names than this tell nobody more. */
const SHOWN = 4;
const CLUSTER_GROUP = 'cluster.x-k8s.io/';

/**
 * Deletes a cluster by its Cluster API, machines first, and waits until nothing of it is left there: no object of Cluster
 * API's and its providers' kinds, no secret. May be repeated at any point.
 * @throws SealiftError ClusterNotReady with what is left and what keeps it; those of a Cluster
 */
export async function deleteCluster(request: DeletionRequest, on: Cluster): Promise<void> {
  const { name } = request;
  const watched = await collections(on);
  const found = ownObjects(
    name,
    (await Promise.all(watched.map((one) => on.read(one)))).flatMap((one) => one.objects),
  );
  const of = found.filter(isMachine).length;
  const wait = (isLeft: (object: KubernetesObject) => boolean): Promise<unknown> =>
    untilGone({ ...request, of, watched, isLeft }, on);
  const metadata = { name, namespace: CLUSTER_NAMESPACE };
  await on.delete({ apiVersion: capiVersions.cluster, kind: 'Cluster', metadata });
  // it goes after all that its controllers have made for it
  await wait(isCluster);
  // nobody owns what was written before a controller had seen it, or lost its Cluster by force
  for (const object of await clusterObjects(name, on)) {
    if (object.metadata.deletionTimestamp === undefined) await on.delete(object);
  }
  await wait(() => true);
}

/** All objects on a management cluster that belong to a cluster; none where Cluster API is not. @throws SealiftError those of Cluster.list */
export async function clusterObjects(name: string, on: Cluster): Promise<KubernetesObject[]> {
  const found = await Promise.all((await collections(on)).map((one) => on.read(one)));
  return ownObjects(
    name,
    found.flatMap(({ objects }) => objects),
  );
}

interface LeavingRequest extends DeletionRequest {
  watched: readonly CollectionKey[];
  isLeft(object: KubernetesObject): boolean;
  /** how many machines there were */
  of: number;
}

function untilGone(request: LeavingRequest, on: Cluster): Promise<unknown> {
  const { name, watched, isLeft, of, timeouts, report, signal } = request;
  let latest = { machines: of, of, detail: '' };
  return waitFor(on, {
    subject: `end of Cluster ${CLUSTER_NAMESPACE}/${name}`,
    watched,
    decide(objects) {
      const own = ownObjects(name, objects);
      const machines = own.filter(isMachine).length;
      latest = { machines, of: Math.max(of, machines), detail: leavingDetail(own) };
      return { done: !own.some(isLeft), detail: latest.detail };
    },
    ...timeoutOf(timeouts, of),
    alive: () => report(latest),
    signal,
  });
}

async function collections(on: Cluster): Promise<CollectionKey[]> {
  const kinds = [...(await clusterApiKinds(on)), { apiVersion: 'v1', kind: 'Secret' }];
  return kinds.map((kind) => ({ ...kind, namespace: CLUSTER_NAMESPACE }));
}

function ownObjects(name: string, objects: readonly KubernetesObject[]): KubernetesObject[] {
  return objects.filter((object) => {
    const { labels = {}, ownerReferences = [] } = object.metadata;
    return (
      (isCluster(object) && object.metadata.name === name) ||
      labels[CLUSTER_NAME_LABEL] === name ||
      (object['spec'] as { clusterName?: string } | undefined)?.clusterName === name ||
      ownerReferences.some((owner) => isCluster(owner) && owner.name === name)
    );
  });
}

function isCluster({ apiVersion, kind }: { apiVersion: string; kind: string }): boolean {
  return kind === 'Cluster' && apiVersion.startsWith(CLUSTER_GROUP);
}

function isMachine({ apiVersion, kind }: KubernetesObject): boolean {
  return kind === 'Machine' && apiVersion.startsWith(CLUSTER_GROUP);
}

/** `2 machines left: a, b; Machine eksa-system/a: Draining: ...`, for a person. */
function leavingDetail(objects: readonly KubernetesObject[]): string {
  const machines = objects.filter(isMachine);
  const names = machines.map(({ metadata }) => metadata.name);
  const left =
    machines.length > 0
      ? `${count(machines.length, 'machine')} left: ${some(names)}`
      : `${count(objects.length, 'object')} left: ${some(objects.map(describeObject))}`;
  // the Cluster waits for all others, so that it says least
  const leaving = objects.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const ordered = [...leaving].sort((a, b) => rank(a) - rank(b));
  const [reason] = [...ordered.flatMap(pauseOf), ...ordered.flatMap(conditionOf), ...ordered.flatMap(finalizersOf)];
  return reason === undefined ? left : `${left}; ${reason}`;
}

function rank(object: KubernetesObject): number {
  if (isMachine(object)) return 0;
  return isCluster(object) ? 2 : 1;
}

function pauseOf(object: KubernetesObject): string[] {
  const paused = conditions(object).some(({ type, status }) => type === 'Paused' && status === 'True');
  return paused ? [`${describeObject(object)} is paused`] : [];
}

/** What Cluster API says of a deletion that goes on (condition `Deleting` of API v1beta2). */
function conditionOf(object: KubernetesObject): string[] {
  const deleting = conditions(object).find(({ type, status }) => type === 'Deleting' && status === 'True');
  if (deleting?.message === undefined || deleting.message === '') return [];
  const { reason = '', message } = deleting;
  return [`${describeObject(object)}: ${reason}: ${message.replace(/\s*\n\s*/g, ' ').trim()}`];
}

function finalizersOf(object: KubernetesObject): string[] {
  const { finalizers = [] } = object.metadata;
  return finalizers.length === 0 ? [] : [`${describeObject(object)} waits for ${finalizers.join(', ')}`];
}

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

function conditions(object: KubernetesObject): Condition[] {
  return (object['status'] as { conditions?: Condition[] | null } | undefined)?.conditions ?? [];
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(', ');
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown;
}
