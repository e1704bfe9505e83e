import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Digest } from '../../contracts/descriptor.ts';
import type { ErrorType } from '../../contracts/errors.ts';
import type { HttpTarget } from '../../contracts/transfer.ts';
import { ConnectionError, HttpConnection, connectionKey, type BodyWriter, type Exchange } from './http-connection.ts';
import { ProtocolError, type BodySink, type ResponseHead } from './http-response.ts';
import type { CopyMove, DownloadMove, HashMove, Move, MoveOutcome, MoveTimeouts, UploadMove } from './moves.ts';

const READ_SIZE = 1024 * 1024;
const ANSWER_LIMIT = 16 * 1024;
/** How long the answer to a PATCH may take, in stall timeouts. */
const PATCH_ANSWER_STALLS = 4;

/** A move that can't go on, with the name it crosses to the main thread by. */
class MoveError extends Error {
  readonly type: ErrorType;
  constructor(type: ErrorType, message: string) {
    super(message);
    this.type = type;
  }
}

/** An answer to a Range request that is not that range. */
class WrongRange extends ProtocolError {}

interface Running {
  moved: number;
  /** download: contiguous bytes of the blob that are in the file */
  written?: number;
  /** download: the strong ETag of what is being read */
  validator?: string;
  cancelled: boolean;
  connection?: HttpConnection;
}

/** Makes moves one after another or interleaved, on kept-alive connections. One instance a thread; files are read and written synchronously. */
export class Mover {
  readonly #idle: HttpConnection[] = [];
  readonly #running = new Map<number, Running>();
  readonly #timeouts: MoveTimeouts;

  constructor(timeouts: MoveTimeouts) {
    this.#timeouts = timeouts;
  }

  /** how far every running move is */
  progress(): { id: number; reached: number }[] {
    return [...this.#running].map(([id, { moved, written }]) => ({ id, reached: written ?? moved }));
  }

  cancel(id: number): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.cancelled = true;
    running.connection?.destroy();
  }

  /** Never rejects: everything that can happen is an outcome. */
  async run(id: number, move: Move): Promise<MoveOutcome> {
    const running: Running = { moved: 0, cancelled: false };
    // What an earlier attempt brought stays, also when this one ends before it looks at it.
    if (move.kind === 'download') {
      running.written = Math.min(move.prefix, move.size);
      if (move.validator !== undefined) running.validator = move.validator;
    }
    this.#running.set(id, running);
    try {
      switch (move.kind) {
        case 'hash':
          return await hashSpan(move, running);
        case 'copy':
          return await copySpan(move, running);
        case 'download':
          return await this.#download(move, running);
        case 'upload':
          return await this.#upload(move, running);
      }
    } catch (error) {
      const { moved, written = 0, validator } = running;
      if (running.cancelled) return { kind: 'cancelled', moved, written };
      const seen = validator === undefined ? {} : { validator };
      return { kind: 'failed', ...describeFailure(error), moved, written, ...seen };
    } finally {
      this.#running.delete(id);
    }
  }

  async #download(move: DownloadMove, running: Running): Promise<MoveOutcome> {
    const file = move.to === undefined ? undefined : openSync(move.to.path, 'r+');
    try {
      const start = Math.min(move.prefix, move.size);
      const outcome = await this.#downloadFrom(move, running, file, start).catch((error: unknown) => {
        // A server that gets ranges wrong still has the whole.
        if (!(error instanceof WrongRange) || start === 0) throw error;
        return this.#downloadFrom(move, running, file, 0);
      });
      const wrong = outcome.kind === 'failed' && outcome.type === 'DigestMismatch';
      // Bytes that an earlier attempt left may be what is wrong: only a blob read in one go proves the server wrong.
      return wrong && start > 0 ? await this.#downloadFrom(move, running, file, 0) : outcome;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  async #downloadFrom(
    move: DownloadMove,
    running: Running,
    file: number | undefined,
    start: number,
  ): Promise<MoveOutcome> {
    const sink = new FileSink(move, running, file, start);
    await sink.hashPrefix();
    let answer = '';
    let head: ResponseHead = { status: 200, headers: {} };
    if (start < move.size || move.size === 0) {
      const headers: Record<string, string> = { ...move.from.headers, 'Accept-Encoding': 'identity' };
      if (start > 0) headers['Range'] = `bytes=${start}-`;
      if (start > 0 && move.validator !== undefined) headers['If-Range'] = move.validator;
      head = await this.#exchange(move.from, running, {
        method: 'GET',
        headers,
        onHead: (head) => {
          if (head.status === 200 || head.status === 206) return sink.accept(head);
          return (chunk) => (answer = collect(answer, chunk));
        },
      });
      // The file holds more than the server has, or a server that can't do ranges said so: start over.
      if (head.status === 416 && start > 0) return this.#downloadFrom(move, running, file, 0);
      if (head.status !== 200 && head.status !== 206)
        return { kind: 'answer', ...head, body: answer, moved: running.moved };
    }
    return sink.finish(head);
  }

  async #upload(move: UploadMove, running: Running): Promise<MoveOutcome> {
    let answer = '';
    const headers: Record<string, string> = {
      ...move.to.headers,
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(move.end - move.start),
    };
    if (move.method === 'PATCH') headers['Content-Range'] = `${move.start}-${move.end - 1}`;
    const head = await this.#exchange(move.to, running, {
      method: move.method,
      headers,
      body: fileBody(move, running),
      onHead: () => (chunk) => (answer = collect(answer, chunk)),
    });
    if (head.status >= 200 && head.status < 300) return { kind: 'done', ...head, moved: running.moved, resumed: 0 };
    return { kind: 'answer', ...head, body: answer, moved: running.moved };
  }

  /** One request on a kept-alive or new connection. A GET that dies on a kept-alive connection without an answer is sent once more on a new one. */
  async #exchange(
    target: HttpTarget,
    running: Running,
    request: Pick<Exchange, 'method' | 'headers' | 'onHead' | 'body'>,
  ): Promise<ResponseHead> {
    const kept = this.#takeIdle(connectionKey(target));
    const exchange: Exchange = { ...request, url: new URL(target.url), ...this.#timeouts };
    // Only the request that finishes a blob may take long to answer; after any other, silence is a stall whose last bytes
    // lie in a socket buffer.
    if (request.method === 'PATCH')
      exchange.answerMs = Math.min(exchange.answerMs, PATCH_ANSWER_STALLS * exchange.stallMs);
    if (kept !== undefined) {
      let answered = false;
      const onHead = (head: ResponseHead): BodySink => ((answered = true), request.onHead(head));
      try {
        return await this.#exchangeOn(kept, running, { ...exchange, onHead });
      } catch (error) {
        const stale = !answered && !running.cancelled && request.body === undefined && error instanceof ConnectionError;
        if (!stale || error.reason === 'stalled') throw error;
      }
    }
    return this.#exchangeOn(await HttpConnection.open(target, this.#timeouts.connectMs), running, exchange);
  }

  async #exchangeOn(connection: HttpConnection, running: Running, exchange: Exchange): Promise<ResponseHead> {
    running.connection = connection;
    if (running.cancelled) connection.destroy();
    const { head, reusable } = await connection.exchange(exchange);
    if (reusable) {
      connection.setIdle(true);
      this.#idle.push(connection);
    } else connection.destroy();
    return head;
  }

  #takeIdle(key: string): HttpConnection | undefined {
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      const connection = this.#idle[at]!;
      if (connection.usable && connection.key !== key) continue;
      this.#idle.splice(at, 1);
      if (!connection.usable) continue;
      connection.setIdle(false);
      return connection;
    }
    return undefined;
  }
}

type SinkMove = Pick<DownloadMove, 'to' | 'digest' | 'size' | 'validator'>;

/** Hashes and writes what arrives, in the callback it arrives in: the buffer is used again right after. */
class FileSink {
  readonly #move: SinkMove;
  readonly #running: Running;
  readonly #file: number | undefined;
  #hash: Hash = createHash('sha256');
  #resumed: number;

  constructor(move: SinkMove, running: Running, file: number | undefined, start: number) {
    this.#move = move;
    this.#running = running;
    this.#file = file;
    this.#resumed = start;
    running.written = start;
  }

  async hashPrefix(): Promise<void> {
    if (this.#resumed === 0 || this.#file === undefined) return;
    const { offset } = this.#move.to!;
    await readSpan(this.#file, offset, this.#resumed, this.#running, (chunk) => this.#hash.update(chunk));
  }

  accept(head: ResponseHead): BodySink {
    const { size } = this.#move;
    if (head.status === 200 && this.#resumed > 0) this.#restart();
    const etag = head.headers['etag'];
    if (head.status === 206) {
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(head.headers['content-range'] ?? '');
      const { validator = etag } = this.#move;
      if (range === null || Number(range[1]) !== this.#resumed || etag !== validator)
        throw new WrongRange('the server answered with another range than the one asked for');
      if (range[2] !== '*' && Number(range[2]) !== size) throw sizeMismatch(size, Number(range[2]));
    }
    const length = head.headers['content-length'];
    if (length !== undefined && this.#resumed + Number(length) !== size)
      throw sizeMismatch(size, this.#resumed + Number(length));
    if (etag?.startsWith('"') === true) this.#running.validator = etag;
    else delete this.#running.validator;
    return (chunk) => this.write(chunk);
  }

  finish(head: ResponseHead): MoveOutcome {
    const { size, digest } = this.#move;
    const { moved, written = 0 } = this.#running;
    if (written !== size) throw new MoveError('BodyTruncated', `the body ended after ${written} of ${size} bytes`);
    const found: Digest = `sha256:${this.#hash.digest('hex')}`;
    if (digest === undefined || found === digest)
      return { kind: 'done', moved, resumed: this.#resumed, digest: found, ...head };
    return { kind: 'failed', type: 'DigestMismatch', message: `the bytes have digest ${found}`, moved, written: 0 };
  }

  #restart(): void {
    this.#hash = createHash('sha256');
    this.#resumed = 0;
    this.#running.written = 0;
  }

  write(chunk: Buffer): void {
    const running = this.#running;
    const { written = 0 } = running;
    if (written + chunk.length > this.#move.size) throw sizeMismatch(this.#move.size, written + chunk.length);
    this.#hash.update(chunk);
    if (this.#file !== undefined) {
      const at = this.#move.to!.offset + written;
      for (let done = 0; done < chunk.length;)
        done += writeSync(this.#file, chunk, done, chunk.length - done, at + done);
    }
    running.written = written + chunk.length;
    running.moved += chunk.length;
  }
}

function sizeMismatch(wanted: number, found: number): MoveError {
  return new MoveError('SizeMismatch', `the descriptor says ${wanted} bytes, the server sends ${found}`);
}

/** Read buffers of this thread that nobody uses: made once, since memory outside the heap is given back late. */
const spareBuffers: Buffer[] = [];

function takeBuffer(): Buffer {
  return spareBuffers.pop() ?? Buffer.allocUnsafeSlow(READ_SIZE);
}

/** Sends a slice of a file with two reads ahead of the socket. */
function fileBody(move: UploadMove, running: Running): BodyWriter {
  return async (write, stopped) => {
    const file = openSync(move.from.path, 'r');
    try {
      const buffers = [0, 1].map(() => ({ bytes: takeBuffer(), free: Promise.resolve() }));
      let turn = 0;
      for (let at = move.start; at < move.end && !stopped(); turn++) {
        const buffer = buffers[turn % buffers.length]!;
        await buffer.free;
        const count = readSync(file, buffer.bytes, 0, Math.min(READ_SIZE, move.end - at), move.from.offset + at);
        if (count === 0)
          throw new MoveError('BundleCorrupt', `${move.from.path} ends at byte ${move.from.offset + at}`);
        buffer.free = write(buffer.bytes.subarray(0, count)).then(() => void (running.moved += count));
        buffer.free.catch(() => undefined);
        at += count;
      }
      await Promise.all(buffers.map((buffer) => buffer.free));
      // Only now: a buffer whose write failed may still be the socket's.
      spareBuffers.push(...buffers.map((buffer) => buffer.bytes));
    } finally {
      closeSync(file);
    }
  };
}

async function hashSpan(move: HashMove, running: Running): Promise<MoveOutcome> {
  const file = openSync(move.from.path, 'r');
  try {
    const hash = createHash('sha256');
    await readSpan(file, move.from.offset, move.size, running, (chunk) => {
      hash.update(chunk);
      running.moved += chunk.length;
    });
    return {
      kind: 'done',
      moved: move.size,
      resumed: 0,
      status: 200,
      headers: {},
      digest: `sha256:${hash.digest('hex')}`,
    };
  } finally {
    closeSync(file);
  }
}

async function copySpan(move: CopyMove, running: Running): Promise<MoveOutcome> {
  const from = openSync(move.from.path, 'r');
  const to = openSync(move.to.path, 'r+');
  try {
    const sink = new FileSink(move, running, to, 0);
    await readSpan(from, move.from.offset, move.size, running, (chunk) => sink.write(chunk));
    return sink.finish({ status: 200, headers: {} });
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

/** Reads a span in one reused buffer, and yields now and then so that progress and cancellation get through. */
async function readSpan(
  file: number,
  offset: number,
  length: number,
  running: Running,
  each: (chunk: Buffer) => void,
): Promise<void> {
  const buffer = takeBuffer();
  try {
    for (let at = 0; at < length;) {
      const read = readSync(file, buffer, 0, Math.min(READ_SIZE, length - at), offset + at);
      if (read === 0) throw new MoveError('BundleCorrupt', `the file ends at byte ${offset + at}`);
      each(buffer.subarray(0, read));
      at += read;
      if (at % (32 * READ_SIZE) === 0) await new Promise((resolve) => setImmediate(resolve));
      if (running.cancelled) throw new ConnectionError('failed', 'cancelled');
    }
  } finally {
    spareBuffers.push(buffer);
  }
}

function collect(text: string, chunk: Buffer): string {
  return text.length >= ANSWER_LIMIT ? text : text + chunk.toString('utf8').slice(0, ANSWER_LIMIT - text.length);
}

const connectionFailures = {
  failed: 'ConnectionFailed',
  stalled: 'Stalled',
  truncated: 'BodyTruncated',
  untrusted: 'CertificateUntrusted',
} as const satisfies Record<ConnectionError['reason'], ErrorType>;

function describeFailure(error: unknown): { type: ErrorType; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof MoveError) return { type: error.type, message };
  if (error instanceof ConnectionError) return { type: connectionFailures[error.reason], message };
  if (error instanceof ProtocolError) return { type: 'ConnectionFailed', message };
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return { type: 'DiskFull', message };
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return { type: 'PathUnwritable', message };
  if (code === 'ENOENT') return { type: 'FileMissing', message };
  return { type: 'InternalError', message };
}
