import { z } from 'zod';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { SealiftError } from '../errors.ts';
import { clusterError, readStatus, statusError, type Doing } from './api-error.ts';
import type { ApiServer } from './api-server.ts';
import type { WatchEvent } from './cluster.ts';

interface WatchRequest {
  path: string;
  query: Record<string, string>;
  /** resourceVersion of a list or an earlier event */
  since: string;
  signal: AbortSignal;
  doing: Doing;
}

/** The API server ends a watch after this, so that a connection that died unnoticed costs no more. */
const WATCH_SECONDS = 60;

const eventSchema = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string().optional() }).optional() }),
});

/** That the API server no longer knows the resourceVersion to go on from: the collection has to be listed again. */
export class WatchGone extends Error {}

/**
 * Changes of a collection (kubernetes.io, "API Concepts", "Efficient detection of changes"); ends when the API server ends
 * it, which it does each minute.
 * @throws WatchGone on 410; SealiftError ClusterUnreachable, ClusterForbidden; the signal's reason
 */
export async function* watchCollection(server: ApiServer, request: WatchRequest): AsyncGenerator<WatchEvent> {
  const { path, signal, doing } = request;
  const query = {
    ...request.query,
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: request.since,
    timeoutSeconds: String(WATCH_SECONDS),
  };
  try {
    const timeoutMs = (WATCH_SECONDS + 15) * 1000;
    for await (const line of server.lines({ ...doing, method: 'GET', path, query, signal, timeoutMs })) {
      yield eventOf(line, server.url, doing);
    }
  } catch (error) {
    const isGone = error instanceof SealiftError && / answered 410\b/.test(error.problem.message);
    throw isGone ? new WatchGone() : error;
  }
}

function eventOf(line: unknown, server: string, doing: Doing): WatchEvent {
  const { success, data } = eventSchema.safeParse(line);
  if (!success) throw clusterError('ClusterUnreachable', server, doing, 'the answer is no event of a watch', '');
  if (data.type === 'ERROR') {
    const status = readStatus(data.object);
    throw statusError(status?.code ?? 500, status, server, doing);
  }
  const type = data.type.toLowerCase() as WatchEvent['type'];
  const object = data.object as unknown as KubernetesObject;
  return { type, object, resourceVersion: object.metadata.resourceVersion ?? '' };
}
