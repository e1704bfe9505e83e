import { stat } from 'node:fs/promises';
import type { Batch, ImportArtifactsInput } from '../../contracts/operations.ts';
import { openBundle, type Bundle } from '../../core/bundle/reader.ts';
import { checkDestination, loadImportPlan, openForWriting } from '../../core/import/check.ts';
import { summarizeImport } from '../../core/import/finish.ts';
import type { ImportPlan } from '../../core/import/plan-types.ts';
import { OUTCOMES, publishBatch } from '../../core/import/publish.ts';
import { pushBatch, TRAFFIC, type PushTools } from '../../core/import/push.ts';
import { UploadSessions } from '../../core/import/sessions.ts';
import { checkIdentity, closureOf, rulesOf, targetsOf } from '../../core/import/targets.ts';
import { verifyBundleBlobs } from '../../core/import/verify-blobs.ts';
import { writeTrees, type WrittenTrees } from '../../core/import/write-trees.ts';
import type { Remotes } from '../../core/oci/remotes.ts';
import type { MoverPool } from '../../core/transfer/pool.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';
import type { WorkFolder } from '../../core/transfer/work-folder.ts';
import { discardTree } from '../../core/trees/write-tree.ts';
import { operationLimiter } from '../lib/limiters.ts';
import { runActivity } from '../lib/run.ts';

export interface ImportDependencies {
  destinationRemotes(input: Pick<ImportArtifactsInput, 'registry'>): Remotes;
  /** where the import of this bundle into this registry keeps what it knows */
  stateFolder(input: ImportArtifactsInput): WorkFolder;
  pool: MoverPool;
}

interface Step {
  input: ImportArtifactsInput;
}

interface SkippingStep extends Step {
  /** references, repositories and blob digests that the operator leaves out */
  skip: string[];
}

interface BatchStep extends SkippingStep {
  batch: number;
}

interface LastStep extends Step {
  /** what came of the file trees, when some were asked for */
  trees?: WrittenTrees;
}

export interface CheckedDestination {
  uploads: Batch[];
  publishes: Batch[];
  blobs: number;
  bytes: number;
}

const VERIFIED = 'verified.jsonl';

/** The steps of an import. All run on the machine that holds the bundle. */
export function createImportActivities(deps: ImportDependencies) {
  function run<T>(
    operation: string,
    { input }: Step,
    work: (tools: PushTools, hooks: WorkHooks) => Promise<T>,
  ): Promise<T> {
    return runActivity(operation, (hooks) => withTools(deps, input, (tools) => work(tools, hooks)));
  }
  return {
    /** Reads the bundle's structure, all of it: what is truncated, foreign or hostile is refused here. */
    openBundle: (step: Step) => run('open bundle', step, (tools) => open(tools, step.input)),
    /** Finds out what the registry lacks. */
    checkDestination: (step: SkippingStep) =>
      run('check destination', step, (tools, hooks) => check(tools, step, hooks)),
    /** Hashes every blob that will be sent; only then is the registry asked whether it takes them. */
    verifyBlobs: (step: SkippingStep) =>
      run('verify blobs', step, async (tools, hooks) => {
        const plan = await loadImportPlan(tools.folder);
        const uploads = plan.uploads.filter(({ digest }) => !step.skip.includes(digest));
        await verify(uploads, tools, hooks);
        await openForWriting(plan, step.skip, tools, hooks);
      }),
    /** Sends one batch of blobs, each to one repository. */
    pushBlobs: (step: BatchStep) => run('push blobs', step, (tools, hooks) => pushBatch(step, tools, hooks)),
    /** Mounts, manifests, signatures, and tags last. */
    publishImages: (step: BatchStep) => run('publish images', step, (tools, hooks) => publishBatch(step, tools, hooks)),
    /** Lays the bundle out as files on this machine. */
    writeFileTrees: ({ input }: Step) =>
      runActivity('write files', (hooks) =>
        withBundle(input, (bundle) => {
          const limiter = operationLimiter(input.concurrency);
          return writeTrees(input, { bundle, limiter, pool: deps.pool }, hooks);
        }),
      ),
    /** Says what was done. */
    finishImport: ({ input, trees }: LastStep) =>
      runActivity('finish import', () =>
        withBundle(input, (bundle) => summarizeImport(input, bundle, deps.stateFolder(input), trees)),
      ),
    /** Gives up the upload sessions that a cancelled import has left open, and removes files it has half written. */
    discardImport: async (step: Step) => {
      const { host, trees = {}, bundle } = step.input;
      if (host !== '') await run('discard import', step, discard);
      for (const folder of Object.values(trees)) await discardTree(folder, bundle);
    },
  };
}

export type ImportActivities = ReturnType<typeof createImportActivities>;

function withTools<T>(
  { destinationRemotes, stateFolder, pool }: ImportDependencies,
  input: ImportArtifactsInput,
  work: (tools: PushTools) => Promise<T>,
): Promise<T> {
  return withBundle(input, async (bundle) => {
    const remotes = destinationRemotes(input);
    try {
      pool.warm();
      const client = await remotes.registry(input.host);
      const limiter = operationLimiter(input.concurrency);
      return await work({ bundle, client, pool, folder: stateFolder(input), limiter });
    } finally {
      await remotes.close();
    }
  });
}

async function withBundle<T>(input: ImportArtifactsInput, work: (bundle: Bundle) => Promise<T>): Promise<T> {
  const bundle = await openBundle(input.input);
  try {
    checkIdentity(bundle, input.bundle);
    return await work(bundle);
  } finally {
    await bundle.close();
  }
}

async function open({ bundle, folder }: PushTools, input: ImportArtifactsInput): Promise<{ items: number }> {
  const targets = targetsOf(bundle, rulesOf(input));
  for (const target of targets) await closureOf(bundle, target);
  await folder.forget(TRAFFIC, OUTCOMES, VERIFIED);
  return { items: targets.length };
}

async function check(tools: PushTools, { input, skip }: SkippingStep, hooks: WorkHooks): Promise<CheckedDestination> {
  const plan = await checkDestination(targetsOf(tools.bundle, rulesOf(input)), skip, tools, hooks);
  const plain = ({ index, items, bytes }: Batch): Batch => ({ index, items, bytes });
  return {
    uploads: plan.uploadBatches.map(plain),
    publishes: plan.publishBatches.map(plain),
    blobs: plan.uploads.length,
    bytes: plan.uploads.reduce((sum, { size }) => sum + size, 0),
  };
}

async function verify(
  uploads: ImportPlan['uploads'],
  { bundle, folder, pool, limiter }: PushTools,
  hooks: WorkHooks,
): Promise<void> {
  const stamp = await fileStamp(bundle);
  const lines = await folder.readLines<[string, string]>(VERIFIED);
  const verified = new Set(lines.filter(([of]) => of === stamp).map(([, digest]) => digest));
  const notes: Promise<void>[] = [];
  const blobs = uploads.filter(({ digest }) => !verified.has(digest));
  await verifyBundleBlobs(bundle, blobs, { pool, limiter }, hooks, (digest) => {
    notes.push(folder.append(VERIFIED, [stamp, digest]));
  });
  await Promise.all(notes);
}

async function discard({ client, folder }: PushTools): Promise<void> {
  const sessions = await UploadSessions.load(folder);
  for (const location of sessions.all()) await client.abandonUpload(location).catch(() => undefined);
  await folder.remove();
}

/** Tells one state of the file from another, so that what was verified of one is not believed of the other. */
async function fileStamp(bundle: Bundle): Promise<string> {
  const { size, mtimeMs, ino } = await stat(bundle.path);
  return `${bundle.identity} ${size} ${mtimeMs} ${ino}`;
}
