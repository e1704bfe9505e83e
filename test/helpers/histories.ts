import { Client, Connection } from '@temporalio/client';
import type { ProvingGround } from './proving-ground.ts';

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
  const status = await ground.run(['server', 'status']);
  const { address } = JSON.parse(status.stdout) as { address: string };
  const connection = await Connection.connect({ address });
  const found: Recoveries = { runs: 0, declaredDead: 0, timedOut: [] };
  try {
    const { workflow } = new Client({ connection });
    for await (const { workflowId, runId } of workflow.list()) {
      if (!workflowId.startsWith(idPrefix) || !wanted(workflowId)) continue;
      found.runs += 1;
      for (const { activityTaskStartedEventAttributes: started, activityTaskTimedOutEventAttributes: timedOut } of (
        await workflow.getHandle(workflowId, runId).fetchHistory()
      ).events ?? []) {
        const failure = started?.lastFailure ?? timedOut?.failure;
        if (failure?.timeoutFailureInfo) found.timedOut.push(`${workflowId}: ${failure.message ?? 'timeout'}`);
        if (failure?.applicationFailureInfo?.type === 'WorkerDied') found.declaredDead += 1;
      }
    }
    return found;
  } finally {
    await connection.close();
  }
}
