import type { Digest } from '../../contracts/descriptor.ts';
import type { FileSpan, HttpTarget } from '../../contracts/transfer.ts';
import { SealiftError } from '../errors.ts';
import type { MoverPool } from './pool.ts';
import { Patience, remedies, waitForQuiet } from './retry.ts';

/** Where a blob can be read from over HTTP. */
export interface BlobOrigin {
  /** named in errors, e.g. `registry.example/app@sha256:...` */
  subject: string;
  /** `host[:port]`, for throttling */
  host: string;
  target(): Promise<HttpTarget>;
  /** after a 401. @throws SealiftError RegistryUnauthorized when no other credentials are to be had */
  reauthorize(challenge: string | undefined, rejected: string | undefined): Promise<void>;
  /** the target of a redirect; credentials stay behind when it leads to another host */
  redirected(target: HttpTarget, location: string): HttpTarget;
  /** what an answer other than success means here */
  refused(status: number, headers: Record<string, string>, body: string): SealiftError;
}

export interface DownloadHooks {
  signal: AbortSignal;
  /** contiguous bytes of the blob that are in the file, a few times a second */
  onProgress(written: number): void;
}

const MAX_REDIRECTS = 5;

/**
 * Brings one blob to its place in a file (without one: hashes it only), from wherever an earlier try left it, through resets, stalls, expiring tokens
 * and redirects. Only complete and with the right digest does it resolve.
 * @param prefix bytes that may be in the file already; proven by hashing, never trusted
 * @returns bytes that crossed the network, bytes that did not need to, and the digest (for a blob whose digest nobody knew)
 * @throws SealiftError of the source side; the signal's reason when aborted
 */
export async function downloadBlob(
  pool: MoverPool,
  origin: BlobOrigin,
  blob: { digest?: Digest; size: number; to?: FileSpan; prefix: number },
  hooks: DownloadHooks,
): Promise<{ moved: number; resumed: number; digest: Digest }> {
  const { digest, size, to } = blob;
  const patience = new Patience(origin.host, hooks.signal, blob.prefix);
  let prefix = blob.prefix;
  let moved = 0;
  let authorized = false;
  let redirects = 0;
  let target: HttpTarget | undefined;
  for (;;) {
    await waitForQuiet(origin.host, hooks.signal);
    const from: HttpTarget = target ?? (await origin.target());
    const base = prefix;
    const outcome = await pool.run(
      {
        kind: 'download',
        from,
        size,
        prefix,
        ...(to === undefined ? {} : { to }),
        ...(digest === undefined ? {} : { digest }),
      },
      { signal: hooks.signal, onProgress: (bytes) => hooks.onProgress(Math.min(size, base + bytes)) },
    );
    moved += outcome.moved;
    if (outcome.kind === 'done') return { moved, resumed: Math.max(0, size - moved), digest: outcome.digest! };
    if (outcome.kind === 'cancelled') {
      hooks.onProgress(outcome.written);
      hooks.signal.throwIfAborted();
    }
    if (outcome.kind === 'answer') {
      const { status, headers, body } = outcome;
      const location = headers['location'];
      if (status >= 300 && status < 400 && location !== undefined && redirects++ < MAX_REDIRECTS) {
        target = origin.redirected(from, location);
        continue;
      }
      if (status === 401 && !authorized) {
        authorized = true;
        await origin.reauthorize(headers['www-authenticate'], from.headers['authorization']);
        target = undefined;
        continue;
      }
      // A pre-signed URL that expired on the way: ask the origin for a new one.
      const stale =
        target !== undefined && (status === 401 || status === 403 || status === 404) && redirects <= MAX_REDIRECTS;
      target = undefined;
      if (stale) continue;
      await patience.after(origin.refused(status, headers, body), prefix);
    } else if (outcome.kind === 'failed') {
      prefix = to === undefined ? 0 : outcome.written;
      hooks.onProgress(prefix);
      target = undefined;
      redirects = 0;
      authorized = false;
      await patience.after(moveError(outcome, 'source', 'fetch blob', origin.subject), prefix);
    }
  }
}

/** A failed move as an error with a remedy. */
export function moveError(
  outcome: { type: SealiftError['type']; message: string },
  side: 'source' | 'destination' | 'local',
  operation: string,
  subject: string,
): SealiftError {
  const local =
    outcome.type === 'DiskFull' ||
    outcome.type === 'PathUnwritable' ||
    outcome.type === 'FileMissing' ||
    outcome.type === 'BundleCorrupt';
  return new SealiftError(outcome.type, {
    side: local ? 'local' : side,
    operation,
    subject,
    message: outcome.message,
    remedy: remedies[outcome.type] ?? '',
  });
}
