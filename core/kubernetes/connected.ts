import type { Cluster, CollectionKey } from './cluster.ts';
import { WatchGone } from './watch.ts';

/**
 * Does something as long as the connection to an API server holds. Whoever follows objects there loses it in the same moment, and
 * comes back only after a while; until then it acts by what it knew before.
 * @param followed a small collection, watched meanwhile; a loss in the moment in which that begins is not noticed
 * @param work ends when its signal says that the connection was lost
 * @throws what work throws: the signal's reason is ClusterUnreachable, or what else the watch was ended by
 */
export async function whileConnected<T>(
  cluster: Cluster,
  followed: CollectionKey,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const [lost, done] = [new AbortController(), new AbortController()];
  const following = follow(cluster, followed, done.signal).catch((error: unknown) => lost.abort(error));
  try {
    return await work(lost.signal);
  } finally {
    done.abort();
    await following;
  }
}

/** @throws SealiftError as soon as the connection is lost */
async function follow(cluster: Cluster, followed: CollectionKey, signal: AbortSignal): Promise<void> {
  let since: string | undefined;
  while (!signal.aborted) {
    since ??= (await cluster.read(followed, signal)).resourceVersion;
    try {
      for await (const { resourceVersion } of cluster.watch(followed, since, signal)) since = resourceVersion || since;
    } catch (error) {
      if (!(error instanceof WatchGone)) throw error;
      since = undefined;
    }
  }
}
