import { describe, expect, it } from 'vitest';
import { openAttended } from './attended.ts';
import type { Cluster } from './cluster.ts';

function signalled(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe('a cluster that is looked after', () => {
  const opened =
    (events: string[]): (() => Promise<Cluster>) =>
    () => {
      events.push('open');
      const closed = (): Promise<void> => Promise.resolve(void events.push('close'));
      return Promise.resolve({ server: 'https://here', [Symbol.asyncDispose]: closed } as unknown as Cluster);
    };

  it('is mended before it is opened, and until it is closed', async () => {
    const events: string[] = [];
    const looked = signalled();
    const attend = async (): Promise<void> => {
      events.push('attend');
      if (events.length > 3) looked.resolve();
      await Promise.resolve();
    };
    {
      await using cluster = await openAttended(opened(events), attend, 1);
      expect(cluster.server).toBe('https://here');
      await looked.promise;
    }
    expect(events.slice(0, 3)).toEqual(['attend', 'open', 'attend']);
    expect(events.at(-1)).toBe('close');
  });

  it('is not opened when it cannot be mended; what goes wrong later is left to its requests', async () => {
    const events: string[] = [];
    const failing = openAttended(opened(events), () => Promise.reject(new Error('no etcd')));
    await expect(failing).rejects.toThrow('no etcd');
    expect(events).toEqual([]);
    const looked = signalled();
    let looks = 0;
    const cluster = await openAttended(
      opened(events),
      () => {
        if ((looks += 1) === 3) looked.resolve();
        return looks === 1 ? Promise.resolve() : Promise.reject(new Error('no etcd'));
      },
      1,
    );
    await looked.promise;
    await cluster[Symbol.asyncDispose]();
    expect(events).toEqual(['open', 'close']);
  });
});
