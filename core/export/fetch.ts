import type { Digest } from '../../contracts/descriptor.ts';
import type { ExportArtifactsInput } from '../../contracts/operations.ts';
import type { PartialBundle, RemainingBlob } from '../bundle/partial-bundle.ts';
import { SealiftError } from '../errors.ts';
import { fileOrigin, registryOrigin, type Remotes } from '../oci/remotes.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { downloadBlob, moveError } from '../transfer/download.ts';
import { forEachItem } from '../transfer/failures.ts';
import type { MoverPool } from '../transfer/pool.ts';
import { ProgressMeter, type WorkHooks } from '../transfer/progress.ts';
import type { OpenBundles } from './open-bundles.ts';
import { loadPlan } from './plan-store.ts';
import type { BlobFrom, PlannedBlob } from './plan-types.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';

export const TRAFFIC = 'traffic.jsonl';

/** One line of the traffic file: bytes that crossed the network, and bytes that an earlier attempt had brought. */
export interface Traffic {
  moved: number;
  resumed: number;
}

export interface FetchTools {
  remotes: Remotes;
  folder: WorkFolder;
  pool: MoverPool;
  bundles: OpenBundles;
  limiter: Limiter;
}

/** How often what is in flight is noted, so that a killed worker loses no more than this. */
const NOTE_EVERY_MS = 1000;

/**
 * Brings the blobs of one batch to their places. What an earlier attempt brought is kept, down to the byte.
 * @throws ItemsFailed when some blobs can't be had; the others are in place
 */
export async function fetchBatch(
  input: ExportArtifactsInput,
  request: { planDigest: Digest; batch: number; skip: readonly string[] },
  tools: FetchTools,
  hooks: WorkHooks,
): Promise<void> {
  const { folder, bundles } = tools;
  const { plan } = await loadPlan(folder, request.planDigest);
  const { start, end, bytes } = plan.batches[request.batch]!;
  const planned = new Map(plan.blobs.slice(start, end).map((blob) => [blob.digest, blob]));
  await bundles.use(input.output, folder, request.planDigest, async (bundle) => {
    const remaining = new Map((await bundle.remaining()).map((blob) => [blob.descriptor.digest, blob]));
    const meter = new ProgressMeter(hooks, { items: planned.size, bytes });
    const notes = new Notes(bundle);
    try {
      const side = { side: 'source', operation: 'fetch blob' } as const;
      await forEachItem(
        [...planned.values()],
        tools.limiter,
        { ...side, signal: hooks.signal, id: ({ digest }) => digest },
        async (blob) => {
          const { digest, size } = blob;
          const left = remaining.get(digest);
          if (left !== undefined && !request.skip.includes(digest)) {
            await new Fetch(tools, bundle, hooks, meter, notes).fetch(blob, left).finally(() => meter.drop(digest));
          }
          meter.finish(digest, size);
        },
      );
    } finally {
      notes.end();
    }
  });
}

/** Notes how far blobs in flight are, and syncs what is complete, now and then. */
class Notes {
  readonly #bundle: PartialBundle;
  readonly #marks = new Map<Digest, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(bundle: PartialBundle) {
    this.#bundle = bundle;
    // An error here, a full disk say, is one that writing the next blob meets again; thrown in a timer it would end the worker.
    this.#timer = setInterval(() => void this.#writeAndSync().catch(() => undefined), NOTE_EVERY_MS);
  }

  prefix(digest: Digest, written: number): void {
    this.#marks.set(digest, written);
  }

  complete(digest: Digest): void {
    this.#marks.delete(digest);
    this.#bundle.markWritten(digest);
  }

  /** What is not synced yet is when the bundle is sealed or closed. */
  end(): void {
    clearInterval(this.#timer);
    this.#write();
  }

  async #writeAndSync(): Promise<void> {
    this.#write();
    await this.#bundle.sync();
  }

  #write(): void {
    for (const [digest, written] of this.#marks) this.#bundle.markPrefix(digest, written);
    this.#marks.clear();
  }
}

class Fetch {
  readonly #tools: FetchTools;
  readonly #bundle: PartialBundle;
  readonly #hooks: WorkHooks;
  readonly #meter: ProgressMeter;
  readonly #notes: Notes;

  constructor(tools: FetchTools, bundle: PartialBundle, hooks: WorkHooks, meter: ProgressMeter, notes: Notes) {
    this.#tools = tools;
    this.#bundle = bundle;
    this.#hooks = hooks;
    this.#meter = meter;
    this.#notes = notes;
  }

  /** Tries every place that has the blob. @throws SealiftError of the last one */
  async fetch(blob: PlannedBlob, left: RemainingBlob): Promise<void> {
    let last: unknown;
    for (const from of blob.from) {
      try {
        const traffic =
          from.kind === 'span' ? await this.#copy(blob, from) : await this.#download(blob, from, left.prefix);
        this.#notes.complete(blob.digest);
        return await this.#tools.folder.append(TRAFFIC, traffic);
      } catch (error) {
        this.#hooks.signal.throwIfAborted();
        const local = error instanceof SealiftError && error.problem.side === 'local';
        if (local && from.kind !== 'span') throw error;
        last = error;
      }
    }
    throw last;
  }

  async #download(blob: PlannedBlob, from: Exclude<BlobFrom, { kind: 'span' }>, prefix: number): Promise<Traffic> {
    const { remotes, pool } = this.#tools;
    const { digest, size } = blob;
    const origin =
      from.kind === 'url'
        ? await fileOrigin(remotes, from.url)
        : await registryOrigin(remotes, from.host, from.repository, digest);
    const to = { path: this.#bundle.path, offset: this.#bundle.offsetOf(digest) };
    const onProgress = (written: number): void => {
      this.#notes.prefix(digest, written);
      this.#meter.update(digest, origin.subject, written, size);
    };
    onProgress(prefix);
    return downloadBlob(pool, origin, { digest, size, to, prefix }, { signal: this.#hooks.signal, onProgress });
  }

  async #copy({ digest, size }: PlannedBlob, from: Extract<BlobFrom, { kind: 'span' }>): Promise<Traffic> {
    const to = { path: this.#bundle.path, offset: this.#bundle.offsetOf(digest) };
    const { path, offset, shownAs = path } = from;
    const outcome = await this.#tools.pool.run({ kind: 'copy', from: { path, offset }, to, digest, size }, this.#hooks);
    this.#hooks.signal.throwIfAborted();
    if (outcome.kind === 'done') return { moved: 0, resumed: size };
    const failure = outcome.kind === 'failed' ? outcome : { type: 'InternalError' as const, message: outcome.kind };
    throw moveError(failure, 'local', 'copy blob', shownAs);
  }
}
