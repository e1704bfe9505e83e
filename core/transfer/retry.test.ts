import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { errorKinds, type ErrorType } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { Patience, quiet, waitForQuiet } from './retry.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const signal = new AbortController().signal;
let hosts = 0;

function failure(type: ErrorType, retryAfterMs?: number): SealiftError {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new SealiftError(type, { side: 'source', operation: 'fetch', subject: 'blob', message: 'no', ...wait });
}

/** How long the pause is, or the error that is handed up instead. */
async function pause(patience: Patience, error: SealiftError, reached = 0): Promise<number | SealiftError> {
  const start = performance.now();
  const after = patience.after(error, reached).then(
    () => performance.now() - start,
    (thrown: unknown) => thrown as SealiftError,
  );
  await vi.runAllTimersAsync();
  return after;
}

describe('Patience', () => {
  it.each(Object.entries(errorKinds).filter(([, { disposition }]) => disposition !== 'transient'))(
    'has none with %s',
    async (type) => {
      const error = failure(type as ErrorType);
      expect(await pause(new Patience('a', signal, 0), error)).toBe(error);
    },
  );

  it('gives up after five tries in a row that bring nothing, each with a longer pause', async () => {
    const patience = new Patience('a', signal, 100);
    const error = failure('ConnectionFailed');
    const pauses: unknown[] = [];
    for (let round = 0; round < 6; round += 1) pauses.push(await pause(patience, error, 100));
    expect(pauses.pop()).toBe(error);
    (pauses as number[]).forEach((length, index) => {
      expect(length).toBeGreaterThanOrEqual(0.7 * 300 * 2 ** index);
      expect(length).toBeLessThanOrEqual(1.3 * 300 * 2 ** index);
    });
  });

  it('does not end while every try gets further', async () => {
    const patience = new Patience('a', signal, 0);
    for (let reached = 1; reached <= 100; reached += 1) {
      expect(await pause(patience, failure('BodyTruncated'), reached)).toBeLessThan(500);
    }
  });

  it('does not take getting back to where it was for getting further', async () => {
    const patience = new Patience('a', signal, 0);
    const error = failure('Stalled');
    const outcomes: unknown[] = [];
    for (const reached of [900, 100, 200, 300, 400, 500]) outcomes.push(await pause(patience, error, reached));
    expect(outcomes.at(-1)).toBe(error);
    expect(outcomes.slice(0, -1)).not.toContain(error);
  });

  it('waits as long as it is asked to, but leaves long waits to its caller', async () => {
    const patience = new Patience('a', signal, 0);
    expect(await pause(patience, failure('RegistryUnavailable', 30_000))).toBeGreaterThanOrEqual(30_000);
    const long = failure('RegistryThrottled', 61_000);
    expect(await pause(patience, long)).toBe(long);
  });

  it('ends with the signal', async () => {
    const stop = new AbortController();
    const after = new Patience('a', stop.signal, 0).after(failure('Stalled'), 0);
    stop.abort(new Error('enough'));
    await expect(after).rejects.toThrow('enough');
  });
});

describe('a host that asks to be left alone', () => {
  async function wait(host: string): Promise<number> {
    const start = performance.now();
    const waited = waitForQuiet(host, signal).then(() => performance.now() - start);
    await vi.runAllTimersAsync();
    return waited;
  }

  it('is, by everything that goes there and nothing that goes elsewhere', async () => {
    const [host, other] = [`host-${hosts++}`, `host-${hosts++}`];
    quiet(host, 5_000);
    quiet(host, 1_000);
    expect(await wait(other)).toBe(0);
    expect(await wait(host)).toBeGreaterThanOrEqual(4_999);
    expect(await wait(host)).toBe(0);
  });

  it('is one that throttled any request', async () => {
    const host = `host-${hosts++}`;
    void new Patience(host, signal, 0).after(failure('RegistryThrottled', 7_000), 0);
    expect(await wait(host)).toBeGreaterThanOrEqual(6_999);
  });
});
