import type { ParkedItem } from '../../contracts/operations.ts';
import { asSealiftError, type SealiftError } from '../errors.ts';
import type { Limiter } from './concurrency.ts';
import type { Problem, Side } from '../../contracts/errors.ts';

/** Several items of one step failed; all the others are done. */
export class ItemsFailed extends Error {
  readonly items: ParkedItem[];
  readonly errors: SealiftError[];

  constructor(failures: { item: string; error: SealiftError }[]) {
    super(
      failures.length === 1
        ? failures[0]!.error.message
        : `${failures.length} items failed, the first: ${failures[0]!.error.message}`,
    );
    this.items = failures.map(({ item, error }) => ({ item, ...error.problem }));
    this.errors = failures.map(({ error }) => error);
  }
}

/**
 * Works through all items, `limiter` wide, whatever happens to single ones.
 * @throws ItemsFailed in the end when some failed; the first permanent failure stops what has not begun, unless `goOn`
 */
export async function forEachItem<T>(
  items: readonly T[],
  limiter: Limiter,
  options: { signal: AbortSignal; side: Side; operation: string; id: (item: T) => string; goOn?: boolean },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: { item: string; error: SealiftError }[] = [];
  let stop = false;
  await Promise.all(
    items.map((item) =>
      limiter.run(async () => {
        if (stop || options.signal.aborted) return;
        try {
          await work(item);
        } catch (thrown) {
          if (options.signal.aborted) return;
          const error = asSealiftError(thrown, {
            side: options.side,
            operation: options.operation,
            subject: options.id(item),
          });
          failures.push({ item: options.id(item), error });
          stop ||= error.disposition === 'permanent' && options.goOn !== true;
        }
      }),
    ),
  );
  options.signal.throwIfAborted();
  if (failures.length > 0) throw new ItemsFailed(failures);
}

/** Runs work that goes through all items, and gives what failed instead of throwing it. @throws whatever is not ItemsFailed */
export async function problemsOf(work: () => Promise<void>): Promise<Problem[]> {
  try {
    await work();
    return [];
  } catch (error) {
    if (error instanceof ItemsFailed) return error.errors.map(({ problem }) => problem);
    throw error;
  }
}
