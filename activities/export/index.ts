import type { Digest } from '../../contracts/descriptor.ts';
import type { Batch, ExportArtifactsInput, ExportArtifactsResult } from '../../contracts/operations.ts';
import type { SourcePlugin } from '../../contracts/source-plugin.ts';
import { listContents } from '../../core/export/contents.ts';
import { fetchBatch } from '../../core/export/fetch.ts';
import type { OpenBundles } from '../../core/export/open-bundles.ts';
import { checkOutput } from '../../core/export/output.ts';
import { makePlan } from '../../core/export/plan.ts';
import { discardExport, sealExport } from '../../core/export/seal.ts';
import type { Remotes } from '../../core/oci/remotes.ts';
import type { MoverPool } from '../../core/transfer/pool.ts';
import { WorkFolder } from '../../core/transfer/work-folder.ts';
import { operationLimiter } from '../lib/limiters.ts';
import { runActivity } from '../lib/run.ts';

export interface ExportDependencies {
  sourceNamed(name: string): SourcePlugin;
  sourceRemotes(input: Pick<ExportArtifactsInput, 'pullFrom' | 'registry'>): Remotes;
  pool: MoverPool;
  bundles: OpenBundles;
}

/** The steps of an export. All run on the machine that holds the output. */
export function createExportActivities(deps: ExportDependencies) {
  const { pool, bundles, sourceNamed } = deps;
  const folderOf = ({ output }: ExportArtifactsInput): WorkFolder => new WorkFolder(`${output}.partial.d`);
  async function withRemotes<T>(input: ExportArtifactsInput, work: (remotes: Remotes) => Promise<T>): Promise<T> {
    const remotes = deps.sourceRemotes(input);
    try {
      return await work(remotes);
    } finally {
      await remotes.close();
    }
  }
  return {
    /** Asks the sources what there is to carry. */
    listContents({ input }: { input: ExportArtifactsInput }): Promise<{ items: number }> {
      return runActivity('list contents', async () => {
        await checkOutput(input);
        pool.warm();
        const tools = { folder: folderOf(input), sourceNamed };
        const contents = await withRemotes(input, (remotes) => listContents(input, { ...tools, remotes }));
        return { items: contents.items.length + contents.documents.length };
      });
    },

    /** Resolves every reference to digests and sizes, lays out the tar, and takes the space for it. */
    planBundle({ input, skip }: { input: ExportArtifactsInput; skip: string[] }): Promise<PlannedExport> {
      return runActivity('plan bundle', async (hooks) => {
        const folder = folderOf(input);
        const limiter = operationLimiter(input.concurrency);
        const plan = await withRemotes(input, (remotes) =>
          makePlan(input, skip, { folder, remotes, pool, bundles }, limiter, hooks),
        );
        await bundles.use(input.output, folder, plan.planDigest, () => Promise.resolve());
        const { planDigest, batches, blobs } = plan;
        return {
          planDigest,
          batches: batches.map(({ index, items, bytes }) => ({ index, items, bytes })),
          blobs: blobs.length,
          bytes: blobs.reduce((sum, { size }) => sum + size, 0),
          skipped: skip.length,
        };
      });
    },

    /** Streams one batch of blobs to their places. */
    fetchBlobs(request: {
      input: ExportArtifactsInput;
      planDigest: Digest;
      batch: number;
      skip: string[];
    }): Promise<void> {
      const { input } = request;
      return runActivity('fetch blobs', (hooks) =>
        withRemotes(input, (remotes) =>
          fetchBatch(
            input,
            request,
            { folder: folderOf(input), remotes, pool, bundles, limiter: operationLimiter(input.concurrency) },
            hooks,
          ),
        ),
      );
    },

    /** Makes the finished bundle visible. */
    sealBundle({
      input,
      planDigest,
    }: {
      input: ExportArtifactsInput;
      planDigest: Digest;
    }): Promise<ExportArtifactsResult> {
      return runActivity('seal bundle', () => sealExport(input, planDigest, { folder: folderOf(input), bundles }));
    },

    /** Removes what a cancelled export has left. */
    discardExport({ input }: { input: ExportArtifactsInput }): Promise<void> {
      return runActivity('discard export', () => discardExport(input, { folder: folderOf(input), bundles }));
    },
  };
}

export interface PlannedExport {
  planDigest: Digest;
  batches: Batch[];
  blobs: number;
  bytes: number;
  /** how many skips the plan knows of */
  skipped: number;
}

export type ExportActivities = ReturnType<typeof createExportActivities>;
