import type { Digest } from '../../contracts/descriptor.ts';
import type { ErrorType } from '../../contracts/errors.ts';
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

export interface DownloadReport {
  /** bytes that crossed the network */
  moved: number;
  /** bytes that did not need to */
  resumed: number;
  /** for a blob whose digest nobody knew */
  digest: Digest;
}

/** A blob to fetch. Without `to` it is hashed only; `prefix` bytes may be in the file already: proven by hashing, never trusted. */
export interface BlobToFetch {
  digest?: Digest;
  size: number;
  to?: FileSpan;
  prefix: number;
}

/**
 * Brings one blob to its place in a file, from wherever an earlier try left it, through resets, stalls, expiring tokens
 * and redirects. Only complete and with the right digest does it resolve.
 * @throws SealiftError of the source side; the signal's reason when aborted
 */
export async function downloadBlob(
  pool: MoverPool,
  origin: BlobOrigin,
  blob: BlobToFetch,
  hooks: DownloadHooks,
): Promise<DownloadReport> {
  const patience = new Patience(origin.host, hooks.signal, blob.prefix);
  const route = new Route(origin);
  // With no digest to prove that old and new bytes belong together, a part from who knows when is worth nothing.
  let prefix = blob.digest === undefined && blob.prefix < blob.size ? 0 : blob.prefix;
  let validator: string | undefined;
  let moved = 0;
  for (;;) {
    await waitForQuiet(origin.host, hooks.signal);
    hooks.signal.throwIfAborted();
    const seen = validator === undefined ? {} : { validator };
    const outcome = await pool.run({ kind: 'download', ...blob, ...seen, from: await route.target(), prefix }, hooks);
    moved += outcome.moved;
    if (outcome.kind === 'done') return { moved, resumed: Math.max(0, blob.size - moved), digest: outcome.digest! };
    if (outcome.kind === 'answer') {
      if (!(await route.adapt(outcome))) {
        await patience.after(origin.refused(outcome.status, outcome.headers, outcome.body), prefix);
        route.reset();
      }
      continue;
    }
    validator = blob.digest === undefined && outcome.kind === 'failed' ? outcome.validator : undefined;
    const worthless = blob.to === undefined || (blob.digest === undefined && validator === undefined);
    prefix = worthless ? 0 : outcome.written;
    hooks.onProgress(prefix);
    hooks.signal.throwIfAborted();
    route.reset();
    const failure = outcome.kind === 'failed' ? outcome : { type: 'ConnectionFailed' as const, message: 'cancelled' };
    await patience.after(moveError(failure, 'source', 'fetch blob', origin.subject), prefix);
  }
}

/** The way to the bytes: the origin itself, or where it redirects to, with credentials renewed once when they are refused. */
class Route {
  readonly #origin: BlobOrigin;
  #target: HttpTarget | undefined;
  #redirected = false;
  #redirects = 0;
  #authorized = false;

  constructor(origin: BlobOrigin) {
    this.#origin = origin;
  }

  async target(): Promise<HttpTarget> {
    this.#target ??= await this.#origin.target();
    return this.#target;
  }

  reset(): void {
    this.#target = undefined;
    this.#redirected = false;
    this.#redirects = 0;
    this.#authorized = false;
  }

  /** @returns whether the answer showed another way to try at once */
  async adapt({ status, headers }: { status: number; headers: Record<string, string> }): Promise<boolean> {
    const from = this.#target!;
    const location = headers['location'];
    if (status >= 300 && status < 400 && location !== undefined && this.#redirects++ < MAX_REDIRECTS) {
      this.#target = this.#origin.redirected(from, location);
      this.#redirected = true;
      return true;
    }
    const wasRedirected = this.#redirected;
    this.#target = undefined;
    this.#redirected = false;
    // A pre-signed URL that expired on the way: the origin gives a new one.
    if (wasRedirected) return [401, 403, 404].includes(status) && this.#redirects < MAX_REDIRECTS;
    if (status !== 401 || this.#authorized) return false;
    this.#authorized = true;
    await this.#origin.reauthorize(headers['www-authenticate'], from.headers['authorization']);
    return true;
  }
}

const localTypes: readonly ErrorType[] = ['DiskFull', 'PathUnwritable', 'FileMissing', 'BundleCorrupt'];

/** A failed move as an error with a remedy. */
export function moveError(
  outcome: { type: SealiftError['type']; message: string },
  side: 'source' | 'destination' | 'local',
  operation: string,
  subject: string,
): SealiftError {
  return new SealiftError(outcome.type, {
    side: localTypes.includes(outcome.type) ? 'local' : side,
    operation,
    subject,
    message: outcome.message,
    remedy: remedies[outcome.type] ?? '',
  });
}
