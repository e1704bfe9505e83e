import { proxyActivities } from '@temporalio/workflow';
import type { HostActivities } from '../activities/host/index.ts';
import type { ImportActivities } from '../activities/import/index.ts';
import { count, formatBytes } from '../contracts/format.ts';
import type { ImportArtifactsInput, ImportArtifactsResult } from '../contracts/operations.ts';
import { long, quick } from './lib/activity-options.ts';
import { batchSummary, fileName } from './lib/details.ts';
import { Operation } from './lib/operation.ts';

/** Batches of blobs under way at once. */
const BATCH_WINDOW = 2;
/** Images are published batch by batch: indexes under fallback tags are read, changed and written back. */
const PUBLISH_WINDOW = 1;

const { identifyHost } = proxyActivities<HostActivities>(quick);

/** A bundle into a registry: compared with what is there, verified, pushed blob by blob, published image by image. */
export async function importArtifacts(input: ImportArtifactsInput): Promise<ImportArtifactsResult> {
  const registry = input.namespace === '' ? input.host : `${input.host}/${input.namespace}`;
  const operation = new Operation(`Import into ${registry}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  const activities = proxyActivities<ImportActivities>({ ...long, taskQueue });
  return operation.run(
    () => importWith(input, operation, activities),
    () => activities.discardImport.executeWithOptions({ summary: 'give up open uploads' }, [{ input }]),
  );
}

async function importWith(
  input: ImportArtifactsInput,
  operation: Operation,
  activities: ReturnType<typeof proxyActivities<ImportActivities>>,
): Promise<ImportArtifactsResult> {
  const { openBundle, checkDestination, verifyBlobs, pushBlobs, publishImages, finishImport } = activities;
  const skip = (): string[] => [...operation.skipped].sort();
  operation.phase('opening');
  const opened = await operation.step(() =>
    openBundle.executeWithOptions({ summary: `read ${fileName(input.input)}` }, [{ input }]),
  );
  operation.failIfAnyFailed();
  operation.phase('checking', { items: opened!.items });
  const plan = await operation.step(
    () =>
      checkDestination.executeWithOptions(
        { summary: `find what ${input.host} lacks of ${count(opened!.items, 'item')}` },
        [{ input, skip: skip() }],
      ),
    { skippable: true },
  );
  operation.failIfAnyFailed();
  const { uploads, publishes, bytes, blobs } = plan!;
  if (uploads.length > 0) {
    operation.phase('verifying', { items: blobs, bytes });
    const summary = `hash ${count(blobs, 'blob')}, ${formatBytes(bytes)}`;
    await operation.step(() => verifyBlobs.executeWithOptions({ summary }, [{ input, skip: skip() }]), {
      skippable: true,
    });
    operation.failIfAnyFailed();
    operation.phase('transferring', { items: blobs, bytes });
    await operation.batches(uploads, BATCH_WINDOW, (batch) =>
      pushBlobs.executeWithOptions({ summary: batchSummary(batch, uploads.length) }, [
        { input, batch: batch.index, skip: skip() },
      ]),
    );
  }
  if (publishes.length > 0) {
    operation.phase('publishing', { items: publishes.reduce((sum, batch) => sum + batch.items, 0) });
    await operation.batches(publishes, PUBLISH_WINDOW, (batch) =>
      publishImages.executeWithOptions({ summary: `${count(batch.items, 'image')}: manifests, then tags` }, [
        { input, batch: batch.index, skip: skip() },
      ]),
    );
  }
  operation.failIfAnyFailed();
  const result = await operation.step(() => finishImport.executeWithOptions({ summary: 'sum up' }, [{ input }]));
  operation.failIfAnyFailed();
  operation.phase('done');
  return result!;
}
