import { proxyActivities } from '@temporalio/workflow';
import type { HostActivities } from '../activities/host/index.ts';
import type { ImportActivities } from '../activities/import/index.ts';
import { count, formatBytes } from '../contracts/format.ts';
import type { ImportArtifactsInput, ImportArtifactsResult } from '../contracts/operations.ts';
import type { WrittenTrees } from '../core/import/write-trees.ts';
import { long, quick } from './lib/activity-options.ts';
import { batchSummary, fileName } from './lib/details.ts';
import { Operation } from './lib/operation.ts';

/** Batches of blobs under way at once. */
const BATCH_WINDOW = 2;
/** Images are published batch by batch: indexes under fallback tags are read, changed and written back. */
const PUBLISH_WINDOW = 1;

const { identifyHost } = proxyActivities<HostActivities>(quick);

type Activities = ReturnType<typeof proxyActivities<ImportActivities>>;

/** A bundle into a registry (compared with what is there, verified, pushed blob by blob, published image by image), into folders, or both. */
export async function importArtifacts(input: ImportArtifactsInput): Promise<ImportArtifactsResult> {
  const operation = new Operation(`Import into ${destinationOf(input)}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  const activities = proxyActivities<ImportActivities>({ ...long, taskQueue });
  return operation.run(
    () => importWith(input, operation, activities),
    () => activities.discardImport.executeWithOptions({ summary: 'give up open uploads' }, [{ input }]),
  );
}

function destinationOf({ host, namespace, trees = {} }: ImportArtifactsInput): string {
  if (host === '') return Object.values(trees).join(', ');
  return namespace === '' ? host : `${host}/${namespace}`;
}

async function importWith(
  input: ImportArtifactsInput,
  operation: Operation,
  activities: Activities,
): Promise<ImportArtifactsResult> {
  if (input.host !== '') await intoRegistry(input, operation, activities);
  const trees = input.trees === undefined ? {} : { trees: await intoFolders(input, operation, activities) };
  operation.failIfAnyFailed();
  const result = await operation.step(() =>
    activities.finishImport.executeWithOptions({ summary: 'sum up' }, [{ input, ...trees }]),
  );
  operation.failIfAnyFailed();
  operation.phase('done');
  return result!;
}

async function intoFolders(
  input: ImportArtifactsInput,
  operation: Operation,
  activities: Activities,
): Promise<WrittenTrees> {
  operation.phase('writing');
  const summary = `write ${Object.keys(input.trees!).join(', ')} of ${fileName(input.input)}`;
  const written = await operation.step(() => activities.writeFileTrees.executeWithOptions({ summary }, [{ input }]));
  operation.failIfAnyFailed();
  return written!;
}

async function intoRegistry(input: ImportArtifactsInput, operation: Operation, activities: Activities): Promise<void> {
  const skip = (): string[] => [...operation.skipped].sort();
  operation.phase('opening');
  const opened = await operation.step(() =>
    activities.openBundle.executeWithOptions({ summary: `read ${fileName(input.input)}` }, [{ input }]),
  );
  operation.failIfAnyFailed();
  operation.phase('checking', { items: opened!.items });
  const plan = await operation.step(
    () =>
      activities.checkDestination.executeWithOptions(
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
    await operation.step(() => activities.verifyBlobs.executeWithOptions({ summary }, [{ input, skip: skip() }]), {
      skippable: true,
    });
    operation.failIfAnyFailed();
    operation.phase('transferring', { items: blobs, bytes });
    await operation.batches(uploads, BATCH_WINDOW, (batch) =>
      activities.pushBlobs.executeWithOptions({ summary: batchSummary(batch, uploads.length) }, [
        { input, batch: batch.index, skip: skip() },
      ]),
    );
  }
  if (publishes.length > 0) {
    operation.phase('publishing', { items: publishes.reduce((sum, batch) => sum + batch.items, 0) });
    await operation.batches(publishes, PUBLISH_WINDOW, (batch) =>
      activities.publishImages.executeWithOptions({ summary: `${count(batch.items, 'image')}: manifests, then tags` }, [
        { input, batch: batch.index, skip: skip() },
      ]),
    );
  }
}
