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
import type { WorkHooks } from '../../core/transfer/progress.ts';
import { WorkFolder } from '../../core/transfer/work-folder.ts';
import { operationLimiter } from '../lib/limiters.ts';
import { runActivity } from '../lib/run.ts';

export interface ExportDependencies {
  sourceNamed(name: string): SourcePlugin;
  sourceRemotes(input: Pick<ExportArtifactsInput, 'pullFrom' | 'registry'>): Remotes;
  pool: MoverPool;
  bundles: OpenBundles;
}

interface Step {
  input: ExportArtifactsInput;
}

interface PlanRequest extends Step {
  skip: string[];
}

interface FetchRequest extends PlanRequest {
  planDigest: Digest;
  batch: number;
}

interface SealRequest extends Step {
  planDigest: Digest;
}

export interface PlannedExport {
  planDigest: Digest;
  batches: Batch[];
  blobs: number;
  bytes: number;
  /** how many skips the plan knows of */
  skipped: number;
}

/** The steps of an export. All run on the machine that holds the output. */
export function createExportActivities(deps: ExportDependencies) {
  return {
    /** Asks the sources what there is to carry. */
    listContents: ({ input }: Step) => runActivity('list contents', () => list(deps, input)),
    /** Resolves every reference to digests and sizes, lays out the tar, and takes the space for it. */
    planBundle: (request: PlanRequest) => runActivity('plan bundle', (hooks) => plan(deps, request, hooks)),
    /** Streams one batch of blobs to their places. */
    fetchBlobs: (request: FetchRequest) => runActivity('fetch blobs', (hooks) => fetch(deps, request, hooks)),
    /** Makes the finished bundle visible. */
    sealBundle: (request: SealRequest) => runActivity('seal bundle', () => seal(deps, request)),
    /** Removes what a cancelled export has left. */
    discardExport: ({ input }: Step) => runActivity('discard export', () => discard(deps, input)),
  };
}

export type ExportActivities = ReturnType<typeof createExportActivities>;

async function list(deps: ExportDependencies, input: ExportArtifactsInput): Promise<{ items: number }> {
  await checkOutput(input);
  deps.pool.warm();
  const { sourceNamed } = deps;
  const contents = await withRemotes(deps, input, (remotes) =>
    listContents(input, { folder: folderOf(input), sourceNamed, remotes }),
  );
  return { items: contents.items.length + contents.documents.length };
}

async function plan(deps: ExportDependencies, { input, skip }: PlanRequest, hooks: WorkHooks): Promise<PlannedExport> {
  const folder = folderOf(input);
  const { pool, bundles } = deps;
  const limiter = operationLimiter(input.concurrency);
  const { planDigest, batches, blobs } = await withRemotes(deps, input, (remotes) =>
    makePlan(input, skip, { folder, remotes, pool, bundles }, limiter, hooks),
  );
  await bundles.use(input.output, folder, planDigest, () => Promise.resolve());
  return {
    planDigest,
    batches: batches.map(({ index, items, bytes }) => ({ index, items, bytes })),
    blobs: blobs.length,
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    skipped: skip.length,
  };
}

function fetch(deps: ExportDependencies, request: FetchRequest, hooks: WorkHooks): Promise<void> {
  const { input } = request;
  const { pool, bundles } = deps;
  const limiter = operationLimiter(input.concurrency);
  return withRemotes(deps, input, (remotes) =>
    fetchBatch(input, request, { folder: folderOf(input), remotes, pool, bundles, limiter }, hooks),
  );
}

function seal({ bundles }: ExportDependencies, { input, planDigest }: SealRequest): Promise<ExportArtifactsResult> {
  return sealExport(input, planDigest, { folder: folderOf(input), bundles });
}

function discard({ bundles }: ExportDependencies, input: ExportArtifactsInput): Promise<void> {
  return discardExport(input, { folder: folderOf(input), bundles });
}

function folderOf({ output }: ExportArtifactsInput): WorkFolder {
  return new WorkFolder(`${output}.partial.d`);
}

async function withRemotes<T>(
  deps: ExportDependencies,
  input: ExportArtifactsInput,
  work: (remotes: Remotes) => Promise<T>,
): Promise<T> {
  const remotes = deps.sourceRemotes(input);
  try {
    return await work(remotes);
  } finally {
    await remotes.close();
  }
}
