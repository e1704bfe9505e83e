import { stat } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateImage } from '../helpers/images.ts';
import { recoveriesOf } from '../helpers/histories.ts';
import { createProvingGround, expectDone, sha256Of, type ProvingGround, type Run } from '../helpers/proving-ground.ts';
import type { Exchange, FaultProxy } from '../helpers/fault-proxy.ts';
import { fileReaches } from '../helpers/sealift.ts';
import { drawFrom, type Draw } from '../helpers/seeded.ts';
import { wholeTags } from '../helpers/visible-tags.ts';

/**
 * kill -9 of CLI and worker (one process) at random points, the same command again and again until it ends. More rounds:
 * `make chaos ROUNDS=200`, or SEALIFT_CHAOS_ROUNDS; SEALIFT_CHAOS_SEED begins at another seed, to play one again.
 */
const rounds = Number(process.env['SEALIFT_CHAOS_ROUNDS'] ?? '20');
const firstSeed = Number(process.env['SEALIFT_CHAOS_SEED'] ?? '1');
const seeds = Array.from({ length: Math.max(1, Math.round(rounds / 2)) }, (_none, round) => firstSeed + round);

const MAX_KILLS = 3;
const MIB = 1024 * 1024;
/** Slow enough that kills land in the middle of blobs. */
const BYTES_PER_SECOND = 25 * MIB;
/** A session keeps what the registry has read when its client dies; this much may be between the two. */
const BETWEEN_CLIENT_AND_REGISTRY = 512 * 1024;

let ground: ProvingGround;
let list: string;
let whole: { path: string; sha256: string; size: number };

beforeAll(async () => {
  ground = await createProvingGround();
  return () => ground[Symbol.asyncDispose]();
});

beforeAll(async () => {
  const shared = { seed: 'chaos base', size: 6_000_000 };
  const references = [
    await ground.offer('team/one', 'v1', generateImage({ seed: 'one', layers: [shared, 12_000_000, 300] })),
    await ground.offer('team/two', 'v1', generateImage({ seed: 'two', layers: [shared, 5_000_000, 40_000] })),
    await ground.offer(
      'team/three',
      'v1',
      generateImage({ seed: 'three', layers: [4_500_000, 20_000], platforms: ['linux/amd64', 'linux/arm64'] }),
    ),
  ];
  list = await ground.list('images.txt', references);
  const path = ground.path('whole.tar');
  expectDone(await ground.run(ground.exportArgs(path, list)), 'the uninterrupted export');
  whole = { path, sha256: await sha256Of(path), size: (await stat(path)).size };
  const slow = { name: 'slow', path: /\/blobs\//, times: Infinity, optional: true };
  ground.source.add({ ...slow, fault: { kind: 'slow', direction: 'down', bytesPerSecond: BYTES_PER_SECOND } });
  ground.destination.add({ ...slow, fault: { kind: 'slow', direction: 'up', bytesPerSecond: BYTES_PER_SECOND } });
});

interface Moment {
  name: string;
  when: () => boolean | Promise<boolean>;
}

/** After so many bytes or requests of this attempt, counted from now. */
function momentOf(draw: Draw, proxy: FaultProxy, direction: 'up' | 'down', files: string[]): Moment {
  const moved = (): number => (direction === 'up' ? proxy.uploaded() : proxy.downloaded());
  const start = { bytes: moved(), requests: proxy.exchanges.length };
  const kind = draw.pick(files.length === 0 ? ['bytes', 'bytes', 'requests'] : ['bytes', 'bytes', 'requests', 'file']);
  if (kind === 'bytes') {
    const bytes = draw.between(0, whole.size);
    return { name: `${bytes} bytes`, when: () => moved() - start.bytes >= bytes };
  }
  if (kind === 'requests') {
    const requests = draw.between(1, 40);
    return { name: `${requests} requests`, when: () => proxy.exchanges.length - start.requests >= requests };
  }
  const file = files[draw.between(0, files.length - 1)]!;
  return { name: `${file} is there`, when: fileReaches(file, 1) };
}

interface Round {
  run: Run;
  /** what was done, for the person who reads a failure */
  story: string[];
}

/** Runs the command until it ends by itself. */
async function playRound(args: string[], next: () => Moment, draw: Draw, killed: () => Promise<void>): Promise<Round> {
  const story: string[] = [];
  for (let left = draw.between(1, MAX_KILLS); left > 0; left -= 1) {
    const moment = next();
    const run = await ground.run(args, { kill: { when: moment.when } });
    story.push(`${run.killed ? 'killed after' : `ended with ${run.code} before`} ${moment.name}`);
    if (!run.killed) expectDone(run, story.join('; '));
    await killed();
  }
  return { run: await ground.run(args), story };
}

describe('an export that is killed', () => {
  it.each(seeds)('gives the very same tar (seed %i)', async (seed) => {
    const draw = drawFrom(seed);
    const output = ground.path(`export-${seed}.tar`);
    const files = [`${output}.partial.d/resolved.jsonl`, `${output}.partial.d/plan.json`, `${output}.partial`, output];
    const { run, story } = await playRound(
      ground.exportArgs(output, list),
      () => momentOf(draw, ground.source, 'down', files),
      draw,
      () => Promise.resolve(),
    );
    expectDone(run, `seed ${seed}: ${story.join('; ')}: the last export`);
    expect(await sha256Of(output), `seed ${seed}: ${story.join('; ')}`).toBe(whole.sha256);
  });
});

describe('an import that is killed', () => {
  it.each(seeds)('ends with every digest right and sends little twice (seed %i)', async (seed) => {
    const draw = drawFrom(1_000_000 + seed);
    const namespace = `round-${seed}`;
    const inFlight = new Set<Exchange>();
    const killed = async (): Promise<void> => {
      for (const exchange of uploads(namespace)) if (exchange.status === 0) inFlight.add(exchange);
      // throws when a tag is there and anything below it is not
      await wholeTags(ground.registry.url, namespace);
    };
    const next = (): Moment => momentOf(draw, ground.destination, 'up', []);
    const { run, story } = await playRound(ground.importArgs(whole.path, namespace), next, draw, killed);
    const about = `seed ${seed}: ${story.join('; ')}`;
    expectDone(run, `${about}: the last import`);
    expectDone(await ground.run(ground.verifyArgs(whole.path, namespace)), `${about}: verify`);
    const sent = uploads(namespace).reduce((sum, { up }) => sum + up, 0);
    expect(sent, `${about}: bytes sent`).toBeLessThanOrEqual(whole.size + lostWith(inFlight));
  });
});

/** Requests that bring bytes of blobs. */
function uploads(namespace: string): Exchange[] {
  return ground.destination.exchanges.filter(
    ({ method, path }) => method !== 'GET' && path.startsWith(`/v2/${namespace}/`) && path.includes('/blobs/uploads/'),
  );
}

/** A small blob goes in one PUT and is sent again; a large one goes on in its session. */
function lostWith(inFlight: Set<Exchange>): number {
  return [...inFlight].reduce(
    (sum, { method, up }) => sum + (method === 'PUT' ? up : Math.min(up, BETWEEN_CLIENT_AND_REGISTRY)),
    0,
  );
}

it('nobody waited for a timeout', async () => {
  for (const name of ['export/export-', 'import/']) {
    const { timedOut } = await recoveriesOf(ground, name);
    expect(timedOut).toEqual([]);
  }
});
