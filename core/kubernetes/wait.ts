import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { SealiftError } from '../errors.ts';
import { backoffMs } from '../http/retry.ts';
import type { Cluster, CollectionKey } from './cluster.ts';
import { WatchGone } from './watch.ts';

export interface WaitRequest {
  /** what is waited for, for errors, e.g. `Cluster default/prod` */
  subject: string;
  /** what is looked at; an object that is in two of them comes twice */
  watched: readonly CollectionKey[];
  /** Looks at all objects after each change. What it throws ends the wait. */
  decide(objects: readonly KubernetesObject[]): Decision;
  /** milliseconds; for ever when absent */
  timeoutMs?: number;
  /** Is told every few seconds what is waited for, and when that changes. What it throws ends the wait. */
  alive?(detail: string): void;
  /** milliseconds between two calls of `alive`; 3000 when absent */
  aliveEveryMs?: number;
  signal?: AbortSignal;
}

export interface Decision {
  done: boolean;
  /** what is missing, one line for a person */
  detail: string;
}

/** How often an API server that was reached before may refuse: while it starts, it does not know yet who may do what. */
const MAX_REFUSALS = 5;
const MAX_PAUSE_TRIES = 5;

/**
 * Waits until objects of a cluster are as they should be, by watching them. An API server that is away, or started again, is
 * waited for as long as time is left.
 * @returns the objects that were decided on
 * @throws SealiftError ClusterNotReady with the last detail when the time is up; ClusterForbidden, KindUnknown,
 * CertificateUntrusted; the signal's reason; what `decide` and `alive` throw
 */
export async function waitFor(
  cluster: Pick<Cluster, 'read' | 'watch' | 'server'>,
  request: WaitRequest,
): Promise<KubernetesObject[]> {
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, ...(request.signal === undefined ? [] : [request.signal])]);
  // one listener a collection, and a cluster has more of them than Node takes for a leak
  setMaxListeners(0, signal);
  const news = createNews();
  const views = request.watched.map((collection): View => ({ collection, objects: undefined, trouble: undefined }));
  const following = Promise.all(views.map((view) => follow(cluster, view, news.tell, signal)));
  const failed = new Promise<never>((_resolve, reject) => void following.catch(reject));
  try {
    return await Promise.race([failed, decideOn(cluster.server, views, request, news)]);
  } finally {
    ending.abort();
    await following.catch(() => undefined);
  }
}

/** What is known of one collection. */
interface View {
  collection: CollectionKey;
  /** by namespace and name; undefined before the first list */
  objects: Map<string, KubernetesObject> | undefined;
  /** why it may be out of date */
  trouble: string | undefined;
}

async function decideOn(
  server: string,
  views: readonly View[],
  request: WaitRequest,
  news: News,
): Promise<KubernetesObject[]> {
  const { subject, timeoutMs, alive = () => undefined, aliveEveryMs = 3000, signal } = request;
  const started = performance.now();
  let toldAt = -Infinity;
  let told = '';
  for (;;) {
    signal?.throwIfAborted();
    const { done, detail, objects } = look(server, views, request);
    if (done) return objects;
    const now = performance.now();
    const left = timeoutMs === undefined ? Infinity : started + timeoutMs - now;
    if (left <= 0) throw notReady(server, subject, Math.round((now - started) / 1000), detail);
    if (detail !== told || now - toldAt >= aliveEveryMs) {
      alive(detail);
      [told, toldAt] = [detail, now];
    }
    await news.next(Math.min(left, aliveEveryMs), signal);
  }
}

function look(
  server: string,
  views: readonly View[],
  request: WaitRequest,
): Decision & { objects: KubernetesObject[] } {
  const trouble = views.find((view) => view.trouble !== undefined)?.trouble;
  if (views.some(({ objects }) => objects === undefined)) {
    return { done: false, detail: trouble ?? `asking ${server}`, objects: [] };
  }
  const objects = views.flatMap((view) => [...(view.objects?.values() ?? [])]);
  const { done, detail } = request.decide(objects);
  return { done, detail: trouble === undefined ? detail : `${detail} (${trouble})`, objects };
}

function notReady(server: string, subject: string, seconds: number, detail: string): SealiftError {
  return new SealiftError('ClusterNotReady', {
    side: 'cluster',
    operation: 'wait for',
    subject: `${subject} at ${server}`,
    message: `not ready after ${seconds} s: ${detail}`,
    remedy: 'put right what it waits for, then retry: it waits again',
  });
}

/** Keeps a view up to date until the signal. */
async function follow(
  cluster: Pick<Cluster, 'read' | 'watch'>,
  view: View,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await followOnce(cluster, view, signal, () => {
        failures = 0;
        view.trouble = undefined;
        changed();
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof WatchGone) continue;
      failures += 1;
      if (!isPassing(error, view, failures)) throw error;
      view.trouble = error.problem.message;
      changed();
      await pause(backoffMs(Math.min(failures, MAX_PAUSE_TRIES)), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Lists, and then watches as long as one watch follows the other without a gap. */
async function followOnce(
  cluster: Pick<Cluster, 'read' | 'watch'>,
  view: View,
  signal: AbortSignal,
  changed: () => void,
): Promise<void> {
  const { objects, resourceVersion } = await cluster.read(view.collection, signal);
  view.objects = new Map(objects.map((object) => [keyOf(object), object]));
  changed();
  for (let since = resourceVersion; !signal.aborted;) {
    for await (const { type, object, resourceVersion: at } of cluster.watch(view.collection, since, signal)) {
      if (at !== '') since = at;
      if (type === 'bookmark') continue;
      if (type === 'deleted') view.objects.delete(keyOf(object));
      else view.objects.set(keyOf(object), object);
      changed();
    }
  }
}

function isPassing(error: unknown, view: View, failures: number): error is SealiftError {
  if (!(error instanceof SealiftError)) return false;
  if (error.type === 'ClusterForbidden') return view.objects !== undefined && failures <= MAX_REFUSALS;
  return error.disposition === 'transient';
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Wakes who waits for something new; what comes while nobody waits is not lost. */
interface News {
  tell(): void;
  next(timeoutMs: number, signal?: AbortSignal): Promise<void>;
}

function createNews(): News {
  let unread = false;
  let wake: (() => void) | undefined;
  return {
    tell() {
      unread = true;
      wake?.();
    },
    async next(timeoutMs, signal) {
      if (!unread) {
        const woken = new AbortController();
        wake = () => woken.abort();
        const ends = AbortSignal.any([woken.signal, ...(signal === undefined ? [] : [signal])]);
        await pause(timeoutMs, undefined, { signal: ends }).catch(() => undefined);
      }
      unread = false;
      wake = undefined;
    },
  };
}
