import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { startThread } from '../host/thread.ts';
import type { Move, MoveOutcome, ThreadReply, ThreadRequest } from './moves.ts';

export interface RunOptions {
  signal?: AbortSignal;
  /** how far the move is, a few times a second; download and copy: contiguous bytes that are in the file; others: bytes moved */
  onProgress?: (reached: number) => void;
}

interface Pending {
  resolve: (outcome: MoveOutcome) => void;
  onProgress: ((reached: number) => void) | undefined;
  /** what was there before this move and is there whatever becomes of it */
  prefix: number;
  dispose: () => void;
}

interface Thread {
  worker: Worker;
  pending: Map<number, Pending>;
}

const MAX_THREADS = 4;

/** A mover keeps nothing on its heap: its bytes are in buffers beside it. Room to grow would only be used up. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

/**
 * The mover threads of this process. How many moves run at once is the caller's choice; each goes to the thread with the
 * fewest. Threads start with the first move and don't keep the process alive when idle.
 */
export class MoverPool {
  readonly #threads: Thread[] = [];
  readonly #size: number;
  #nextId = 1;

  constructor(size = Math.min(availableParallelism(), MAX_THREADS)) {
    this.#size = size;
  }

  /** Starts the threads before they are needed: each costs tens of milliseconds. */
  warm(): void {
    while (this.#threads.length < this.#size) this.#threads.push(this.#startThread());
  }

  /** Never rejects: a thread that dies makes its moves fail as InternalError. */
  run(move: Move, options: RunOptions = {}): Promise<MoveOutcome> {
    const { signal } = options;
    const prefix = move.kind === 'download' ? move.prefix : 0;
    if (signal?.aborted === true) return Promise.resolve({ kind: 'cancelled', moved: 0, written: prefix });
    this.warm();
    const thread = this.#threads.reduce((least, other) => (other.pending.size < least.pending.size ? other : least));
    const id = this.#nextId++;
    const send = (request: ThreadRequest): void => thread.worker.postMessage(request);
    return new Promise((resolve) => {
      const cancel = (): void => send({ cancel: id });
      signal?.addEventListener('abort', cancel, { once: true });
      const dispose = (): void => signal?.removeEventListener('abort', cancel);
      thread.pending.set(id, { resolve, onProgress: options.onProgress, prefix, dispose });
      thread.worker.ref();
      send({ id, move });
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.worker.terminate()));
  }

  #startThread(): Thread {
    const worker = startThread('./thread', import.meta.url, resourceLimits);
    const thread: Thread = { worker, pending: new Map() };
    worker.unref();
    worker.on('message', (reply: ThreadReply) => this.#receive(thread, reply));
    worker.on('error', (error) => this.#lost(thread, error.message));
    worker.on('exit', (code) => this.#lost(thread, `mover thread ended with code ${code}`));
    return thread;
  }

  #receive(thread: Thread, reply: ThreadReply): void {
    if ('progress' in reply) {
      for (const { id, reached } of reply.progress) thread.pending.get(id)?.onProgress?.(reached);
      return;
    }
    this.#settle(thread, reply.id, reply.outcome);
  }

  #settle(thread: Thread, id: number, outcome: MoveOutcome): void {
    const pending = thread.pending.get(id);
    thread.pending.delete(id);
    if (thread.pending.size === 0) thread.worker.unref();
    pending?.dispose();
    pending?.resolve(outcome);
  }

  #lost(thread: Thread, message: string): void {
    const at = this.#threads.indexOf(thread);
    if (at >= 0) this.#threads.splice(at, 1);
    for (const [id, { prefix }] of [...thread.pending]) {
      this.#settle(thread, id, { kind: 'failed', type: 'InternalError', message, moved: 0, written: prefix });
    }
  }
}
