import type { Digest } from '../../contracts/descriptor.ts';
import type { Bundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { moveError } from '../transfer/download.ts';
import { forEachItem } from '../transfer/failures.ts';
import type { MoverPool } from '../transfer/pool.ts';
import { ProgressMeter, type WorkHooks } from '../transfer/progress.ts';

export interface BlobSize {
  digest: Digest;
  size: number;
}

/**
 * Hashes blobs of a bundle where they lie.
 * @param verified is told of each one that is right
 * @throws ItemsFailed with BundleCorrupt naming entry and offset; it stops early unless `all`
 */
export async function verifyBundleBlobs(
  bundle: Bundle,
  blobs: readonly BlobSize[],
  tools: { pool: MoverPool; limiter: Limiter; all?: boolean },
  hooks: WorkHooks,
  verified: (digest: Digest) => void,
): Promise<void> {
  const meter = new ProgressMeter(hooks, {
    items: blobs.length,
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
  });
  const about = {
    side: 'local',
    operation: 'verify',
    signal: hooks.signal,
    id: ({ digest }: BlobSize) => digest,
  } as const;
  await forEachItem(blobs, tools.limiter, { ...about, goOn: tools.all === true }, async ({ digest, size }) => {
    const { offset } = bundle.locate(digest)!;
    const onProgress = (done: number): void => meter.update(digest, digest, done, size);
    const outcome = await tools.pool.run(
      { kind: 'hash', from: { path: bundle.path, offset }, size },
      { signal: hooks.signal, onProgress },
    );
    hooks.signal.throwIfAborted();
    if (outcome.kind === 'failed') throw moveError(outcome, 'local', 'verify', bundle.path);
    if (outcome.kind !== 'done' || outcome.digest !== digest)
      throw alteredBlob(bundle, digest, offset, outcome.kind === 'done' ? outcome.digest : undefined);
    meter.finish(digest, size);
    verified(digest);
  });
}

/** What is said of a blob of the bundle whose bytes have another digest. */
export function alteredBlob(bundle: Bundle, digest: Digest, offset: number, found: Digest | undefined): SealiftError {
  return new SealiftError('BundleCorrupt', {
    side: 'local',
    operation: 'verify',
    subject: bundle.path,
    message: `entry blobs/${digest.replace(':', '/')} at byte ${offset} has digest ${found ?? 'unknown'}: it was altered`,
    remedy: 'carry the bundle over again and compare its sha256sum with the one at its origin',
  });
}
