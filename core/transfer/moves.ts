import type { Digest } from '../../contracts/descriptor.ts';
import type { ErrorType } from '../../contracts/errors.ts';
import type { FileSpan, HttpTarget } from '../../contracts/transfer.ts';

/** http -> file: reads a blob straight to its place in the file, hashing on the way; http -> nothing when there is no file. */
export interface DownloadMove {
  kind: 'download';
  from: HttpTarget;
  to?: FileSpan;
  /** absent: nobody knows it yet, the outcome tells */
  digest?: Digest;
  size: number;
  /** bytes at the start of the blob that may be in the file already; they are hashed again, not trusted */
  prefix: number;
  /** the ETag that the prefix was read under, when no digest proves that the rest belongs to it */
  validator?: string;
}

/** file -> http: sends `[start, size)` of a blob in one request. The receiver checks the digest. */
export interface UploadMove {
  kind: 'upload';
  from: FileSpan;
  to: HttpTarget;
  method: 'PUT' | 'PATCH';
  size: number;
  start: number;
  /** exclusive end of this request's slice */
  end: number;
}

/** file -> file: a blob that is on this machine already, hashed on the way. */
export interface CopyMove {
  kind: 'copy';
  from: FileSpan;
  to: FileSpan;
  digest: Digest;
  size: number;
}

/** file -> nothing: the digest of a span. */
export interface HashMove {
  kind: 'hash';
  from: FileSpan;
  size: number;
}

export type Move = DownloadMove | UploadMove | CopyMove | HashMove;

/** How a move ended, as plain data from the thread that made it. */
export type MoveOutcome =
  /** download: the blob is in place and its digest was right; upload: the slice was accepted; hash: the digest */
  | { kind: 'done'; moved: number; resumed: number; status: number; headers: Record<string, string>; digest?: Digest }
  /** the server answered something else than success; nothing is wrong with the bytes */
  | { kind: 'answer'; status: number; headers: Record<string, string>; body: string; moved: number }
  /** `written`: download: contiguous bytes from the blob's start that are in the file now */
  | { kind: 'failed'; type: ErrorType; message: string; moved: number; written: number; validator?: string }
  | { kind: 'cancelled'; moved: number; written: number };

export interface MoveTimeouts {
  connectMs: number;
  stallMs: number;
  answerMs: number;
}

/** `SEALIFT_STALL_SECONDS` changes after how long without a byte a connection is given up. */
export function moveTimeouts(env: NodeJS.ProcessEnv): MoveTimeouts {
  const stall = Number(env['SEALIFT_STALL_SECONDS'] ?? '30');
  return { connectMs: 20_000, stallMs: (Number.isFinite(stall) && stall > 0 ? stall : 30) * 1000, answerMs: 600_000 };
}

/** main thread -> mover thread */
export type ThreadRequest = { id: number; move: Move } | { cancel: number };

/** mover thread -> main thread */
export type ThreadReply = { id: number; outcome: MoveOutcome } | { progress: { id: number; reached: number }[] };
