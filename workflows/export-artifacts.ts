import { proxyActivities } from '@temporalio/workflow';
import type { ExportActivities } from '../activities/export/index.ts';
import type { HostActivities } from '../activities/host/index.ts';
import { count } from '../contracts/format.ts';
import type { ExportArtifactsInput, ExportArtifactsResult } from '../contracts/operations.ts';
import { long, quick } from './lib/activity-options.ts';
import { batchSummary, fileName } from './lib/details.ts';
import { Operation } from './lib/operation.ts';

/** How many batches are under way at once: the next is ready when the last blobs of one trickle in. */
const BATCH_WINDOW = 2;

const { identifyHost } = proxyActivities<HostActivities>(quick);

/** Everything that the selected sources need, into one tar: resolved, planned, fetched in batches, sealed. */
export async function exportArtifacts(input: ExportArtifactsInput): Promise<ExportArtifactsResult> {
  const operation = new Operation(`Export to ${input.output}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  const activities = proxyActivities<ExportActivities>({ ...long, taskQueue });
  return operation.run(
    () => exportWith(input, operation, activities),
    () => activities.discardExport.executeWithOptions({ summary: 'remove the partial bundle' }, [{ input }]),
  );
}

async function exportWith(
  input: ExportArtifactsInput,
  operation: Operation,
  activities: ReturnType<typeof proxyActivities<ExportActivities>>,
): Promise<ExportArtifactsResult> {
  const { listContents, planBundle, fetchBlobs, sealBundle } = activities;
  const skip = (): string[] => [...operation.skipped].sort();
  const sources = input.selections.map(({ source }) => source).join(', ');
  operation.phase('resolving');
  const contents = await operation.step(() =>
    listContents.executeWithOptions({ summary: `list what ${sources} consists of` }, [{ input }]),
  );
  operation.failIfAnyFailed();
  for (;;) {
    operation.phase('planning', { items: contents!.items });
    const plan = await operation.step(
      () =>
        planBundle.executeWithOptions({ summary: `find digests and sizes of ${count(contents!.items, 'item')}` }, [
          { input, skip: skip() },
        ]),
      { skippable: true },
    );
    operation.failIfAnyFailed();
    const { batches, planDigest, blobs, bytes } = plan!;
    operation.phase('transferring', { items: blobs, bytes });
    await operation.batches(batches, BATCH_WINDOW, (batch) =>
      fetchBlobs.executeWithOptions({ summary: batchSummary(batch, batches.length) }, [
        { input, planDigest, batch: batch.index, skip: skip() },
      ]),
    );
    operation.failIfAnyFailed();
    // Something was skipped after the plan was made: plan again without it. What is there already is not fetched again.
    if (operation.skipped.size > plan!.skipped) continue;
    operation.phase('sealing');
    const result = await operation.step(() =>
      sealBundle.executeWithOptions({ summary: `seal ${fileName(input.output)}` }, [{ input, planDigest }]),
    );
    operation.failIfAnyFailed();
    operation.phase('done');
    return result!;
  }
}
