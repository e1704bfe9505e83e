import { ActivityNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { LocalWorkers } from '../../contracts/host.ts';
import type { OperationView } from './operation-view.ts';

const RETRY_MS = 100;

/**
 * Ends the attempts whose worker ran on this machine and was killed, so that nobody waits for a heartbeat timeout: they
 * count as failed and are tried again at once, with the heartbeat details they left.
 */
export async function endDeadAttempts(client: Client, workers: LocalWorkers, view: OperationView): Promise<void> {
  await Promise.all(
    view.activities.map(async ({ id, started, worker }) => {
      if (!started || worker === '' || !(await workers.isDead(worker))) return;
      const failure = ApplicationFailure.create({
        type: 'WorkerDied',
        message: `the worker ${worker} was killed`,
        nonRetryable: false,
        // nothing is wrong with the step: it need not be spared
        nextRetryDelay: RETRY_MS,
      });
      try {
        await client.activity.fail({ workflowId: view.id, runId: view.runId, activityId: id }, failure);
      } catch (error) {
        // it has ended in the meantime: nothing is left to do
        if (!(error instanceof ActivityNotFoundError)) throw error;
      }
    }),
  );
}
