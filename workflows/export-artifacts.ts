import { CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { ExportActivities } from '../activities/export/index.ts';
import type { HostActivities } from '../activities/host/index.ts';
import type { ExportArtifactsInput, ExportArtifactsResult } from '../contracts/operations.ts';
import { long, quick } from './lib/activity-options.ts';
import { Operation } from './lib/operation.ts';

/** How many batches are under way at once: the next is ready when the last blobs of one trickle in. */
const BATCH_WINDOW = 2;

const { identifyHost } = proxyActivities<HostActivities>(quick);

/** Everything that the selected sources need, into one tar: resolved, planned, fetched in batches, sealed. */
export async function exportArtifacts(input: ExportArtifactsInput): Promise<ExportArtifactsResult> {
  const operation = new Operation(`Export to ${input.output}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  const activities = proxyActivities<ExportActivities>({ ...long, taskQueue });
  const { listContents, planBundle, fetchBlobs, sealBundle, discardExport } = activities;
  const skip = (): string[] => [...operation.skipped].sort();
  try {
    operation.phase('resolving');
    const contents = await operation.step(() =>
      listContents.executeWithOptions({ summary: input.selections.map(({ source }) => source).join(', ') }, [
        { input },
      ]),
    );
    operation.failIfAnyFailed();
    for (;;) {
      operation.phase('planning', { items: contents!.items });
      const plan = await operation.step(() =>
        planBundle.executeWithOptions({ summary: `${contents!.items} items` }, [{ input, skip: skip() }]),
      );
      operation.failIfAnyFailed();
      operation.phase('transferring', { items: plan!.blobs, bytes: plan!.bytes });
      await operation.batches(plan!.batches, BATCH_WINDOW, (batch) =>
        fetchBlobs.executeWithOptions(
          { summary: `batch ${batch.index + 1} of ${plan!.batches.length}: ${batch.items} blobs` },
          [{ input, planDigest: plan!.planDigest, batch: batch.index, skip: skip() }],
        ),
      );
      operation.failIfAnyFailed();
      // Something was skipped after the plan was made: plan again without it. What is there already is not fetched again.
      if (operation.skipped.size > plan!.skipped) continue;
      operation.phase('sealing');
      const result = await operation.step(() => sealBundle({ input, planDigest: plan!.planDigest }));
      operation.failIfAnyFailed();
      operation.phase('done');
      return result!;
    }
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(async () => {
        operation.phase('cleaning');
        await discardExport({ input });
      });
    }
    throw error;
  }
}
