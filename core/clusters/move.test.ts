import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { moveClusters, settleMove, isMoveOpen, type MoveRequest } from './move.ts';

// Against API servers and a clusterctl in memory, with trouble before each single change that is made.

const capi = 'cluster.x-k8s.io/v1beta2';
const namespace = 'eksa-system';
const kinds = ['Cluster', 'Machine'];
const names = { Cluster: ['prod'], Machine: ['prod-a', 'prod-b'] } as const;

/** How late controllers see a change. Milliseconds. */
const SEEN_MS = 5;

class Killed extends Error {}
/** An API server that is away for a moment. */
class Lost extends Error {}
interface Change {
  spec?: { paused?: boolean | null };
  metadata?: { finalizers?: null };
}
type Trouble = typeof Killed | typeof Lost;

let parent: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'sealift-move-'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

/** One side of a move: the objects by kind and name. */
class Side {
  readonly objects = new Map<string, KubernetesObject>();
  readonly #world: World;
  readonly name: string;
  /** what controllers know of the pause: everything that was so, one after the other, a while later */
  #seenPaused = false;
  #seen = Promise.resolve();

  constructor(name: string, world: World) {
    this.name = name;
    this.#world = world;
  }

  get isAwake(): boolean {
    const cluster = this.objects.get('Cluster prod');
    return cluster !== undefined && (cluster['spec'] as { paused?: boolean }).paused !== true;
  }

  put(kind: string, name: string, paused: boolean): void {
    const metadata = { name, namespace, uid: `${this.name} ${name}` };
    this.objects.set(`${kind} ${name}`, { apiVersion: capi, kind, metadata, spec: paused ? { paused } : {} });
  }

  pause(paused: boolean): void {
    const cluster = this.objects.get('Cluster prod');
    if (cluster !== undefined) this.put('Cluster', 'prod', paused);
    this.#seen = this.#seen.then(async () => {
      do await sleep(SEEN_MS + this.#world.awayForMs());
      while (this.#world.awayForMs() > 0);
      this.#seenPaused = paused;
    });
  }

  remove(kind: string, name: string): void {
    if (this.#world.isSlow && kind === 'Machine') {
      expect(this.#seenPaused, 'controllers would end the machine').toBe(true);
    }
    this.objects.delete(`${kind} ${name}`);
  }

  /** As much of a Cluster as a move uses. */
  get access(): Cluster {
    const list = (kind: { kind: string }): Promise<KubernetesObject[]> => {
      if (kind.kind === 'CustomResourceDefinition') return Promise.resolve(kinds.map(definition));
      const found = [...this.objects.values()].filter((object) => object.kind === kind.kind);
      if (!this.#world.isSlow || kind.kind !== 'Machine') return Promise.resolve(found);
      const conditions = [{ type: 'Paused', status: this.#seenPaused ? 'True' : 'False' }];
      return Promise.resolve(found.map((object) => ({ ...object, status: { conditions } })));
    };
    return {
      server: `https://${this.name}`,
      kubeconfig: this.name,
      list,
      get: ({ kind, metadata }: KubernetesObject) => Promise.resolve(this.objects.get(`${kind} ${metadata.name}`)),
      patch: async ({ kind, metadata: { name } }: KubernetesObject, { spec, metadata }: Change) => {
        await this.#world.change(() => {
          if (kind === 'Cluster' && spec !== undefined) this.pause(spec.paused === true);
          // otherwise its controller adds its finalizer again
          const isDeleting = this.objects.get(`${kind} ${name}`)?.metadata.deletionTimestamp !== undefined;
          if (metadata?.finalizers === null && isDeleting) this.remove(kind, name);
        });
      },
      delete: async ({ kind, metadata: { name } }: KubernetesObject) => {
        const object = this.objects.get(`${kind} ${name}`);
        await this.#world.change(() => object !== undefined && (object.metadata.deletionTimestamp = 'now'));
        return true;
      },
      read: () => Promise.resolve({ objects: [], resourceVersion: '1' }),
      // nothing is told but that it is over
      watch: (_collection: unknown, _since: string, signal: AbortSignal) => this.#world.untilLost(signal),
    } as unknown as Cluster;
  }
}

function definition(kind: string): KubernetesObject {
  const spec = {
    group: 'cluster.x-k8s.io',
    scope: 'Namespaced',
    names: { kind },
    versions: [{ name: 'v1beta2', storage: true }],
  };
  return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: kind }, spec };
}

class World {
  readonly source = new Side('source', this);
  readonly target = new Side('target', this);
  /** how many changes there were, of all attempts */
  changes = 0;
  /** before which change the worker is killed, or an API server is away */
  troubleAt = Infinity;
  /**
   * Controllers see late that their cluster is paused, and later still after their API server was away; clusterctl takes its time, and
   * tries again what failed because an API server was away.
   */
  isSlow = false;
  /** for how long controllers do not follow an API server that was away; milliseconds */
  awayMs = 0;
  #backAt = 0;
  readonly #watches = new Set<(error: Error) => void>();
  readonly #trouble: Trouble;
  /** changes that a clusterctl goes on with whose starter was killed */
  #left: (() => void)[] = [];
  /** whoever was killed does nothing any more */
  #isDead = false;

  constructor(trouble: Trouble) {
    this.#trouble = trouble;
    for (const kind of ['Machine', 'Cluster'] as const) {
      for (const name of names[kind]) this.source.put(kind, name, false);
    }
  }

  async change(make: () => unknown): Promise<void> {
    await Promise.resolve();
    if (this.#isDead) throw new Killed();
    // what was left behind is quicker
    this.#left.shift()?.();
    this.#look();
    this.changes += 1;
    if (this.changes === this.troubleAt) {
      this.#isDead = this.#trouble === Killed;
      this.#backAt = performance.now() + this.awayMs;
      const trouble = new this.#trouble();
      for (const lose of this.#watches) lose(trouble);
      throw trouble;
    }
    make();
    this.#look();
  }

  /** How long controllers do not follow yet. Milliseconds. */
  awayForMs(): number {
    return Math.max(0, this.#backAt - performance.now());
  }

  async *untilLost(signal: AbortSignal): AsyncGenerator<never> {
    await new Promise<void>((resolve, reject) => {
      this.#watches.add(reject);
      signal.addEventListener('abort', () => resolve());
    });
    yield* [];
  }

  get clusterctl(): MoveRequest['clusterctl'] {
    const run = async (steps: (() => void)[], signal?: AbortSignal): Promise<void> => {
      this.#left = [];
      if (!this.source.isAwake) throw new Error('the source is paused');
      while (steps.length > 0) {
        if (this.isSlow) await sleep(2 * SEEN_MS);
        signal?.throwIfAborted();
        await this.change(() => steps.shift()!()).catch((error: unknown) => {
          if (error instanceof Killed) this.#left = steps;
          if (error instanceof Lost && this.isSlow) return;
          throw error;
        });
      }
    };
    const { source, target } = this;
    const all = kinds.toReversed().flatMap((kind) => names[kind as 'Cluster'].map((name) => ({ kind, name })));
    return {
      saveTo: () => run([() => source.pause(true), () => source.pause(false)]),
      // pauses, creates all, deletes all, resumes: cmd/clusterctl/client/cluster/mover.go
      move: ({ signal }) => {
        const created = all.toReversed().map(
          ({ kind, name }) =>
            () =>
              target.put(kind, name, kind === 'Cluster'),
        );
        const deleted = all.map(
          ({ kind, name }) =>
            () =>
              source.remove(kind, name),
        );
        return run([() => source.pause(true), ...created, ...deleted, () => target.pause(false)], signal);
      },
      endLeftBehind: () => Promise.resolve(void (this.#left = [])),
    };
  }

  request(folder: string): MoveRequest {
    this.#isDead = false;
    const { source, target, clusterctl } = this;
    return { source: source.access, target: target.access, clusterctl, folder, alive: () => undefined };
  }

  #look(): void {
    expect([this.source.isAwake, this.target.isAwake], 'two owners').not.toEqual([true, true]);
    // its controllers would make the machines anew that have gone
    for (const side of [this.source, this.target]) if (side.isAwake) expect(side.objects.size).toBe(3);
  }
}

/** @returns whether it came to an end */
async function ended(attempt: Promise<void>): Promise<boolean> {
  return attempt.then(
    () => true,
    (error: unknown) => {
      if (!(error instanceof Killed || error instanceof Lost)) throw error;
      return false;
    },
  );
}

/** Moves, with trouble before one change and then before another one; then what ends it is called once more. */
async function withTrouble(
  trouble: Trouble,
  before: readonly number[],
  end: (request: MoveRequest) => Promise<void>,
): Promise<{ world: World; folder: string; wasTroubled: boolean }> {
  const world = new World(trouble);
  const folder = await mkdtemp(join(parent, 'move-'));
  let wasTroubled = false;
  for (const [index, after] of before.entries()) {
    world.troubleAt = world.changes + after;
    const attempt = index === 0 ? moveClusters : end;
    if (await ended(attempt(world.request(folder)))) break;
    wasTroubled = true;
  }
  world.troubleAt = Infinity;
  await end(world.request(folder));
  return { world, folder, wasTroubled };
}

const upTo = (last: number, step = 1): number[] =>
  Array.from({ length: Math.ceil(last / step) }, (_none, index) => 1 + index * step);

describe.each([
  ['killed', Killed],
  ['cut off', Lost],
])('a move of clusters that is %s', (_name, trouble) => {
  let whole: number;

  it('or not ends with the target as the owner', async () => {
    const { world, folder } = await withTrouble(trouble, [], moveClusters);
    whole = world.changes;
    expect([world.source.objects.size, world.target.isAwake, await isMoveOpen(folder)]).toEqual([0, true, false]);
  });

  it('before any change, twice, is brought to its end', { timeout: 120_000 }, async () => {
    let troubled = 0;
    for (const first of upTo(whole)) {
      for (const second of upTo(whole, 3)) {
        const { world, folder, wasTroubled } = await withTrouble(trouble, [first, second], moveClusters);
        const about = `before ${first}, then before ${second}`;
        if (wasTroubled) troubled += 1;
        expect([world.source.objects.size, world.target.objects.size], about).toEqual([0, 3]);
        expect([world.target.isAwake, await isMoveOpen(folder)], about).toEqual([true, false]);
      }
    }
    // past the point of no return a move that clusterctl was cut off from ends by itself
    expect(troubled).toBeGreaterThan(whole);
  });

  it.each([20, 60])('removes nothing before controllers have seen the pause, %d ms late', async (awayMs) => {
    for (const troubleAt of upTo(whole)) {
      const world = Object.assign(new World(trouble), { troubleAt, isSlow: true, awayMs });
      const folder = await mkdtemp(join(parent, 'move-'));
      await ended(moveClusters(world.request(folder)));
      world.troubleAt = Infinity;
      await moveClusters(world.request(folder));
      expect([world.source.objects.size, world.target.isAwake], `before ${troubleAt}`).toEqual([0, true]);
    }
  });

  it('and then given up leaves one owner that is awake and has everything', { timeout: 120_000 }, async () => {
    const owners = new Set<string>();
    for (const first of upTo(whole)) {
      for (const second of upTo(whole, 3)) {
        const { world, folder } = await withTrouble(trouble, [first, second], settleMove);
        const about = `before ${first}, then before ${second}`;
        const awake = [world.source, world.target].filter(({ isAwake }) => isAwake);
        expect(
          awake.map(({ objects }) => objects.size),
          about,
        ).toEqual([3]);
        expect(await isMoveOpen(folder), about).toBe(false);
        owners.add(awake[0]!.name);
      }
    }
    expect([...owners].sort()).toEqual(['source', 'target']);
  });
});
