import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startFaultProxy } from '../helpers/fault-proxy.ts';
import { registryError, type Fault, type FaultRule } from '../helpers/fault-rules.ts';
import { generateImage, type GeneratedImage } from '../helpers/images.ts';
import {
  createProvingGround,
  expectDone,
  expectProblems,
  sha256Of,
  type ExpectedProblem,
  type ProvingGround,
} from '../helpers/proving-ground.ts';
import { pushImage } from '../helpers/push.ts';

const credentials = { user: 'reader', password: 'a-password-to-read' };
const SIZE = 600_000;
const count = 10;
const images: GeneratedImage[] = [];
const references: string[] = [];
let ground: ProvingGround;
let list: string;
let undisturbed: string;

beforeAll(async () => {
  ground = await createProvingGround({ upstreamCredentials: credentials });
  return () => ground[Symbol.asyncDispose]();
});

beforeAll(async () => {
  const docker = join(ground.home.path, '.docker');
  await mkdir(docker);
  const auth = Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
  await writeFile(join(docker, 'config.json'), JSON.stringify({ auths: { [ground.source.host]: { auth } } }));
  for (let number = 0; number < count; number += 1) {
    images.push(generateImage({ seed: `image ${number}`, layers: [SIZE + number] }));
    references.push(await ground.offer(`team/i${number}`, 'v1', images[number]!));
  }
  list = await ground.list('images.txt', references);
  const output = ground.path('undisturbed.tar');
  expectDone(await ground.run(ground.exportArgs(output, list)), 'the undisturbed export');
  undisturbed = await sha256Of(output);
});

afterEach(() => ground.source.clear());

/** The layer of an image: the blob that is worth harming. */
function layerOf(number: number): { digest: string; size: number } {
  return images[number]!.blobs.find(({ size }) => size > SIZE)!;
}

function onLayer(number: number, name: string, fault: Fault, more: Partial<FaultRule> = {}): FaultRule {
  return { name, method: 'GET', path: new RegExp(`/blobs/${layerOf(number).digest}`), fault, ...more };
}

function onManifest(number: number, name: string, fault: Fault, more: Partial<FaultRule> = {}): FaultRule {
  return { name, method: 'GET', path: new RegExp(`/team/i${number}/manifests/`), fault, ...more };
}

const status = (code: number, headers: Record<string, string> = {}): Fault => ({
  kind: 'status',
  status: code,
  headers,
  body: registryError('FAULT', 'made by a test'),
});

describe('faults of the source that pass', () => {
  it('cost nothing but time: the tar is the same, and what was there is not fetched again', async () => {
    await pushImage(ground.registry.url, 'team/i6', 'v1', images[6]!);
    await using elsewhere = await startFaultProxy(ground.registry.url);
    const half = Math.floor(SIZE / 2);
    ground.source.add(
      onManifest(0, '429 for a manifest', status(429, { 'retry-after': '1' })),
      onLayer(0, '429 for a blob', status(429, { 'retry-after': '1' })),
      onManifest(1, '500 for a manifest', status(500), { times: 2 }),
      onLayer(1, '500 for a blob', status(500), { times: 2 }),
      onManifest(2, 'no answer to a manifest', { kind: 'drop' }),
      onLayer(2, 'no answer to a blob', { kind: 'drop' }),
      onManifest(3, 'reset in a manifest', { kind: 'reset', direction: 'down', afterBytes: 100 }),
      onLayer(3, 'reset in a blob', { kind: 'reset', direction: 'down', afterBytes: half }),
      onLayer(4, 'stall in a blob', { kind: 'stall', direction: 'down', afterBytes: half }),
      onLayer(5, 'a blob that ends early', { kind: 'missing', bytes: half, announced: false }),
      onLayer(6, 'redirect to another host', { kind: 'redirect', to: elsewhere.url }),
      onLayer(7, 'a stall before any answer', { kind: 'silence' }),
      onManifest(8, '408 for a manifest', status(408)),
      onLayer(8, '503 for a blob', status(503, { 'retry-after': '1' })),
    );
    const output = ground.path('disturbed.tar');
    const from = ground.source.exchanges.length;
    const args = ground.exportArgs(output, list, '--concurrency', '8');
    expectDone(await ground.run(args, { env: { SEALIFT_STALL_SECONDS: '1' } }));
    ground.source.expectAllUsed();
    expect(await sha256Of(output)).toBe(undisturbed);

    const exchanges = ground.source.exchanges.slice(from);
    const fetches = (number: number) => exchanges.filter(({ path }) => path.includes(layerOf(number).digest));
    for (const number of [3, 4]) {
      // one request that broke, one for the rest
      expect(fetches(number).map((exchange) => exchange.status)).toEqual([200, 206]);
      const down = fetches(number).reduce((sum, exchange) => sum + exchange.down, 0);
      // a reset takes with it what the client had not read yet
      expect(down, `bytes of image ${number}`).toBeLessThan(layerOf(number).size + half / 2);
    }
    expect(elsewhere.exchanges.map(({ path }) => path)).toEqual([`/v2/team/i6/blobs/${layerOf(6).digest}`]);
    expect(fetches(6).every(({ authorized }) => authorized)).toBe(true);
    expect(elsewhere.exchanges.filter(({ authorized }) => authorized)).toEqual([]);
  });
});

describe('bytes that are not what was promised', () => {
  const always = { times: Infinity };
  const source = 'source' as const;
  const subject = (number: number): string => `${layerOf(number).digest}`;
  const cases: [string, () => { rule: FaultRule; problem: ExpectedProblem }][] = [
    [
      'wrong bytes in a blob',
      () => ({
        rule: onLayer(0, 'corrupt', { kind: 'corrupt', at: 1234 }, always),
        problem: { type: 'DigestMismatch', side: source, subject: subject(0), message: /digest sha256:/ },
      }),
    ],
    [
      'more bytes than the manifest says',
      () => ({
        rule: onLayer(1, 'extra', { kind: 'extra', bytes: 10 }, always),
        problem: { type: 'SizeMismatch', side: source, subject: subject(1), message: `${layerOf(1).size + 10}` },
      }),
    ],
    [
      'fewer bytes than the manifest says',
      () => ({
        rule: onLayer(2, 'missing', { kind: 'missing', bytes: 10, announced: true }, always),
        problem: { type: 'SizeMismatch', side: source, subject: subject(2), message: `${layerOf(2).size - 10}` },
      }),
    ],
    [
      'wrong bytes in a manifest under the right digest header',
      () => ({
        rule: onManifest(3, 'corrupt', { kind: 'corrupt', at: 40 }, always),
        problem: { type: 'DigestMismatch', side: source, subject: 'team/i3' },
      }),
    ],
  ];

  it.each(cases)('%s: the export ends with the item named and no tar', async (name, make) => {
    const { rule, problem } = make();
    ground.source.add(rule);
    const output = ground.path(`${name.replaceAll(' ', '-')}.tar`);
    expectProblems(await ground.run(ground.exportArgs(output, list)), 4, [problem]);
    ground.source.expectAllUsed();
    // mended, the same command goes on with what it has
    ground.source.clear();
    expectDone(await ground.run(ground.exportArgs(output, list)));
    expect(await sha256Of(output)).toBe(undisturbed);
  });
});

describe('what an operator can mend', () => {
  it('parks with every item told, and retry finishes without fetching twice', async () => {
    const always = { times: Infinity };
    const output = ground.path('parked.tar');
    const from = ground.source.exchanges.length;
    const withMissing = await ground.list('with-missing.txt', [...references, 'registry.example/team/late:v1']);
    ground.source.add(
      onManifest(0, '401', status(401), always),
      onManifest(1, '403', status(403), always),
      onLayer(2, '404 for a blob', status(404), always),
      onLayer(3, '403 for a blob', status(403), always),
    );
    const args = ground.exportArgs(output, withMissing);
    const first = await ground.run(args);
    expectProblems(first, 5, [
      { type: 'RegistryUnauthorized', side: 'source', subject: 'team/i0', remedy: 'docker login' },
      { type: 'RegistryForbidden', side: 'source', subject: 'team/i1', remedy: 'right to pull' },
      { type: 'ManifestMissing', side: 'source', subject: 'team/late:v1', remedy: /reference.*skip/ },
    ]);
    const id = first.document!.operation!;
    // the very same command attaches and says the same; nothing is lost by asking
    expectProblems(await ground.run(args), 5, []);
    await ground.offer('team/late', 'v1', generateImage({ seed: 'late', layers: [1000] }));
    ground.source.clear();
    ground.source.add(
      onLayer(2, '404 for a blob', status(404), always),
      onLayer(3, '403 for a blob', status(403), always),
    );
    const second = await ground.run(['retry', id]);
    expectProblems(second, 5, [
      { type: 'BlobMissing', side: 'source', subject: layerOf(2).digest },
      { type: 'RegistryForbidden', side: 'source', subject: layerOf(3).digest },
    ]);
    ground.source.clear();
    expectDone(await ground.run(['retry', id]), 'retry');
    const fetched = ground.source.exchanges
      .slice(from)
      .filter(({ method, path }) => method === 'GET' && path.includes('blobs'));
    for (const { path } of fetched.filter((exchange) => exchange.status === 200)) {
      expect(
        fetched.filter((exchange) => exchange.status === 200 && exchange.path === path),
        path,
      ).toHaveLength(1);
    }
    expectDone(await ground.run(['verify', 'artifacts', '-i', output]), 'verify');
  });

  it('ends at once with --on-failure fail, with the exit code of the first problem', async () => {
    ground.source.add(onManifest(1, '401', status(401), { times: Infinity }));
    const args = ground.exportArgs(ground.path('failing.tar'), list, '--on-failure', 'fail');
    expectProblems(await ground.run(args), 3, [{ type: 'RegistryUnauthorized', side: 'source', subject: 'team/i1' }]);
  });
});
