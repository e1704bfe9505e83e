import type { ActivityProgress } from '../../contracts/operations.ts';

/** What long work needs from whoever runs it: when to stop, and somewhere to say how far it is. */
export interface WorkHooks {
  signal: AbortSignal;
  report(progress: ActivityProgress): void;
}

const SHOWN = 8;

/** Adds up what many moves report into one picture. */
export class ProgressMeter {
  readonly #hooks: WorkHooks;
  readonly #current = new Map<string, { subject: string; done: number; total: number }>();
  readonly #bytesTotal: number;
  readonly #itemsTotal: number;
  #bytesDone = 0;
  #itemsDone = 0;

  constructor(hooks: WorkHooks, totals: { bytes: number; items: number }) {
    this.#hooks = hooks;
    this.#bytesTotal = totals.bytes;
    this.#itemsTotal = totals.items;
  }

  /** @param done bytes of this item so far, those of earlier attempts included */
  update(id: string, subject: string, done: number, total: number): void {
    this.#current.set(id, { subject, done, total });
    this.#report();
  }

  /** The item is complete. @param size its bytes */
  finish(id: string, size: number): void {
    this.#current.delete(id);
    this.#bytesDone += size;
    this.#itemsDone += 1;
    this.#report();
  }

  /** The item is given up for now. */
  drop(id: string): void {
    this.#current.delete(id);
    this.#report();
  }

  #report(): void {
    const current = [...this.#current.values()];
    this.#hooks.report({
      bytesDone: this.#bytesDone + current.reduce((sum, { done }) => sum + done, 0),
      bytesTotal: this.#bytesTotal,
      itemsDone: this.#itemsDone,
      itemsTotal: this.#itemsTotal,
      current: current.slice(0, SHOWN),
    });
  }
}
