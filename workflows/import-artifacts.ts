import { CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { HostActivities } from '../activities/host/index.ts';
import type { ImportActivities } from '../activities/import/index.ts';
import type { ImportArtifactsInput, ImportArtifactsResult } from '../contracts/operations.ts';
import { long, quick } from './lib/activity-options.ts';
import { Operation } from './lib/operation.ts';

const BATCH_WINDOW = 2;

const { identifyHost } = proxyActivities<HostActivities>(quick);

/** A bundle into a registry: compared with what is there, verified, pushed blob by blob, published image by image. */
export async function importArtifacts(input: ImportArtifactsInput): Promise<ImportArtifactsResult> {
  const registry = input.namespace === '' ? input.host : `${input.host}/${input.namespace}`;
  const operation = new Operation(`Import into ${registry}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  const activities = proxyActivities<ImportActivities>({ ...long, taskQueue });
  const { openBundle, checkDestination, verifyBlobs, pushBlobs, publishImages, finishImport, discardImport } =
    activities;
  const skip = (): string[] => [...operation.skipped].sort();
  try {
    operation.phase('opening');
    const opened = await operation.step(() => openBundle({ input }));
    operation.failIfAnyFailed();
    operation.phase('checking', { items: opened!.items });
    const plan = await operation.step(() =>
      checkDestination.executeWithOptions({ summary: `${opened!.items} items` }, [{ input, skip: skip() }]),
    );
    operation.failIfAnyFailed();
    const { uploads, publishes, bytes, blobs } = plan!;
    if (uploads.length > 0) {
      operation.phase('verifying', { items: blobs, bytes });
      await operation.step(() => verifyBlobs.executeWithOptions({ summary: `${blobs} blobs` }, [{ input }]));
      operation.failIfAnyFailed();
      operation.phase('transferring', { items: blobs, bytes });
      await operation.batches(uploads, BATCH_WINDOW, (batch) =>
        pushBlobs.executeWithOptions(
          { summary: `batch ${batch.index + 1} of ${uploads.length}: ${batch.items} blobs` },
          [{ input, batch: batch.index, skip: skip() }],
        ),
      );
    }
    if (publishes.length > 0) {
      operation.phase('publishing', { items: publishes.reduce((sum, batch) => sum + batch.items, 0) });
      for (const batch of publishes) {
        await operation.step(() =>
          publishImages.executeWithOptions({ summary: `${batch.items} images` }, [
            { input, batch: batch.index, skip: skip() },
          ]),
        );
      }
    }
    operation.failIfAnyFailed();
    const result = await operation.step(() => finishImport({ input }));
    operation.failIfAnyFailed();
    operation.phase('done');
    return result!;
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(async () => {
        operation.phase('cleaning');
        await discardImport({ input });
      });
    }
    throw error;
  }
}
