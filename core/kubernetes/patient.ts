import { isErrorType, SealiftError } from '../errors.ts';
import type { Cluster } from './cluster.ts';

/** As long as Temporal tries a step again that fails at once. */
const PATIENCE_MS = 60_000;

export interface Patience {
  /** who is asked, for errors, e.g. `the management cluster prod` */
  who: string;
  remedy: string;
  /** milliseconds; one minute when absent */
  patienceMs?: number;
}

/**
 * A cluster whose errors say who does not answer. What waits for something there, and would wait on while its API server is away, is
 * told so after a while by an error that a person has to mend.
 * @throws SealiftError (all methods) ClusterNotReady once no request was answered for as long as the patience lasts
 */
export function withPatience(cluster: Cluster, { who, remedy, patienceMs = PATIENCE_MS }: Patience): Cluster {
  let awaySince: number | undefined;

  function answered<T>(answer: T): T {
    awaySince = undefined;
    return answer;
  }

  function failed(error: unknown): never {
    if (!isErrorType(error, 'ClusterUnreachable')) throw error;
    const { side, operation, subject, message } = error.problem;
    // an API server that answers is there, whatever it lacks
    const isAway = !message.startsWith('the API server answered');
    const now = performance.now();
    awaySince = isAway ? (awaySince ?? now) : undefined;
    const seconds = Math.round((now - (awaySince ?? now)) / 1000);
    const isOver = awaySince !== undefined && now - awaySince >= patienceMs;
    const said = isOver ? `${who} has not answered for ${seconds} s` : `${who} cannot be reached`;
    throw new SealiftError(isOver ? 'ClusterNotReady' : error.type, {
      ...{ side, operation, subject, cause: error },
      message: isAway ? `${said}: ${message}` : `${who}: ${message}`,
      remedy: isAway ? remedy : error.problem.remedy,
    });
  }

  const asked = <T>(answer: Promise<T>): Promise<T> => answer.then(answered, failed);
  return {
    ...cluster,
    get: (object) => asked(cluster.get(object)),
    list: (kind, options) => asked(cluster.list(kind, options)),
    apply: (object) => asked(cluster.apply(object)),
    patch: (object, change, subresource) => asked(cluster.patch(object, change, subresource)),
    delete: (object) => asked(cluster.delete(object)),
    applyAll: (objects, options) => asked(cluster.applyAll(objects, options)),
    read: (collection, signal) => asked(cluster.read(collection, signal)),
    async *watch(collection, since, signal) {
      try {
        for await (const event of cluster.watch(collection, since, signal)) yield answered(event);
      } catch (error) {
        failed(error);
      }
    },
  };
}
