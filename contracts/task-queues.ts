/** The queue every worker polls: work that any machine may do, and the question "which machine are you?". */
export const sharedTaskQueue = 'sealift';

/** The queue of one machine, stable across restarts: work on that machine's files. */
export function hostTaskQueue(hostId: string): string {
  return `sealift-host-${hostId}`;
}
