import {
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
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
  type OperationPhase,
  type OperationState,
  type ParkedItem,
} from '../../contracts/operations.ts';
import type { OnFailure } from '../../contracts/run-options.ts';
import { describeState } from './details.ts';
import { permanentProblemsOf, problemsOf, withProblems } from './failures.ts';

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

/** A step that failed and waits for the operator's word. */
interface Waiter {
  items: ParkedItem[];
  skippable: boolean;
  decision?: Decision;
}

/** A step under way. */
interface Attempt {
  scope: CancellationScope;
  /** it was cut off by a pause, and so has to run again */
  paused: boolean;
}

export interface StepOptions {
  /** whether the step looks at `skipped`: what fails in another one can't be left out */
  skippable?: boolean;
}

/**
 * Collects what helps whoever looks into problems.
 * @returns path of the archive
 */
export type CollectDiagnostics = (phase: OperationPhase, problems: ParkedItem[]) => Promise<string>;

/**
 * One running operation: where it is, what is parked, and what the operator says. A step that fails in a way a person can
 * mend waits here while everything else carries on; `retry`, `skip` and `abort` decide about it.
 *
 * All message handlers are synchronous: none is unfinished when the workflow returns.
 */
export class Operation {
  /** ids of items the operator chose to leave out */
  readonly skipped = new Set<string>();
  /** called once each time that something parks or fails, before that is said; what it throws changes nothing */
  collectDiagnostics: CollectDiagnostics | undefined;
  readonly #state: OperationState;
  readonly #waiters = new Set<Waiter>();
  readonly #attempts = new Set<Attempt>();
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
    setHandler(retryUpdate, (argument) => this.#decide('retry', argument), {
      validator: (argument: ItemsArgument) => this.#expectParked(argument),
    });
    setHandler(skipUpdate, (argument) => this.#decide('skip', argument), {
      validator: (argument: ItemsArgument) => this.#expectSkippable(argument),
    });
    setHandler(abortUpdate, () => this.#decide('abort', {}), { validator: () => this.#expectParked({}) });
    setHandler(pauseSignal, () => this.#pause(true));
    setHandler(resumeSignal, () => this.#pause(false));
  }

  /**
   * Runs all of it. When it is cancelled, everything under way has ended before `discard` removes what is left.
   * @param options.alsoFailed discard as well when it failed or was given up
   */
  async run<T>(work: () => Promise<T>, discard: () => Promise<void>, { alsoFailed = false } = {}): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const scope = CancellationScope.current();
      const isCancelled = scope.consideredCancelled;
      if (!isCancelled && !alsoFailed) throw error;
      await CancellationScope.nonCancellable(async () => {
        this.#state.paused = false;
        this.phase('cleaning');
        await discard();
      });
      // Whatever else went wrong on the way down: the operator cancelled, so this is how it ends.
      if (isCancelled) return scope.cancelRequested;
      // what failed while cleaning up is told with the rest
      this.failIfAnyFailed();
      throw error;
    }
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
   * Runs one step until it succeeds: after `skip` too, since a skippable step itself leaves out what is in `skipped`.
   * @returns undefined with `--on-failure fail` when it failed: `failIfAnyFailed` tells in the end
   */
  async step<T>(run: () => Promise<T>, { skippable = false }: StepOptions = {}): Promise<T | undefined> {
    for (;;) {
      while (this.#state.paused) await condition(() => !this.#state.paused);
      const attempt: Attempt = { scope: new CancellationScope(), paused: false };
      try {
        return await this.#attempt(attempt, run);
      } catch (error) {
        const problems = problemsOf(error);
        // It was asked to stop: that, or what it stumbled over while stopping, is not its last word.
        if (attempt.paused && (isCancellation(error) || problems !== undefined)) continue;
        if (problems === undefined) throw await this.#explained(error);
        const items = await this.#documented(problems);
        if (this.#onFailure === 'fail') {
          this.#failed.push(...items);
          return undefined;
        }
        await this.#park({ items: skippable ? items : items.map(asNeeded), skippable });
      }
    }
  }

  /**
   * Runs a phase that nothing after it can do without.
   * @throws ApplicationFailure with `--on-failure fail` when it failed
   */
  async inPhase<T>(phase: OperationPhase, run: () => Promise<T>): Promise<T> {
    this.phase(phase);
    const result = await this.step(run);
    this.failIfAnyFailed();
    return result!;
  }

  /**
   * Runs a skippable step for every batch, `width` at a time; one that is parked leaves its place to the next. When one
   * fails for good the others are cancelled, and have ended before this throws.
   */
  async batches(batches: Batch[], width: number, run: (batch: Batch) => Promise<unknown>): Promise<void> {
    const all = new CancellationScope();
    const failures: unknown[] = [];
    await all.run(() =>
      Promise.all(
        batches.map((batch) =>
          this.#batch(batch, width, run).catch((error: unknown) => {
            failures.push(error);
            all.cancel();
          }),
        ),
      ),
    );
    if (failures.length > 0) throw failures[0];
  }

  /** With `--on-failure fail`: ends the operation with everything that failed, once all the rest is done. */
  failIfAnyFailed(): void {
    const [first] = this.#failed;
    if (first === undefined) return;
    throw ApplicationFailure.create({
      type: first.type,
      nonRetryable: true,
      message: `${this.#failed.length} failed, the first: ${first.message}`,
      details: [this.#failed.slice(0, SHOWN_PARKED)],
    });
  }

  async #attempt<T>(attempt: Attempt, run: () => Promise<T>): Promise<T> {
    this.#attempts.add(attempt);
    try {
      return await attempt.scope.run(run);
    } finally {
      this.#attempts.delete(attempt);
    }
  }

  async #batch(batch: Batch, width: number, run: (batch: Batch) => Promise<unknown>): Promise<void> {
    const step = (): Promise<'done'> => this.#inWindow(width, () => run(batch).then(() => 'done'));
    if ((await this.step(step, { skippable: true })) !== 'done') return;
    this.#state.bytesDone += batch.bytes;
    this.#state.itemsDone += batch.items;
    this.#publish();
  }

  async #inWindow<T>(width: number, run: () => Promise<T>): Promise<T> {
    // One free place wakes all that wait for it; only what is looked at after waking up, and taken at once, is true.
    while (this.#window >= width) await condition(() => this.#window < width);
    this.#window += 1;
    try {
      return await run();
    } finally {
      this.#window -= 1;
    }
  }

  /** The problems with where to read more about them. @throws CancelledFailure */
  async #documented(problems: ParkedItem[]): Promise<ParkedItem[]> {
    // of a worker that does not answer nothing can be collected
    if (this.collectDiagnostics === undefined || problems.some(({ side }) => side === 'temporal')) return problems;
    try {
      const diagnostics = await this.collectDiagnostics(this.#state.phase, problems);
      return problems.map((problem) => ({ ...problem, diagnostics }));
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.warn('diagnostics could not be collected', { error: String(error) });
      return problems;
    }
  }

  /** What ends the operation, with where to read more about it. @throws CancelledFailure */
  async #explained(error: unknown): Promise<unknown> {
    const problems = permanentProblemsOf(error);
    if (problems === undefined || this.collectDiagnostics === undefined) return error;
    return withProblems(error, await this.#documented(problems));
  }

  /** @throws ApplicationFailure OperationAborted when the operator gives up */
  async #park(waiter: Waiter): Promise<void> {
    this.#waiters.add(waiter);
    this.#showParked();
    try {
      await condition(() => waiter.decision !== undefined);
      if (waiter.decision === 'abort') throw aborted(this.#parkedItems());
    } finally {
      this.#waiters.delete(waiter);
      this.#showParked();
    }
  }

  #parkedItems(which: (waiter: Waiter) => boolean = () => true): ParkedItem[] {
    return [...this.#waiters].filter(which).flatMap((waiter) => waiter.items);
  }

  #expectParked({ items = [] }: ItemsArgument): void {
    const parked = new Set(this.#parkedItems().map(({ item }) => item));
    if (parked.size === 0) throw new Error('nothing is parked: the operation is not waiting for a decision');
    const unknown = items.filter((item) => !parked.has(item));
    if (unknown.length > 0) throw new Error(`not parked: ${unknown.join(', ')}`);
  }

  #expectSkippable(argument: ItemsArgument): void {
    this.#expectParked(argument);
    const skippable = new Set(this.#parkedItems((waiter) => waiter.skippable).map(({ item }) => item));
    const named = argument.items ?? this.#parkedItems().map(({ item }) => item);
    const fixed = named.filter((item) => !skippable.has(item));
    if (argument.items === undefined ? skippable.size === 0 : fixed.length > 0)
      throw new Error(`cannot be left out: ${fixed.join(', ')}; mend it and retry, or abort`);
  }

  /** A waiter with several items goes on with the first decision: what was not named fails again and is parked again. */
  #decide(decision: Decision, { items }: ItemsArgument): number {
    let decided = 0;
    for (const waiter of this.#waiters) {
      if (decision === 'skip' && !waiter.skippable) continue;
      const chosen = waiter.items.filter(({ item }) => items?.includes(item) ?? true);
      if (chosen.length === 0) continue;
      if (decision === 'skip') for (const { item } of chosen) this.skipped.add(item);
      decided += chosen.length;
      // Two answers may come at once: nothing overrules an abort.
      if (waiter.decision !== 'abort') waiter.decision = decision;
    }
    return decided;
  }

  /** What runs is cancelled, and runs again when the operation is resumed: even if that comes before it has stopped. */
  #pause(paused: boolean): void {
    this.#state.paused = paused;
    if (paused) {
      for (const attempt of this.#attempts) {
        attempt.paused = true;
        attempt.scope.cancel();
      }
    }
    this.#publish();
  }

  #showParked(): void {
    const parked = this.#parkedItems();
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

function asNeeded(item: ParkedItem): ParkedItem {
  return { ...item, needed: true };
}

function aborted(problems: ParkedItem[]): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'OperationAborted',
    nonRetryable: true,
    message: `aborted by the operator with ${problems.length} parked`,
    details: [problems.slice(0, SHOWN_PARKED)],
  });
}
