import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { delay, Limiter } from './concurrency.ts';

describe('Limiter', () => {
  it('runs no more than its width at once, everything once, in the order it came', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: -1, max: 5 }),
        fc.nat({ max: 12 }),
        async (scheduler, width, count) => {
          const limiter = new Limiter(width);
          const begun: number[] = [];
          let running = 0;
          let most = 0;
          const tasks = Array.from({ length: count }, (_, index) =>
            limiter.run(async () => {
              begun.push(index);
              most = Math.max(most, ++running);
              await scheduler.schedule(Promise.resolve(), `task ${index}`);
              running -= 1;
              if (index % 3 === 2) throw new Error(`task ${index} failed`);
              return index;
            }),
          );
          const settled = Promise.allSettled(tasks);
          await scheduler.waitFor(settled);
          const results = await settled;
          expect(results.map(({ status }) => status === 'fulfilled')).toEqual(tasks.map((_, index) => index % 3 !== 2));
          expect(begun).toEqual([...begun].sort((a, b) => a - b));
          expect(most).toBe(Math.min(count, Math.max(1, width)));
        },
      ),
    );
  });
});

describe('delay', () => {
  it('ends with its time or its signal, and leaves no listener behind', async () => {
    const stop = new AbortController();
    await delay(1, stop.signal);
    const long = delay(1_000_000, stop.signal);
    stop.abort();
    await long;
    await delay(1_000_000, stop.signal);
  });
});
