import type { Digest } from '../../contracts/descriptor.ts';
import { planLayout } from '../bundle/layout.ts';
import { openPartialBundle, type PartialBundle } from '../bundle/partial-bundle.ts';
import type { MoverPool } from '../transfer/pool.ts';
import { loadPlan } from './plan-store.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';

interface Open {
  planDigest: Digest;
  bundle: Promise<PartialBundle>;
  users: number;
  idle?: NodeJS.Timeout;
}

/** How long a partial bundle stays open for the next activity: opening writes all metadata again. */
const IDLE_MS = 5000;

/** The partial bundles that activities of this process write into together: each is open once, whatever runs on it. */
export class OpenBundles {
  readonly #open = new Map<string, Open>();
  readonly #pool: MoverPool;

  constructor(pool: MoverPool) {
    this.#pool = pool;
  }

  /** Runs `work` on the partial bundle of `output`, opened for this plan. @throws those of openPartialBundle and `work` */
  async use<T>(
    output: string,
    folder: WorkFolder,
    planDigest: Digest,
    work: (bundle: PartialBundle) => Promise<T>,
  ): Promise<T> {
    const known = this.#open.get(output);
    if (known !== undefined && known.planDigest !== planDigest) await this.close(output);
    const open = this.#open.get(output) ?? this.#start(output, folder, planDigest);
    clearTimeout(open.idle);
    open.users += 1;
    try {
      return await work(await open.bundle);
    } finally {
      open.users -= 1;
      if (open.users === 0) open.idle = setTimeout(() => void this.close(output), IDLE_MS).unref();
    }
  }

  /** Closes it now: before it is sealed, planned anew, or thrown away by somebody else. */
  async close(output: string): Promise<void> {
    const open = this.#open.get(output);
    if (open === undefined) return;
    clearTimeout(open.idle);
    this.#open.delete(output);
    const bundle = await open.bundle.catch(() => undefined);
    await bundle?.sync().catch(() => undefined);
    await bundle?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((output) => this.close(output)));
  }

  #start(output: string, folder: WorkFolder, planDigest: Digest): Open {
    const open: Open = { planDigest, users: 0, bundle: this.#openBundle(output, folder, planDigest) };
    open.bundle.catch(() => {
      if (this.#open.get(output) === open) this.#open.delete(output);
    });
    this.#open.set(output, open);
    return open;
  }

  async #openBundle(output: string, folder: WorkFolder, planDigest: Digest): Promise<PartialBundle> {
    const { plan, index } = await loadPlan(folder, planDigest);
    const layout = planLayout({ index, metadata: plan.metadata, blobs: plan.blobs });
    return openPartialBundle({
      output,
      layout,
      planDigest,
      index,
      metadata: (digest) => folder.readBlob(digest),
      hash: async (path, offset, size) => {
        const outcome = await this.#pool.run({ kind: 'hash', from: { path, offset }, size });
        if (outcome.kind !== 'done') throw new Error(`cannot hash ${path} at ${offset}: ${outcome.kind}`);
        return outcome.digest!;
      },
    });
  }
}
