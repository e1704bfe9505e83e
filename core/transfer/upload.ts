import type { Digest } from '../../contracts/descriptor.ts';
import type { FileSpan, HttpTarget } from '../../contracts/transfer.ts';
import { SealiftError } from '../errors.ts';
import { delay } from './concurrency.ts';
import { moveError } from './download.ts';
import type { MoveOutcome } from './moves.ts';
import type { MoverPool } from './pool.ts';
import { Patience, waitForQuiet } from './retry.ts';

/** A repository that takes blobs by the distribution-spec v1.1 upload protocol. */
export interface BlobDestination {
  subject: string;
  host: string;
  mountOrBegin(
    digest: Digest,
    fromRepository: string | undefined,
  ): Promise<{ mounted: true } | { mounted: false; location: string }>;
  uploadStatus(location: string): Promise<{ location: string; offset: number }>;
  finishUpload(location: string, digest: Digest): Promise<void>;
  /** the URL of the request that seals a session */
  finishUrl(location: string, digest: Digest): string;
  has(digest: Digest, size: number): Promise<boolean>;
  target(url: string): Promise<HttpTarget>;
  reauthorize(challenge: string | undefined, rejected: string | undefined): Promise<void>;
  refused(status: number, headers: Record<string, string>, body: string): SealiftError;
}

export interface UploadHooks {
  signal: AbortSignal;
  /** bytes of the blob that the registry has, a few times a second */
  onProgress(sent: number): void;
  /** the upload session to go on with after a crash; undefined when it is used up. Durable when it resolves */
  onSession(location: string | undefined): Promise<void>;
}

export interface UploadReport {
  moved: number;
  mounted: boolean;
}

/** Blobs up to this size go in one PUT: starting them again costs less than a session. */
const MONOLITHIC_LIMIT = 4 * 1024 * 1024;

/** A session whose size is the same after so long gets nothing any more from a connection that is gone. */
const SETTLE_MS = 100;

/** What a host turned out not to be able to do; found by its answers, kept for the life of the process. */
interface HostProfile {
  monolithic: boolean;
  /** the largest PATCH it takes, bytes */
  chunk: number;
}

const profiles = new Map<string, HostProfile>();

function profileOf(host: string): HostProfile {
  const known = profiles.get(host) ?? { monolithic: false, chunk: Number.MAX_SAFE_INTEGER };
  profiles.set(host, known);
  return known;
}

/**
 * Sends one blob, going on with `session` from where the registry says it stands. The registry checks the digest; a
 * blob that can be mounted from `fromRepository` is not sent at all.
 * @throws SealiftError of the destination side; the signal's reason when aborted
 */
export async function uploadBlob(
  pool: MoverPool,
  destination: BlobDestination,
  blob: { digest: Digest; size: number; from: FileSpan; fromRepository?: string; session?: string },
  hooks: UploadHooks,
): Promise<UploadReport> {
  const patience = new Patience(destination.host, hooks.signal, 0);
  const upload = new Upload(pool, destination, blob, hooks);
  for (;;) {
    await waitForQuiet(destination.host, hooks.signal);
    try {
      return await upload.go();
    } catch (thrown) {
      hooks.signal.throwIfAborted();
      if (!(thrown instanceof SealiftError)) throw thrown;
      if (thrown.type === 'UploadSessionLost') await upload.sessionLost();
      await patience.after(thrown, upload.sent);
    }
  }
}

class Upload {
  sent = 0;
  #moved = 0;
  #location: string | undefined;
  /** whether the registry must be asked where the session stands: always, unless it just told us */
  #doubt = true;
  #asking = false;
  /** an answer may have been lost: look whether the blob is there before it is sent again */
  #again = false;
  #lostAt: number | undefined;
  readonly #pool: MoverPool;
  readonly #destination: BlobDestination;
  readonly #blob: { digest: Digest; size: number; from: FileSpan; fromRepository?: string };
  readonly #hooks: UploadHooks;
  readonly #profile: HostProfile;

  constructor(
    pool: MoverPool,
    destination: BlobDestination,
    blob: { digest: Digest; size: number; from: FileSpan; fromRepository?: string; session?: string },
    hooks: UploadHooks,
  ) {
    this.#pool = pool;
    this.#destination = destination;
    this.#blob = blob;
    this.#hooks = hooks;
    this.#location = blob.session;
    this.#profile = profileOf(destination.host);
  }

  async go(): Promise<UploadReport> {
    const { size, digest } = this.#blob;
    if (this.#location === undefined) {
      if (this.#again && (await this.#destination.has(digest, size))) return this.#done();
      this.#again = true;
      if (await this.#begin()) return { moved: this.#moved, mounted: true };
    }
    if (this.#profile.monolithic || size <= MONOLITHIC_LIMIT) {
      await this.#putWhole();
      return this.#done();
    }
    if (this.#doubt) await this.#ask();
    while (this.sent < size) {
      await this.#patch();
      if (this.#location === undefined) return this.go();
      if (this.#doubt) await this.#ask();
    }
    await this.#destination.finishUpload(this.#location!, digest);
    return this.#done();
  }

  async #done(): Promise<UploadReport> {
    await this.#hooks.onSession(undefined);
    return { moved: this.#moved, mounted: false };
  }

  /** After a restart a registry may refuse a location that it re-signs when asked: ask first, begin anew only when that is no help. */
  async sessionLost(): Promise<void> {
    if (this.#asking || this.#lostAt === this.sent) return this.forget();
    this.#lostAt = this.sent;
    this.#doubt = true;
  }

  async forget(): Promise<void> {
    this.#location = undefined;
    this.#again = true;
    this.#asking = false;
    this.#lostAt = undefined;
    this.sent = 0;
    await this.#hooks.onSession(undefined);
  }

  /** @returns whether the blob was mounted, so that nothing is left to send */
  async #begin(): Promise<boolean> {
    const { digest, fromRepository, size } = this.#blob;
    const begun = await this.#destination.mountOrBegin(digest, fromRepository);
    if (begun.mounted) return true;
    this.#location = begun.location;
    this.#doubt = false;
    this.sent = 0;
    if (size > MONOLITHIC_LIMIT) await this.#hooks.onSession(begun.location);
    return false;
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const { location, offset } = await this.#settled(this.#location!);
    this.#asking = false;
    if (offset > this.#blob.size)
      throw lost(this.#destination.subject, `the session holds ${offset} bytes, the blob has ${this.#blob.size}`);
    this.#location = location;
    this.sent = offset;
    this.#doubt = false;
    this.#hooks.onProgress(offset);
    await this.#hooks.onSession(location);
  }

  /** Where a session stands, once the registry has taken in what a dead connection left in its buffers: to write beside that would spoil both. */
  async #settled(location: string): Promise<{ location: string; offset: number }> {
    let stands = await this.#destination.uploadStatus(location);
    while (stands.offset > 0 && stands.offset < this.#blob.size) {
      await delay(SETTLE_MS, this.#hooks.signal);
      this.#hooks.signal.throwIfAborted();
      const before = stands.offset;
      stands = await this.#destination.uploadStatus(stands.location);
      if (stands.offset === before) break;
    }
    return stands;
  }

  /** POST then PUT (distribution-spec "Single POST" is optional for registries; this form is not). */
  async #putWhole(): Promise<void> {
    const url = this.#destination.finishUrl(this.#location!, this.#blob.digest);
    // A session that is not finished in one go is left behind: the next try begins another.
    this.#location = undefined;
    await this.#send('PUT', url, 0, this.#blob.size);
  }

  async #patch(): Promise<void> {
    const start = this.sent;
    const end = Math.min(this.#blob.size, start + this.#profile.chunk);
    this.#doubt = true;
    const outcome = await this.#send('PATCH', this.#location!, start, end);
    if (outcome === undefined) return;
    // Trust the 2xx, not its Range header: some registries send a stale one (facts: ECR).
    this.sent = end;
    this.#doubt = false;
    const location = outcome.headers['location'];
    if (location !== undefined) this.#location = nextLocation(location, this.#location!);
    await this.#hooks.onSession(this.#location);
  }

  /** @returns undefined when the host's profile was lowered and the request should be made in another way */
  async #send(
    method: 'PUT' | 'PATCH',
    url: string,
    start: number,
    end: number,
  ): Promise<Extract<MoveOutcome, { kind: 'done' }> | undefined> {
    const { from, size } = this.#blob;
    const destination = this.#destination;
    for (let authorized = false; ; authorized = true) {
      const to = await destination.target(url);
      const outcome = await this.#pool.run(
        { kind: 'upload', from, to, method, size, start, end },
        { signal: this.#hooks.signal, onProgress: (bytes) => this.#hooks.onProgress(start + bytes) },
      );
      this.#moved += outcome.moved;
      if (outcome.kind === 'done') {
        this.#hooks.onProgress(end);
        return outcome;
      }
      this.#hooks.signal.throwIfAborted();
      if (outcome.kind === 'failed') throw moveError(outcome, 'destination', 'push blob', destination.subject);
      if (outcome.kind === 'cancelled')
        throw moveError(
          { type: 'ConnectionFailed', message: 'cancelled' },
          'destination',
          'push blob',
          destination.subject,
        );
      if (outcome.status === 401 && !authorized) {
        await destination.reauthorize(outcome.headers['www-authenticate'], to.headers['authorization']);
        continue;
      }
      if (method === 'PATCH' && (await this.#adapt(outcome, end - start))) return undefined;
      throw this.#refused(outcome);
    }
  }

  /** Learns from a refused PATCH what this host can't do. @returns whether there is another way */
  async #adapt(answer: Answer, length: number): Promise<boolean> {
    const { status } = answer;
    const plainRefusal = status === 400 && this.sent === 0 && !isLoss(answer);
    if (status === 405 || status === 501 || plainRefusal) {
      this.#profile.monolithic = true;
      await this.forget();
      return true;
    }
    if ((status !== 413 && status !== 416) || length <= MONOLITHIC_LIMIT) return false;
    if (status === 416) {
      // Out of step, or too long for this host: where the session stands tells which.
      const start = this.sent;
      await this.#ask();
      if (this.sent !== start) return true;
    }
    this.#profile.chunk = MONOLITHIC_LIMIT;
    return true;
  }

  #refused(answer: Answer): SealiftError {
    const { status, headers, body } = answer;
    // A session that is out of step or gone: the registry is asked, and a new one is begun when it has forgotten it.
    if (isLoss(answer))
      return lost(this.#destination.subject, `the registry answered ${status} in the middle of an upload`);
    return this.#destination.refused(status, headers, body);
  }
}

type Answer = Extract<MoveOutcome, { kind: 'answer' }>;

function isLoss({ status, body }: Answer): boolean {
  return status === 404 || status === 416 || (status === 400 && /BLOB_UPLOAD_(INVALID|UNKNOWN)/.test(body));
}

/** A TLS-terminating proxy makes registries answer `http://` for themselves: a session stays with the scheme it began with. */
function nextLocation(location: string, current: string): string {
  const from = new URL(current);
  const next = new URL(location, from);
  if (next.host === from.host) next.protocol = from.protocol;
  return next.href;
}

function lost(subject: string, message: string): SealiftError {
  return new SealiftError('UploadSessionLost', {
    side: 'destination',
    operation: 'push blob',
    subject,
    message,
    remedy:
      'a new upload session is started by itself; if it happens again and again, check the registry and its load balancer',
  });
}
