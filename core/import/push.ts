import type { Digest } from '../../contracts/descriptor.ts';
import type { Bundle } from '../bundle/reader.ts';
import { blobDestination } from '../oci/remotes.ts';
import type { RegistryClient } from '../oci/registry/client.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { forEachItem } from '../transfer/failures.ts';
import type { MoverPool } from '../transfer/pool.ts';
import { ProgressMeter, type WorkHooks } from '../transfer/progress.ts';
import { uploadBlob } from '../transfer/upload.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';
import { loadImportPlan } from './check.ts';
import type { MissingBlob } from './plan-types.ts';
import { UploadSessions } from './sessions.ts';

export const TRAFFIC = 'traffic.jsonl';

/** One line for each blob that the registry took. */
export interface PushTraffic {
  repository: string;
  digest: Digest;
  moved: number;
  /** bytes of it that were not sent by this attempt */
  reused: number;
}

export interface PushTools {
  bundle: Bundle;
  client: RegistryClient;
  folder: WorkFolder;
  pool: MoverPool;
  limiter: Limiter;
}

/**
 * Sends the blobs of one batch. What the registry has is not sent, a blob that was under way goes on where it was.
 * @throws ItemsFailed when some can't be sent; the others are there
 */
export async function pushBatch(
  request: { batch: number; skip: readonly string[] },
  tools: PushTools,
  hooks: WorkHooks,
): Promise<void> {
  const plan = await loadImportPlan(tools.folder);
  const { items, bytes, start, end } = plan.uploadBatches[request.batch]!;
  const sessions = await UploadSessions.load(tools.folder);
  const done = new Set(
    (await tools.folder.readLines<PushTraffic>(TRAFFIC)).map(({ repository, digest }) => `${repository}@${digest}`),
  );
  const meter = new ProgressMeter(hooks, { items, bytes });
  const about = { side: 'destination', operation: 'push blob', signal: hooks.signal } as const;
  const blobs = plan.uploads.slice(start, end);
  await forEachItem(blobs, tools.limiter, { ...about, id: ({ digest }) => digest }, async (blob) => {
    const left = request.skip.includes(blob.digest) || request.skip.includes(blob.repository);
    if (!left && !done.has(`${blob.repository}@${blob.digest}`)) {
      await pushBlob(blob, undefined, sessions, meter, tools, hooks).finally(() => meter.drop(blob.digest));
    }
    meter.finish(blob.digest, blob.size);
  });
}

/** Sends one blob, or has it mounted from another repository. @throws SealiftError of the destination side */
export async function pushBlob(
  { repository, digest, size }: MissingBlob,
  fromRepository: string | undefined,
  sessions: UploadSessions,
  meter: ProgressMeter | undefined,
  tools: PushTools,
  hooks: WorkHooks,
): Promise<void> {
  const { bundle, client, pool, folder } = tools;
  const destination = blobDestination(client, repository, digest);
  const session = sessions.of(repository, digest);
  const from = { path: bundle.path, offset: bundle.locate(digest)!.offset };
  const report = await uploadBlob(
    pool,
    destination,
    {
      digest,
      size,
      from,
      ...(fromRepository === undefined ? {} : { fromRepository }),
      ...(session === undefined ? {} : { session }),
    },
    {
      signal: hooks.signal,
      onProgress: (sent) => meter?.update(digest, destination.subject, sent, size),
      onSession: (location) => sessions.note(repository, digest, location),
    },
  );
  const reused = Math.max(0, size - report.moved);
  await folder.append(TRAFFIC, { repository, digest, moved: report.moved, reused } satisfies PushTraffic);
}
