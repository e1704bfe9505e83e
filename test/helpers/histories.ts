import type { ProvingGround } from './proving-ground.ts';
import { recordedRuns, serverOf } from './recorded-runs.ts';

/** What a history says about attempts that did not end by themselves. */
export interface Recoveries {
  runs: number;
  /** attempts that were ended because their worker was found dead */
  declaredDead: number;
  /** attempts, by name, that nobody ended before their timeout struck */
  timedOut: string[];
}

/** Reads all runs of the operations whose ids begin so, and are wanted. */
export async function recoveriesOf(
  ground: Pick<ProvingGround, 'run'>,
  idPrefix: string,
  wanted: (id: string) => boolean = () => true,
): Promise<Recoveries> {
  const runs = await recordedRuns(await serverOf(ground), (id) => id.startsWith(idPrefix) && wanted(id));
  const found: Recoveries = { runs: runs.length, declaredDead: 0, timedOut: [] };
  for (const { workflowId, history } of runs) {
    for (const {
      activityTaskStartedEventAttributes: started,
      activityTaskTimedOutEventAttributes: timedOut,
    } of history.events ?? []) {
      const failure = started?.lastFailure ?? timedOut?.failure;
      if (failure?.timeoutFailureInfo) found.timedOut.push(`${workflowId}: ${failure.message ?? 'timeout'}`);
      if (failure?.applicationFailureInfo?.type === 'WorkerDied') found.declaredDead += 1;
    }
  }
  return found;
}
