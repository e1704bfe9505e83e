import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type { ProvingGround } from './proving-ground.ts';

export interface RecordedRun {
  workflowId: string;
  /** workflow type */
  type: string;
  history: Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
}

/** `HOST:PORT` of the Temporal server of a proving ground. */
export async function serverOf(ground: Pick<ProvingGround, 'run'>): Promise<string> {
  const status = await ground.run(['server', 'status']);
  return (JSON.parse(status.stdout) as { address: string }).address;
}

/**
 * All runs of all operations whose ids are asked for, the latest first.
 * @param address of the Temporal server, `HOST:PORT`
 */
export async function recordedRuns(
  address: string,
  isWanted: (workflowId: string) => boolean = () => true,
): Promise<RecordedRun[]> {
  const connection = await Connection.connect({ address });
  const found: (RecordedRun & { startTime: Date })[] = [];
  try {
    const { workflow } = new Client({ connection });
    for await (const { workflowId, runId, type, startTime } of workflow.list()) {
      if (!isWanted(workflowId)) continue;
      const history = await workflow.getHandle(workflowId, runId).fetchHistory();
      found.push({ workflowId, type, startTime, history });
    }
    return found.sort((one, other) => other.startTime.getTime() - one.startTime.getTime());
  } finally {
    await connection.close();
  }
}
