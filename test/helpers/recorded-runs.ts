import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type { ProvingGround } from './proving-ground.ts';

export interface RecordedRun {
  workflowId: string;
  /** workflow type */
  type: string;
  history: Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
}

/** All runs of all operations of a proving ground whose ids are asked for. */
export async function recordedRuns(
  ground: Pick<ProvingGround, 'run'>,
  isWanted: (workflowId: string) => boolean = () => true,
): Promise<RecordedRun[]> {
  const status = await ground.run(['server', 'status']);
  const { address } = JSON.parse(status.stdout) as { address: string };
  const connection = await Connection.connect({ address });
  const found: RecordedRun[] = [];
  try {
    const { workflow } = new Client({ connection });
    for await (const { workflowId, runId, type } of workflow.list()) {
      if (!isWanted(workflowId)) continue;
      found.push({ workflowId, type, history: await workflow.getHandle(workflowId, runId).fetchHistory() });
    }
    return found;
  } finally {
    await connection.close();
  }
}
