import { describe, expect, it } from 'vitest';
import type { ErrorType } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { Limiter } from './concurrency.ts';
import { forEachItem, ItemsFailed } from './failures.ts';

function failure(type: ErrorType, subject: string): SealiftError {
  return new SealiftError(type, { side: 'source', operation: 'fetch', subject, message: 'no', remedy: 'mend it' });
}

async function work(failing: Record<string, unknown>, options: { goOn?: boolean; signal?: AbortSignal } = {}) {
  const done: string[] = [];
  const { signal = new AbortController().signal, ...more } = options;
  const about = { signal, side: 'local', operation: 'test', id: (item: string) => item, ...more } as const;
  const failed = await forEachItem(['a', 'b', 'c', 'd'], new Limiter(1), about, async (item) => {
    if (item in failing) throw failing[item];
    done.push(item);
  }).catch((error: unknown) => error);
  return { done, failed };
}

describe('forEachItem', () => {
  it('works through all', async () => {
    expect(await work({})).toEqual({ done: ['a', 'b', 'c', 'd'], failed: undefined });
  });

  it('does all the others when some fail for now, and names those', async () => {
    const { done, failed } = await work({ a: failure('RegistryForbidden', 'a'), c: failure('Stalled', 'c') });
    expect(done).toEqual(['b', 'd']);
    expect(failed).toBeInstanceOf(ItemsFailed);
    const { items, errors, message } = failed as ItemsFailed;
    expect(items.map(({ item, type, remedy }) => [item, type, remedy])).toEqual([
      ['a', 'RegistryForbidden', 'mend it'],
      ['c', 'Stalled', 'mend it'],
    ]);
    expect(errors).toHaveLength(2);
    expect(message).toMatch(/^2 items failed, the first: .*a: no/);
  });

  it('begins nothing more after what can never work, unless it shall go on', async () => {
    const failing = { b: failure('DigestMismatch', 'b') };
    expect((await work(failing)).done).toEqual(['a']);
    expect((await work(failing, { goOn: true })).done).toEqual(['a', 'c', 'd']);
  });

  it('makes a named error of any other', async () => {
    const { failed } = await work({ d: new TypeError('what') });
    expect((failed as ItemsFailed).items).toMatchObject([
      { item: 'd', type: 'InternalError', side: 'local', subject: 'd' },
    ]);
  });

  it('throws the reason when it is stopped, whatever failed', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    const { done, failed } = await work({ a: failure('Stalled', 'a') }, { signal: stop.signal });
    expect([done, failed]).toEqual([[], stop.signal.reason]);
  });
});
