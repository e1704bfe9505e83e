import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ClusterPlace } from '../../contracts/clusters.ts';
import { errorKinds, type ErrorType } from '../../contracts/errors.ts';
import type { ParkedItem } from '../../contracts/operations.ts';
import type { FakeActivities } from './worker-with-fakes.ts';

/** One attempt of an activity. */
export interface Call {
  /** `sealBundle`, or with a batch `fetchBlobs 3` */
  name: string;
  skip: string[] | undefined;
  /** the cluster that it works on */
  on: ClusterPlace | undefined;
}

/** A point at which an activity waits, heartbeating, until it is let go or cancelled. */
export interface Gate {
  /** how many attempts have come to it */
  entered: number;
  /** how many of them were cancelled, and have ended */
  cancelled: number;
  open(): void;
}

interface GateState extends Gate {
  opened: Promise<void>;
  onCancel: () => Promise<void>;
}

interface Request {
  batch?: number;
  skip?: string[];
  on?: ClusterPlace;
}

/** Activities that do nothing but what a test commands, in place of the real ones: workflow logic is what is under test. */
export class CommandedActivities {
  /** attempts in the order they began */
  readonly calls: Call[] = [];
  /** names in the order they ended, whatever way */
  readonly ended: string[] = [];
  readonly #failures = new Map<string, Error[]>();
  readonly #gates = new Map<string, GateState>();
  readonly #results: Record<string, (request: Request) => unknown>;

  constructor(results: Record<string, (request: Request) => unknown>) {
    this.#results = results;
  }

  /** The next attempts of this activity fail, one with each error. */
  fail(name: string, ...errors: Error[]): void {
    this.#failures.set(name, [...(this.#failures.get(name) ?? []), ...errors]);
  }

  /** Holds every attempt of this activity. @param onCancel what a cancelled attempt does before it ends */
  hold(name: string, onCancel = (): Promise<void> => Promise.resolve()): Gate {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const gate: GateState = { entered: 0, cancelled: 0, open, opened, onCancel };
    this.#gates.set(name, gate);
    return gate;
  }

  /** all that a worker has to register */
  get activityNames(): string[] {
    return Object.keys(this.#results);
  }

  openAll(): void {
    for (const gate of this.#gates.values()) gate.open();
  }

  /** In the order they began, without the diagnostics that are collected when one fails. */
  names(): string[] {
    return this.calls.map(({ name }) => name).filter((name) => name !== 'collectDiagnostics');
  }

  count(name: string): number {
    return this.calls.filter((call) => call.name === name).length;
  }

  async run(activity: string, request: Request): Promise<unknown> {
    const name = request.batch === undefined ? activity : `${activity} ${request.batch}`;
    this.calls.push({ name, skip: request.skip, on: request.on });
    try {
      const gate = this.#gates.get(name);
      if (gate !== undefined) await this.#wait(gate);
      const error = this.#failures.get(name)?.shift();
      if (error !== undefined) throw error;
      return this.#results[activity]?.(request);
    } finally {
      this.ended.push(name);
    }
  }

  async #wait(gate: GateState): Promise<void> {
    const context = Context.current();
    gate.entered += 1;
    context.heartbeat();
    const beat = setInterval(() => context.heartbeat(), 50);
    try {
      await Promise.race([gate.opened, context.cancelled]);
    } catch (cancellation) {
      await gate.onCancel();
      gate.cancelled += 1;
      throw cancellation;
    } finally {
      clearInterval(beat);
    }
  }
}

/** What a worker registers: every name goes to the activities that the running test commands. */
export function commandedBy(current: () => CommandedActivities, names: readonly string[]): FakeActivities {
  return Object.fromEntries(
    names.map((name) => [name, (request: Request | undefined) => current().run(name, request ?? {})]),
  );
}

/** A failure as activities/lib makes it; a transient one is tried again at once. */
export function failure(type: ErrorType, ...items: string[]): ApplicationFailure {
  const details: ParkedItem[] = items.map((item) => ({
    ...{ item, type, side: 'source', operation: 'fetch' },
    ...{ subject: item, message: `${type} of ${item}`, remedy: `mend ${item}` },
  }));
  const transient = errorKinds[type].disposition === 'transient';
  return ApplicationFailure.create({
    type,
    message: details[0]?.message ?? type,
    nonRetryable: !transient,
    details: [details],
    ...(transient ? { nextRetryDelay: 1 } : {}),
  });
}

/** Waits for what another process or thread is about to do. @throws Error that says what was waited for */
export async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`it never came to this: ${what}`);
    await sleep(25);
  }
}
