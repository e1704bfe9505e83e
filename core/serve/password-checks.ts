import type { Worker } from 'node:worker_threads';
import { startThread } from '../host/thread.ts';
import type { PasswordCheck } from './password-thread.ts';

/** Checks of one client that wait; more guesses than that are turned away. */
const WAITING_PER_CLIENT = 16;
/** Checks that wait at all. */
const WAITING = 256;

const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

interface Waiting extends PasswordCheck {
  resolve: (fits: boolean) => void;
  reject: (error: Error) => void;
}

/**
 * Checks passwords one at a time, in a thread of their own: bcrypt takes a tenth of a second, in which downloads go on. Clients
 * take turns, so that who guesses a lot holds up nobody else. The thread is there while something is to be checked.
 */
export class PasswordChecks {
  /** by client, whose turn it is first */
  readonly #queues = new Map<string, Waiting[]>();
  #waiting = 0;
  #current: Waiting | undefined;
  #thread: Worker | undefined;

  /**
   * @param client whose turn it takes
   * @returns whether the password fits; undefined when too many wait already. Rejects when the thread dies of it
   */
  run(client: string, check: PasswordCheck): Promise<boolean> | undefined {
    const queue = this.#queues.get(client) ?? [];
    if (queue.length >= WAITING_PER_CLIENT || this.#waiting >= WAITING) return undefined;
    return new Promise((resolve, reject) => {
      this.#queues.set(client, [...queue, { ...check, resolve, reject }]);
      this.#waiting += 1;
      if (this.#current === undefined) this.#next();
    });
  }

  #next(): void {
    this.#current = this.#take();
    if (this.#current === undefined) {
      void this.#thread?.terminate();
      this.#thread = undefined;
      return;
    }
    const { password, hash } = this.#current;
    this.#thread ??= this.#start();
    this.#thread.postMessage({ password, hash } satisfies PasswordCheck);
  }

  /** The check whose turn it is. Its client comes last then. */
  #take(): Waiting | undefined {
    for (const [client, [check, ...others]] of this.#queues) {
      this.#queues.delete(client);
      if (others.length > 0) this.#queues.set(client, others);
      this.#waiting -= 1;
      return check;
    }
    return undefined;
  }

  #start(): Worker {
    const thread = startThread('./password-thread', import.meta.url, resourceLimits);
    thread.on('message', (fits: boolean) => {
      this.#current?.resolve(fits);
      this.#next();
    });
    thread.on('error', (error) => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      this.#current?.reject(error);
      this.#next();
    });
    return thread;
  }
}
