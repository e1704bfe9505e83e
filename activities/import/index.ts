import { stat } from 'node:fs/promises';
import type { Batch, ImportArtifactsInput, ImportArtifactsResult } from '../../contracts/operations.ts';
import { openBundle, type Bundle } from '../../core/bundle/reader.ts';
import { checkDestination, loadImportPlan } from '../../core/import/check.ts';
import { summarizeImport } from '../../core/import/finish.ts';
import { publishBatch } from '../../core/import/publish.ts';
import { pushBatch, type PushTools } from '../../core/import/push.ts';
import { UploadSessions } from '../../core/import/sessions.ts';
import { checkIdentity, closureOf, rulesOf, targetsOf } from '../../core/import/targets.ts';
import { verifyBundleBlobs } from '../../core/import/verify-blobs.ts';
import type { Remotes } from '../../core/oci/remotes.ts';
import type { MoverPool } from '../../core/transfer/pool.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';
import type { WorkFolder } from '../../core/transfer/work-folder.ts';
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
  skip: string[];
}

const VERIFIED = 'verified.jsonl';

/** The steps of an import. All run on the machine that holds the bundle. */
export function createImportActivities(deps: ImportDependencies) {
  const { pool } = deps;
  function run<T>(
    input: ImportArtifactsInput,
    operation: string,
    work: (tools: PushTools, hooks: WorkHooks) => Promise<T>,
  ): Promise<T> {
    return runActivity(operation, async (hooks) => {
      const bundle = await openBundle(input.input);
      const remotes = deps.destinationRemotes(input);
      try {
        checkIdentity(bundle, input.bundle);
        const client = await remotes.registry(input.host);
        const tools = {
          bundle,
          client,
          pool,
          folder: deps.stateFolder(input),
          limiter: operationLimiter(input.concurrency),
        };
        return await work(tools, hooks);
      } finally {
        await Promise.all([bundle.close(), remotes.close()]);
      }
    });
  }
  return {
    /** Reads the bundle's structure, all of it: what is truncated, foreign or hostile is refused here. */
    openBundle({ input }: { input: ImportArtifactsInput }): Promise<{ items: number }> {
      return run(input, 'open bundle', async ({ bundle, folder }) => {
        pool.warm();
        const targets = targetsOf(bundle, rulesOf(input));
        for (const target of targets) await closureOf(bundle, target);
        await folder.forget('traffic.jsonl', 'outcomes.jsonl');
        return { items: targets.length };
      });
    },

    /** Finds out what the registry lacks and whether it may be written to. */
    checkDestination({
      input,
      skip,
    }: Step): Promise<{ uploads: Batch[]; publishes: Batch[]; blobs: number; bytes: number }> {
      return run(input, 'check destination', async (tools, hooks) => {
        const targets = targetsOf(tools.bundle, rulesOf(input)).filter(
          ({ reference, repository }) => !skip.includes(reference) && !skip.includes(repository),
        );
        const plan = await checkDestination(targets, tools, hooks);
        const plain = ({ index, items, bytes }: Batch): Batch => ({ index, items, bytes });
        return {
          uploads: plan.uploadBatches.map(plain),
          publishes: plan.publishBatches.map(plain),
          blobs: plan.uploads.length,
          bytes: plan.uploads.reduce((sum, { size }) => sum + size, 0),
        };
      });
    },

    /** Hashes every blob that will be sent, before the first is. */
    verifyBlobs({ input }: { input: ImportArtifactsInput }): Promise<void> {
      return run(input, 'verify blobs', async ({ bundle, folder, limiter }, hooks) => {
        const plan = await loadImportPlan(folder);
        const stamp = await fileStamp(bundle);
        const verified = new Set(
          (await folder.readLines<[string, string]>(VERIFIED))
            .filter(([of]) => of === stamp)
            .map(([, digest]) => digest),
        );
        const notes: Promise<void>[] = [];
        const blobs = plan.uploads.filter(({ digest }) => !verified.has(digest));
        await verifyBundleBlobs(bundle, blobs, { pool, limiter }, hooks, (digest) =>
          notes.push(folder.append(VERIFIED, [stamp, digest])),
        );
        await Promise.all(notes);
      });
    },

    /** Sends one batch of blobs, each to one repository. */
    pushBlobs({ input, batch, skip }: Step & { batch: number }): Promise<void> {
      return run(input, 'push blobs', (tools, hooks) => pushBatch({ batch, skip }, tools, hooks));
    },

    /** Mounts, manifests, signatures, and tags last. */
    publishImages({ input, batch, skip }: Step & { batch: number }): Promise<void> {
      return run(input, 'publish images', (tools, hooks) => publishBatch({ batch, skip }, tools, hooks));
    },

    /** Says what was done. */
    finishImport({ input }: { input: ImportArtifactsInput }): Promise<ImportArtifactsResult> {
      return run(input, 'finish import', ({ bundle, folder }) => summarizeImport(input, bundle, folder));
    },

    /** Gives up the upload sessions that a cancelled import has left open. */
    discardImport({ input }: { input: ImportArtifactsInput }): Promise<void> {
      return run(input, 'discard import', async ({ client, folder }) => {
        const sessions = await UploadSessions.load(folder);
        for (const location of sessions.all()) await client.abandonUpload(location).catch(() => undefined);
        await folder.remove();
      });
    },
  };
}

/** Tells one state of the file from another, so that what was verified of one is not believed of the other. */
async function fileStamp(bundle: Bundle): Promise<string> {
  const { size, mtimeMs, ino } = await stat(bundle.path);
  return `${bundle.identity} ${size} ${mtimeMs} ${ino}`;
}

export type ImportActivities = ReturnType<typeof createImportActivities>;
