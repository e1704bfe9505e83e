import { errorKinds, type ErrorType } from '../../contracts/errors.ts';
import type { SealiftError } from '../errors.ts';
import { delay } from './concurrency.ts';

/** Tries in a row that bring nothing before an error is handed up. */
const FRUITLESS_TRIES = 5;
const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 15_000;
/** A Retry-After longer than this is Temporal's to wait for: the activity ends and is scheduled later. */
const LONGEST_WAIT_MS = 60_000;

/** Until when each host asked to be left alone (429): everything in this process that goes to it waits, other hosts go on. */
const quietUntil = new Map<string, number>();

export function quiet(host: string, milliseconds: number): void {
  quietUntil.set(host, Math.max(quietUntil.get(host) ?? 0, performance.now() + milliseconds));
}

export async function waitForQuiet(host: string, signal: AbortSignal): Promise<void> {
  const rest = (quietUntil.get(host) ?? 0) - performance.now();
  if (rest > 0) await delay(rest, signal);
}

/** Counts tries: those that got further than any before are free, the others are paced and few. */
export class Patience {
  readonly #signal: AbortSignal;
  readonly #host: string;
  #best: number;
  #fruitless = 0;

  constructor(host: string, signal: AbortSignal, reached: number) {
    this.#host = host;
    this.#signal = signal;
    this.#best = reached;
  }

  /** Pauses before the next try. @throws the error itself when it won't get better by trying */
  async after(error: SealiftError, reached: number): Promise<void> {
    if (errorKinds[error.type].disposition !== 'transient') throw error;
    if (reached > this.#best) this.#fruitless = 0;
    this.#best = Math.max(this.#best, reached);
    this.#fruitless += 1;
    const asked = error.retryAfterMs ?? 0;
    if (this.#fruitless > FRUITLESS_TRIES || asked > LONGEST_WAIT_MS) throw error;
    if (error.type === 'RegistryThrottled') quiet(this.#host, Math.max(asked, 1000));
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#fruitless - 1));
    await delay(Math.max(asked, pause * (0.75 + Math.random() / 2)), this.#signal);
    this.#signal.throwIfAborted();
  }
}

export const remedies: Partial<Record<ErrorType, string>> = {
  ConnectionFailed: 'check the network and the host; the next try goes on where this one stopped',
  Stalled: 'check the network and the host; SEALIFT_STALL_SECONDS changes the patience',
  BodyTruncated: 'the next try goes on where this one stopped',
  CertificateUntrusted:
    'give the certificate authority with --ca-file, or put it into certs.d/<host>/ca.crt of the configuration folder',
  DiskFull: 'free some space on that disk, then retry: what is there is kept',
  PathUnwritable: 'make the path writable for the user the worker runs as, then retry',
  DigestMismatch:
    'the origin serves other bytes than it promises: check the origin or a proxy on the way, and the source',
  SizeMismatch:
    'the origin serves other bytes than it promises: check the origin or a proxy on the way, and the source',
  BundleCorrupt: 'carry the bundle over again and compare its sha256',
  FileMissing: 'put the file back, then retry',
};
