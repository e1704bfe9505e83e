import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import type { Bundle } from '../bundle/reader.ts';
import type { RegistryClient } from '../oci/registry/client.ts';
import { bySizeDescending, cutBatches } from '../transfer/batches.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { forEachItem } from '../transfer/failures.ts';
import { ProgressMeter, type WorkHooks } from '../transfer/progress.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';
import type { ImportPlan, MissingBlob, Target } from './plan-types.ts';
import { UploadSessions } from './sessions.ts';
import { closureOf } from './targets.ts';

const PLAN = 'plan.json';

/** Publishing is a handful of small requests an image; a batch of this many is a few seconds of work. */
const PUBLISH_BATCH = { items: 250, bytes: Number.MAX_SAFE_INTEGER };

export interface CheckTools {
  bundle: Bundle;
  client: RegistryClient;
  folder: WorkFolder;
  limiter: Limiter;
}

/**
 * Compares the bundle with the registry: what is complete, and which blobs each repository lacks. Only reads.
 * @param skip references or repositories that the operator leaves out
 * @throws ItemsFailed naming every item that can't be looked up
 */
export async function checkDestination(
  all: Target[],
  skip: readonly string[],
  tools: CheckTools,
  hooks: WorkHooks,
): Promise<ImportPlan> {
  const targets = all.filter(({ reference, repository }) => !skip.includes(reference) && !skip.includes(repository));
  const incomplete: Target[] = [];
  const meter = new ProgressMeter(hooks, { bytes: 0, items: targets.length });
  const about = { side: 'destination', signal: hooks.signal } as const;
  const byReference = { ...about, operation: 'check', id: ({ reference }: Target) => reference };
  await forEachItem(targets, tools.limiter, byReference, async (target) => {
    if (!(await isComplete(tools.client, target))) incomplete.push(target);
    meter.finish(target.reference, 0);
  });
  const wanted = await wantedBlobs(tools.bundle, incomplete);
  const plan = layDown(wanted, await presentBlobs(wanted, tools, hooks), incomplete);
  plan.unchanged = targets.length - incomplete.length;
  plan.leftOut = all.filter((target) => !targets.includes(target)).map(({ reference }) => reference);
  await tools.folder.writeJson(PLAN, plan);
  return plan;
}

/**
 * Opens an upload in every repository that will be written, before a byte is sent: to this question alone every registry
 * answers "may I write here?", and missing projects and rights are found all at once. The upload is that of the largest
 * blob the repository will get; where it gets none, it is given up.
 * @throws ItemsFailed naming every repository that can't be written
 */
export async function openForWriting(
  plan: ImportPlan,
  skip: readonly string[],
  { client, limiter, folder }: Pick<CheckTools, 'client' | 'limiter' | 'folder'>,
  { signal }: WorkHooks,
): Promise<void> {
  const sessions = await UploadSessions.load(folder);
  const largest = new Map<string, Digest>();
  for (const { repository, digest } of plan.uploads) {
    if (!skip.includes(digest) && !largest.has(repository)) largest.set(repository, digest);
  }
  const repositories = new Set(plan.targets.map(({ repository }) => repository).filter((name) => !skip.includes(name)));
  const about = { side: 'destination', operation: 'open for writing', signal, id: (name: string) => name } as const;
  await forEachItem([...repositories].sort(), limiter, about, async (repository) => {
    const digest = largest.get(repository);
    if (digest !== undefined && sessions.of(repository, digest) !== undefined) return;
    const begun = await client.mountOrBegin(repository, digest ?? NO_BLOB);
    if (begun.mounted) return;
    if (digest !== undefined) await sessions.note(repository, digest, begun.location);
    else await client.abandonUpload(begun.location).catch(() => undefined);
  });
}

/** The plan that `checkDestination` made last. @throws Error when there is none */
export async function loadImportPlan(folder: WorkFolder): Promise<ImportPlan> {
  const plan = await folder.readJson<ImportPlan>(PLAN);
  if (plan === undefined)
    throw new Error(`${folder.path} holds no plan: the state folder was removed while the import ran`);
  return plan;
}

async function isComplete(client: RegistryClient, { repository, tag, root, attached }: Target): Promise<boolean> {
  if ((await client.headManifest(repository, tag))?.digest !== root) return false;
  for (const { digest, tag: attachedTag } of attached) {
    if ((await client.headManifest(repository, attachedTag ?? digest)) === undefined) return false;
  }
  return true;
}

/** repository -> the blobs that its incomplete targets need */
async function wantedBlobs(bundle: Bundle, targets: Target[]): Promise<Map<string, Map<Digest, Descriptor>>> {
  const wanted = new Map<string, Map<Digest, Descriptor>>();
  for (const target of targets) {
    const blobs = wanted.get(target.repository) ?? new Map<Digest, Descriptor>();
    for (const blob of (await closureOf(bundle, target)).blobs) blobs.set(blob.digest, blob);
    wanted.set(target.repository, blobs);
  }
  return wanted;
}

/** Digest of no bytes at all; never uploaded. */
const NO_BLOB: Digest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** digest -> repositories that have it */
async function presentBlobs(
  wanted: Map<string, Map<Digest, Descriptor>>,
  { client, limiter }: CheckTools,
  { signal }: WorkHooks,
): Promise<Map<Digest, Set<string>>> {
  const pairs = [...wanted].flatMap(([repository, blobs]) =>
    [...blobs.keys()].map((digest) => ({ repository, digest })),
  );
  const present = new Map<Digest, Set<string>>();
  const about = { side: 'destination', operation: 'look for blob', signal } as const;
  await forEachItem(pairs, limiter, { ...about, id: ({ digest }) => digest }, async ({ repository, digest }) => {
    if ((await client.headBlob(repository, digest)) === undefined) return;
    const holders = present.get(digest) ?? new Set();
    present.set(digest, holders.add(repository));
  });
  return present;
}

function layDown(
  wanted: Map<string, Map<Digest, Descriptor>>,
  present: Map<Digest, Set<string>>,
  targets: Target[],
): ImportPlan {
  const homes: Record<Digest, string> = {};
  const uploads: MissingBlob[] = [];
  let reusedBytes = 0;
  for (const [repository, blobs] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const { digest, size } of blobs.values()) {
      const [holder] = present.get(digest) ?? [];
      if (homes[digest] !== undefined || holder !== undefined) reusedBytes += size;
      else uploads.push({ digest, size, repository });
      homes[digest] ??= holder ?? repository;
    }
  }
  const sorted = bySizeDescending(uploads);
  const ordered = [...targets].sort((a, b) => (a.reference < b.reference ? -1 : 1));
  return {
    uploads: sorted,
    uploadBatches: cutBatches(sorted.map(({ size }) => size)),
    homes,
    targets: ordered,
    publishBatches: cutBatches(
      ordered.map(() => 0),
      PUBLISH_BATCH,
    ),
    unchanged: 0,
    leftOut: [],
    reusedBytes,
  };
}
