import { expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { Cluster, WatchEvent } from './cluster.ts';
import { waitFor } from './wait.ts';
import { WatchGone } from './watch.ts';

const object = (name: string): KubernetesObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

/** What an API server gives, call by call. */
function scripted(
  lists: KubernetesObject[][],
  watches: (WatchEvent[] | 'gone')[],
): Pick<Cluster, 'read' | 'watch' | 'server'> & { asked: string[] } {
  const asked: string[] = [];
  return {
    server: 'https://lab.example',
    asked,
    async read() {
      asked.push('list');
      return { objects: lists.shift() ?? [], resourceVersion: '10' };
    },
    async *watch(_collection, since, signal) {
      asked.push(`watch ${since}`);
      const events = watches.shift();
      if (events === 'gone') throw new WatchGone();
      yield* events ?? [];
      if (events === undefined)
        await new Promise((_resolve, reject) => (signal.onabort = () => reject(new Error('over'))));
    },
  };
}

it('goes on where a watch ended, and lists again when that is too long ago', async () => {
  const added: WatchEvent = { type: 'added', object: object('b'), resourceVersion: '11' };
  const bookmark: WatchEvent = { type: 'bookmark', object: object(''), resourceVersion: '20' };
  const cluster = scripted([[object('a')], [object('c')]], [[added, bookmark], 'gone']);
  const names: string[] = [];
  await waitFor(cluster, {
    subject: 'c',
    watched: [{ apiVersion: 'v1', kind: 'ConfigMap' }],
    decide(found) {
      names.push(found.map(({ metadata }) => metadata.name).join());
      return { done: names.at(-1) === 'c', detail: names.at(-1) ?? '' };
    },
  });
  expect(cluster.asked.slice(0, 4)).toEqual(['list', 'watch 10', 'watch 20', 'list']);
  expect(names.at(-1)).toBe('c');
});
