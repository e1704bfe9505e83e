import {
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  abortUpdateName,
  memoKeys,
  pauseSignalName,
  resumeSignalName,
  retryUpdateName,
  searchAttributeNames,
  skipUpdateName,
  stateQueryName,
  type Batch,
  type OnFailure,
  type OperationPhase,
  type OperationState,
  type ParkedItem,
} from '../../contracts/operations.ts';
import { describeState } from './details.ts';
import { problemsOf } from './failures.ts';

export interface ItemsArgument {
  /** item ids as `describe` shows them; all parked ones when absent */
  items?: string[];
}

export const retryUpdate = defineUpdate<number, [ItemsArgument]>(retryUpdateName);
export const skipUpdate = defineUpdate<number, [ItemsArgument]>(skipUpdateName);
export const abortUpdate = defineUpdate<number>(abortUpdateName);
export const pauseSignal = defineSignal(pauseSignalName);
export const resumeSignal = defineSignal(resumeSignalName);
export const stateQuery = defineQuery<OperationState>(stateQueryName);

const phaseKey = defineSearchAttributeKey(searchAttributeNames.phase, 'KEYWORD');
const parkedKey = defineSearchAttributeKey(searchAttributeNames.parked, 'BOOL');

/** The parked list travels in memo and query answers: more than this is only counted. */
const SHOWN_PARKED = 40;

type Decision = 'retry' | 'skip' | 'abort';

interface Waiter {
  items: ParkedItem[];
  decision?: Decision;
}

/**
 * One running operation: where it is, what is parked, and what the operator says. A step that fails in a way a person can
 * mend waits here while everything else carries on; `retry`, `skip` and `abort` decide about it.
 */
export class Operation {
  /** ids of items the operator chose to leave out */
  readonly skipped = new Set<string>();
  readonly #state: OperationState;
  readonly #waiters = new Set<Waiter>();
  readonly #running = new Set<CancellationScope>();
  readonly #failed: ParkedItem[] = [];
  readonly #onFailure: OnFailure;
  readonly #title: string;
  #window = 0;

  constructor(title: string, onFailure: OnFailure) {
    this.#title = title;
    this.#onFailure = onFailure;
    this.#state = {
      phase: 'preparing',
      paused: false,
      parked: [],
      parkedCount: 0,
      bytesTotal: 0,
      bytesDone: 0,
      itemsTotal: 0,
      itemsDone: 0,
    };
    setHandler(stateQuery, () => this.#state);
    setHandler(retryUpdate, (argument) => this.#decide('retry', argument), { validator: (a) => this.#expectParked(a) });
    setHandler(skipUpdate, (argument) => this.#decide('skip', argument), { validator: (a) => this.#expectParked(a) });
    setHandler(abortUpdate, () => this.#decide('abort', {}), { validator: () => this.#expectParked({}) });
    setHandler(pauseSignal, () => this.#pause(true));
    setHandler(resumeSignal, () => this.#pause(false));
  }

  phase(phase: OperationPhase, totals: { bytes?: number; items?: number } = {}): void {
    this.#state.phase = phase;
    this.#state.bytesTotal = totals.bytes ?? 0;
    this.#state.itemsTotal = totals.items ?? 0;
    this.#state.bytesDone = 0;
    this.#state.itemsDone = 0;
    upsertSearchAttributes([{ key: phaseKey, value: phase }]);
    this.#publish();
  }

  /**
   * Runs one step until it succeeds: after `skip` too, since the step itself leaves out what is in `skipped`.
   * @returns undefined with `--on-failure fail` when it failed: `failIfAnyFailed` tells in the end
   */
  async step<T>(run: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      await condition(() => !this.#state.paused);
      try {
        return await this.#inScope(run);
      } catch (error) {
        if (isCancellation(error) && this.#state.paused) continue;
        const problems = problemsOf(error);
        if (problems === undefined) throw error;
        if (this.#onFailure === 'fail') {
          this.#failed.push(...problems);
          return undefined;
        }
        if ((await this.#park(problems)) === 'abort') throw aborted(problems);
      }
    }
  }

  /** Runs a step for every batch, `width` at a time; one that is parked leaves its place to the next. */
  async batches<T>(batches: Batch[], width: number, run: (batch: Batch) => Promise<T>): Promise<T[]> {
    const results: T[] = [];
    await Promise.all(
      batches.map(async (batch) => {
        const result = await this.step(() => this.#inWindow(width, () => run(batch)));
        if (result !== undefined) results.push(result);
        this.#state.bytesDone += batch.bytes;
        this.#state.itemsDone += batch.items;
        this.#publish();
      }),
    );
    return results;
  }

  /** With `--on-failure fail`: ends the operation with everything that failed, once all the rest is done. */
  failIfAnyFailed(): void {
    if (this.#failed.length === 0) return;
    const [first] = this.#failed;
    throw ApplicationFailure.create({
      type: first!.type,
      nonRetryable: true,
      message: `${this.#failed.length} failed, the first: ${first!.message}`,
      details: [this.#failed.slice(0, SHOWN_PARKED)],
    });
  }

  async #inWindow<T>(width: number, run: () => Promise<T>): Promise<T> {
    await condition(() => this.#window < width && !this.#state.paused);
    this.#window += 1;
    try {
      return await run();
    } finally {
      this.#window -= 1;
    }
  }

  async #inScope<T>(run: () => Promise<T>): Promise<T> {
    const scope = new CancellationScope();
    this.#running.add(scope);
    try {
      return await scope.run(run);
    } finally {
      this.#running.delete(scope);
    }
  }

  async #park(items: ParkedItem[]): Promise<Decision> {
    const waiter: Waiter = { items };
    this.#waiters.add(waiter);
    this.#showParked();
    try {
      await condition(() => waiter.decision !== undefined);
    } finally {
      this.#waiters.delete(waiter);
      this.#showParked();
    }
    return waiter.decision!;
  }

  #expectParked({ items }: ItemsArgument): void {
    const parked = new Set([...this.#waiters].flatMap((waiter) => waiter.items.map((item) => item.item)));
    if (parked.size === 0) throw new Error('nothing is parked: the operation is not waiting for a decision');
    const unknown = (items ?? []).filter((item) => !parked.has(item));
    if (unknown.length > 0) throw new Error(`not parked: ${unknown.join(', ')}`);
  }

  /** A waiter with several items goes on when all that it waits for is decided: the unnamed ones fail again and are parked again. */
  #decide(decision: Decision, { items }: ItemsArgument): number {
    let decided = 0;
    for (const waiter of this.#waiters) {
      const chosen = waiter.items.filter((item) => items === undefined || items.includes(item.item));
      if (chosen.length === 0) continue;
      if (decision === 'skip') for (const { item } of chosen) this.skipped.add(item);
      decided += chosen.length;
      waiter.decision = decision;
    }
    return decided;
  }

  #pause(paused: boolean): void {
    this.#state.paused = paused;
    if (paused) for (const scope of this.#running) scope.cancel();
    this.#publish();
  }

  #showParked(): void {
    const parked = [...this.#waiters].flatMap((waiter) => waiter.items);
    if (this.#state.parkedCount > 0 !== parked.length > 0) {
      upsertSearchAttributes([{ key: parkedKey, value: parked.length > 0 }]);
    }
    this.#state.parked = parked.slice(0, SHOWN_PARKED);
    this.#state.parkedCount = parked.length;
    this.#publish();
  }

  #publish(): void {
    upsertMemo({ [memoKeys.state]: this.#state });
    setCurrentDetails(describeState(this.#title, this.#state));
  }
}

function aborted(problems: ParkedItem[]): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'OperationAborted',
    nonRetryable: true,
    message: `aborted by the operator with ${problems.length} parked`,
    details: [problems],
  });
}
