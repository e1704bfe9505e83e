import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clusterctl } from '../cluster-api/clusterctl.ts';
import { SealiftError } from '../errors.ts';
import { readFileIfPresent, writeFileAtomically } from '../host/atomic-file.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { whileConnected } from '../kubernetes/connected.ts';
import { isPaused, pausedByOthers } from './find-owner.ts';
import { clusterApiKinds, movedObjects, nameOf, unawareOfPause, type MovedObject } from './move-inventory.ts';
import { CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';

/** How long a controller that says whether its cluster is paused may take to see it. Some say it late, and none may hold up a move for ever. */
const SEEN_MS = 60_000;
const LOOK_MS = 200;
const clusters = { apiVersion: capiVersions.cluster, kind: 'Cluster', namespace: CLUSTER_NAMESPACE };

export interface MoveRequest {
  source: Cluster;
  target: Cluster;
  clusterctl: Pick<Clusterctl, 'move' | 'saveTo' | 'endLeftBehind'>;
  /** a folder of this move's own, kept after it: the objects as they were, with their secrets */
  folder: string;
  alive(detail: string): void;
}

/** saving: the objects are copied to a folder; moving: clusterctl may have begun. */
interface MoveRecord {
  stage: 'saving' | 'moving';
  /** what was there before */
  objects: MovedObject[];
}

/**
 * Makes another management cluster the owner of all clusters, by `clusterctl move`. May be repeated after it was broken off
 * anywhere. Never are two owners live at once: whichever side is not the owner has its clusters paused. A move that failed
 * before anything was deleted leaves the source as it was; one that failed later is brought to its end.
 *
 * clusterctl refuses clusters that are paused, and pauses them itself, so that it can't be run again by itself; and once the
 * source has lost its first object its controllers may not wake up again, or they would make the missing machines anew.
 *
 * @throws SealiftError ClusterNotReady when a cluster is paused by somebody else; ToolFailed of clusterctl; MoveIncomplete; those of a Cluster
 */
export async function moveClusters(request: MoveRequest): Promise<void> {
  const { source, target, clusterctl, folder, alive } = request;
  await clusterctl.endLeftBehind();
  const recordFile = join(folder, 'move.json');
  const text = await readFileIfPresent(recordFile);
  let record = text === undefined ? undefined : (JSON.parse(text) as MoveRecord);
  const write = (next: MoveRecord): Promise<void> => {
    record = next;
    return writeFileAtomically(recordFile, JSON.stringify(next));
  };
  const namespace = CLUSTER_NAMESPACE;

  if (record === undefined) {
    await refusePaused(source);
    const there = await movedObjects(source);
    // it was done before
    if (there.length === 0) return;
    await write({ stage: 'saving', objects: there });
  }
  if (record!.stage === 'saving') {
    // copying pauses and resumes; one that was broken off has left them paused
    await setPaused(source, false);
    const directory = join(folder, 'objects');
    await rm(directory, { recursive: true, force: true });
    alive('copying the objects to a folder');
    await clusterctl.saveTo({ from: source.kubeconfig, directory, namespace });
    await write({ stage: 'moving', objects: await movedObjects(source) });
  }
  const { objects } = record!;
  if (!(await pastReturn(objects, source, target))) {
    const move = { from: source.kubeconfig, to: target.kubeconfig, namespace };
    try {
      await whileConnected(source, clusters, async (signal) => {
        // whoever sees both follows the source
        for (const paused of [true, false]) await pauseAndBeSeen(paused, request);
        alive(`moving ${objects.length} objects`);
        // it tries on for minutes, and removes from the source as soon as that answers again
        await clusterctl.move({ ...move, signal });
      });
    } catch (error) {
      if (!(await pastReturn(objects, source, target))) {
        await setPaused(source, false);
        throw error;
      }
    }
  }
  await compare(objects, target);
  await removeFromSource(request);
  await setPaused(target, false);
  await rm(recordFile);
}

/** Whether a move was broken off, and is to be gone on with. @param folder the move's own */
export async function isMoveOpen(folder: string): Promise<boolean> {
  return (await readFileIfPresent(join(folder, 'move.json'))) !== undefined;
}

/**
 * Leaves nothing paused after a move that is given up: one that can still return is undone at its source, one that can't is
 * brought to its end. @throws SealiftError as moveClusters
 */
export async function settleMove(request: MoveRequest): Promise<void> {
  const recordFile = join(request.folder, 'move.json');
  const text = await readFileIfPresent(recordFile);
  if (text === undefined) return;
  await request.clusterctl.endLeftBehind();
  const { objects } = JSON.parse(text) as MoveRecord;
  if (await pastReturn(objects, request.source, request.target)) return moveClusters(request);
  await setPaused(request.source, false);
  await rm(recordFile);
}

/** Whether a move has begun to delete from the source: what the target has and the source lacks was moved. */
async function pastReturn(objects: readonly MovedObject[], source: Cluster, target: Cluster): Promise<boolean> {
  const here = await movedObjects(source);
  if (here.some(({ deleting }) => deleting)) return true;
  const left = new Set(here.map(nameOf));
  const gone = objects.filter((object) => !left.has(nameOf(object)));
  if (gone.length === 0) return false;
  const arrived = new Set((await movedObjects(target)).map(nameOf));
  return gone.some((object) => arrived.has(nameOf(object)));
}

/**
 * As clusterctl deletes, finalizers last: no controller may take it for the end of a machine, and some add their finalizer again,
 * paused or not, to what is not being deleted.
 */
async function removeFromSource(request: MoveRequest): Promise<void> {
  const { source } = request;
  await pauseAndBeSeen(true, request);
  const annotations = { 'clusterctl.cluster.x-k8s.io/delete-for-move': '' };
  for (const object of await movedObjects(source)) {
    await source.patch(object, { metadata: { annotations } });
    await source.delete(object);
    if ((await source.get(object)) !== undefined) await source.patch(object, { metadata: { finalizers: null } });
  }
}

/**
 * Pauses the source, or resumes it, and waits until its controllers have seen it. Where the API server was away they follow it again
 * only after a while; by what they knew before they would take what is removed now for the end of a machine.
 */
async function pauseAndBeSeen(paused: boolean, { source, alive }: MoveRequest): Promise<void> {
  await setPaused(source, paused);
  const kinds = await clusterApiKinds(source);
  const until = Date.now() + SEEN_MS;
  for (;;) {
    const [unaware] = await unawareOfPause(paused, source, kinds);
    if (unaware === undefined || Date.now() > until) return;
    const what = paused ? 'clusters are paused' : 'clusters are not paused';
    alive(`waiting until the controllers see that ${what} (${nameOf(unaware)})`);
    await sleep(LOOK_MS);
  }
}

async function compare(objects: readonly MovedObject[], target: Cluster): Promise<void> {
  const arrived = new Map((await movedObjects(target)).map((object) => [nameOf(object), object.uid]));
  const missing = objects.filter((object) => !arrived.has(nameOf(object)));
  const same = objects.filter((object) => arrived.get(nameOf(object)) === object.uid);
  if (missing.length === 0 && same.length === 0) return;
  const [first] = [...missing, ...same];
  throw new SealiftError('MoveIncomplete', {
    side: 'cluster',
    operation: 'compare after move',
    subject: nameOf(first!),
    message:
      missing.length > 0
        ? `${missing.length} of ${objects.length} objects did not arrive at ${target.server}`
        : `source and target of the move are the same API server (${target.server})`,
    remedy: 'the clusters are still paused there; the objects as they were are in the folder of the operation',
  });
}

async function refusePaused(source: Cluster): Promise<void> {
  const paused = (await clustersOf(source)).find(isPaused);
  if (paused === undefined) return;
  throw new SealiftError('ClusterNotReady', {
    side: 'cluster',
    operation: 'move clusters',
    ...pausedByOthers(paused.metadata.name, source),
  });
}

async function setPaused(cluster: Cluster, paused: boolean): Promise<void> {
  for (const object of await clustersOf(cluster)) {
    if (isPaused(object) === paused) continue;
    const { apiVersion, kind, metadata } = object;
    await cluster.patch({ apiVersion, kind, metadata }, { spec: { paused: paused ? true : null } });
  }
}

function clustersOf(cluster: Cluster) {
  return cluster.list(clusters, { namespace: CLUSTER_NAMESPACE });
}
