import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { canonicalJson } from '../canonical-json.ts';
import { SealiftError } from '../errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { forEachItem } from '../transfer/failures.ts';
import { ProgressMeter, type WorkHooks } from '../transfer/progress.ts';
import { loadImportPlan } from './check.ts';
import type { ImportPlan, Target } from './plan-types.ts';
import { pushBlob, type PushTools } from './push.ts';
import { UploadSessions } from './sessions.ts';
import { closureOf } from './targets.ts';

export const OUTCOMES = 'outcomes.jsonl';

/** One line for each target that is settled. */
export interface PublishOutcome {
  reference: string;
  outcome: 'published' | 'skipped';
}

/**
 * Makes the images of one batch whole: blobs that other repositories hold are mounted, manifests pushed children first,
 * the tag last, and the digest read back. Until its tag is written nothing of an image is visible.
 * @throws ItemsFailed when some can't be published; the others are
 */
export async function publishBatch(
  request: { batch: number; skip: readonly string[] },
  tools: PushTools,
  hooks: WorkHooks,
): Promise<void> {
  const plan = await loadImportPlan(tools.folder);
  const { start, end } = plan.publishBatches[request.batch]!;
  const targets = plan.targets.slice(start, end);
  const settled = new Set((await tools.folder.readLines<PublishOutcome>(OUTCOMES)).map(({ reference }) => reference));
  const publisher = new Publisher(plan, tools, hooks, await UploadSessions.load(tools.folder), new Set(request.skip));
  const meter = new ProgressMeter(hooks, { items: targets.length, bytes: 0 });
  const about = { side: 'destination', operation: 'publish', signal: hooks.signal } as const;
  await forEachItem(targets, tools.limiter, { ...about, id: ({ reference }) => reference }, async (target) => {
    const { reference } = target;
    if (!settled.has(reference)) {
      meter.update(reference, `${target.repository}:${target.tag}`, 0, 0);
      const outcome = await publisher.publish(target).finally(() => meter.drop(reference));
      await tools.folder.append(OUTCOMES, { reference, outcome } satisfies PublishOutcome);
    }
    meter.finish(reference, 0);
  });
}

class Publisher {
  readonly #plan: ImportPlan;
  readonly #tools: PushTools;
  readonly #hooks: WorkHooks;
  readonly #sessions: UploadSessions;
  readonly #skip: ReadonlySet<string>;
  /** fallback indexes are read, changed and written: one at a time */
  #fallback: Promise<void> = Promise.resolve();
  /** mounts under way or done, by repository and digest: images of one repository share them */
  readonly #mounts = new Map<string, Promise<void>>();

  constructor(
    plan: ImportPlan,
    tools: PushTools,
    hooks: WorkHooks,
    sessions: UploadSessions,
    skip: ReadonlySet<string>,
  ) {
    this.#plan = plan;
    this.#tools = tools;
    this.#hooks = hooks;
    this.#sessions = sessions;
    this.#skip = skip;
  }

  async publish(target: Target): Promise<PublishOutcome['outcome']> {
    const { bundle } = this.#tools;
    const { manifests, blobs } = await closureOf(bundle, target);
    const left = this.#skip.has(target.reference) || this.#skip.has(target.repository);
    if (left || blobs.some(({ digest }) => this.#skip.has(digest))) return 'skipped';
    await Promise.all(blobs.map((blob) => this.#mount(target.repository, blob)));
    const attached = new Set(target.attached.map(({ digest }) => digest));
    for (const { digest } of manifests) {
      if (digest !== target.root && !attached.has(digest)) await this.#put(target, digest, digest, blobs);
    }
    for (const { digest, tag } of target.attached) await this.#putAttached(target, digest, tag, blobs);
    await this.#put(target, target.root, target.tag, blobs);
    await this.#readBack(target);
    return 'published';
  }

  /** In its home a blob is there already; elsewhere it is mounted, or sent where the registry won't mount. */
  #mount(repository: string, { digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<void> {
    const home = this.#plan.homes[digest];
    if (home === repository) return Promise.resolve();
    const key = `${repository}@${digest}`;
    const known = this.#mounts.get(key);
    if (known !== undefined) return known;
    const mount = pushBlob({ repository, digest, size }, home, this.#sessions, undefined, this.#tools, this.#hooks);
    this.#mounts.set(key, mount);
    mount.catch(() => this.#mounts.delete(key));
    return mount;
  }

  /** @returns whether the registry knows the subject relation of what it took */
  async #put(target: Target, digest: Digest, as: string, blobs: Descriptor[]): Promise<{ subjectAccepted: boolean }> {
    const { bundle, client } = this.#tools;
    const bytes = await bundle.read(digest);
    const { mediaType } = parseManifest(bytes);
    try {
      return await client.putManifest(target.repository, as, mediaType, bytes);
    } catch (error) {
      if (!isMissingBlob(error)) throw error;
      // A registry that collected garbage meanwhile: bring what it lost, once.
      await this.#restore(target.repository, blobs);
      return client.putManifest(target.repository, as, mediaType, bytes);
    }
  }

  async #restore(repository: string, blobs: Descriptor[]): Promise<void> {
    for (const { digest, size } of blobs) {
      if ((await this.#tools.client.headBlob(repository, digest)) !== undefined) continue;
      await pushBlob({ repository, digest, size }, undefined, this.#sessions, undefined, this.#tools, this.#hooks);
    }
  }

  async #putAttached(target: Target, digest: Digest, tag: string | undefined, blobs: Descriptor[]): Promise<void> {
    const { subjectAccepted } = await this.#put(target, digest, tag ?? digest, blobs);
    const bytes = await this.#tools.bundle.read(digest);
    const { subject, artifactType, annotations, mediaType } = parseManifest(bytes);
    if (subject === undefined || subjectAccepted) return;
    const type = artifactType === undefined ? {} : { artifactType };
    const notes = annotations === undefined ? {} : { annotations };
    const referrer: Descriptor = { mediaType, digest, size: bytes.length, ...type, ...notes };
    const turn = this.#fallback.then(() => this.#addToFallback(target.repository, subject.digest, referrer));
    this.#fallback = turn.catch(() => undefined);
    await turn;
  }

  /** A registry without the referrers API finds referrers by an index under a tag (distribution-spec v1.1, "Referrers Tag Schema"). */
  async #addToFallback(repository: string, subject: Digest, referrer: Descriptor): Promise<void> {
    const { client } = this.#tools;
    const tag = subject.replace(':', '-');
    const known =
      (await client.headManifest(repository, tag)) === undefined
        ? undefined
        : await client.fetchManifest(repository, tag);
    const listed = known === undefined ? [] : parseManifest(known.bytes, known.descriptor.mediaType).children;
    if (listed.some(({ digest }) => digest === referrer.digest)) return;
    const manifests = [...listed, referrer].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    const index = Buffer.from(canonicalJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }));
    await client.putManifest(repository, tag, MediaType.ociIndex, index);
  }

  async #readBack({ repository, tag, root }: Target): Promise<void> {
    const found = await this.#tools.client.headManifest(repository, tag);
    if (found?.digest === root) return;
    throw new SealiftError('TagConflict', {
      side: 'destination',
      operation: 'read back tag',
      subject: `${repository}:${tag}`,
      message: `it was written as ${root} and reads as ${found?.digest ?? 'nothing'}`,
      remedy: 'something else writes this tag, or the registry serves stale answers: find out, then retry',
    });
  }
}

function isMissingBlob(error: unknown): boolean {
  return error instanceof SealiftError && error.type === 'BlobMissing';
}
