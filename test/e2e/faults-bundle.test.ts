import { readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { plainTar, expectedEntries, sampleBundle, type TarEntry } from '../../core/bundle/testing.ts';
import { generateImage } from '../helpers/images.ts';
import { layoutIndex } from '../helpers/layout.ts';
import {
  createProvingGround,
  expectDone,
  expectProblems,
  type ExpectedProblem,
  type ProvingGround,
} from '../helpers/proving-ground.ts';

const sample = sampleBundle();
const entries = expectedEntries(sample);
const whole = plainTar(entries);
const hex = 'a'.repeat(64);
let ground: ProvingGround;

beforeAll(async () => {
  ground = await createProvingGround();
  return () => ground[Symbol.asyncDispose]();
});

async function importTar(name: string, bytes: Uint8Array) {
  const path = ground.path(`${name.replaceAll(/[^a-z0-9]+/gi, '-')}.tar`);
  await writeFile(path, bytes);
  return ground.run(ground.importArgs(path, 'refused'));
}

/** What reached the registry and could have changed it. */
function writes() {
  return ground.destination.exchanges.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
}

async function expectRefused(
  name: string,
  bytes: Uint8Array,
  problem: Omit<ExpectedProblem, 'side'> & Partial<Pick<ExpectedProblem, 'side'>>,
): Promise<void> {
  const before = writes().length;
  expectProblems(await importTar(name, bytes), 4, [{ side: 'source', ...problem }]);
  expect(writes().slice(before)).toEqual([]);
}

function withEntry(entry: TarEntry): Buffer {
  return plainTar([...entries.slice(0, 3), entry, ...entries.slice(3)]);
}

/** Where the content of an entry begins. */
function offsetOf(digest: string): number {
  return sample.layout.entries.find((entry) => entry.digest === digest)!.dataOffset;
}

function flipped(at: number): Buffer {
  const bytes = Buffer.from(whole);
  bytes[at]! ^= 4;
  return bytes;
}

describe('the tar that the hostile ones are made from', () => {
  it('is good: it is imported', async () => {
    const path = ground.path('good.tar');
    await writeFile(path, whole);
    expectDone(await ground.run(ground.importArgs(path, 'good')));
    expectDone(await ground.run(ground.verifyArgs(path, 'good')));
  });
});

describe('a hostile tar is refused before anything is written to the registry', () => {
  it.each<[string, TarEntry, string]>([
    ['a name that leads out', { name: '../evil' }, '../evil'],
    ['a name that leads out further down', { name: 'blobs/sha256/../../evil' }, 'blobs/sha256/../../evil'],
    ['an absolute name', { name: '/etc/passwd' }, '/etc/passwd'],
    ['a symbolic link', { name: `blobs/sha256/${hex}`, type: '2', link: '/etc/passwd' }, hex],
    ['a hard link', { name: `blobs/sha256/${hex}`, type: '1', link: 'index.json' }, hex],
    ['a second index.json', { name: 'index.json' }, 'index.json'],
    ['a second blob of one name', { name: entries[3]!.name }, entries[3]!.name],
    ['an absurd size', { name: `blobs/sha256/${hex}`, size: 2 ** 52 }, hex],
    ['a file that no bundle has', { name: 'manifest.json' }, 'manifest.json'],
  ])('%s', async (name, entry, named) => {
    await expectRefused(name, withEntry(entry), {
      type: 'BundleUnsafe',
      message: new RegExp(`"[^"]*${named.replaceAll('.', '\\.')}" at byte offset \\d+`),
    });
  });

  it('a size beyond the end of the file', async () => {
    const tar = withEntry({ name: `blobs/sha256/${hex}`, size: 2 ** 33 });
    await expectRefused('beyond', tar, { type: 'BundleCorrupt', message: /truncated.*|byte offset \d+/ });
  });
});

describe('a broken tar is refused before anything is written to the registry', () => {
  it('cut short', async () => {
    for (const length of [whole.length - 1024, Math.floor(whole.length / 2), 700]) {
      await expectRefused(`cut-${length}`, whole.subarray(0, length), { type: 'BundleCorrupt', message: 'truncated' });
    }
  });

  it('with a flipped bit in a header', async () => {
    const at = offsetOf(sample.image.layers[0]!.digest) - 512 + 10;
    await expectRefused('header', flipped(at), { type: 'BundleCorrupt', message: /byte offset \d+.*checksum/ });
  });

  it('with a flipped bit in index.json', async () => {
    const at = whole.indexOf(sample.image.index.digest) + 20;
    await expectRefused('index', flipped(at), { type: 'BundleCorrupt', message: /index\.json/ });
  });

  it('with a flipped bit in a manifest', async () => {
    const { digest } = sample.image.manifests[0]!;
    const message = new RegExp(`${digest.slice(7)}.*byte offset ${offsetOf(digest)}.*altered`);
    await expectRefused('manifest', flipped(offsetOf(digest) + 5), { type: 'BundleCorrupt', message });
  });

  it('with a flipped bit in a layer', async () => {
    const { digest } = sample.image.layers[0]!;
    const message = new RegExp(`${digest.slice(7)} at byte ${offsetOf(digest)} .*altered`);
    await expectRefused('layer', flipped(offsetOf(digest) + 5), { type: 'BundleCorrupt', side: 'local', message });
  });

  it('compressed, foreign, or no tar at all', async () => {
    await expectRefused('gzip', gzipSync(whole), { type: 'BundleCorrupt', message: 'gzip', remedy: 'gzip -d' });
    await expectRefused('noise', Buffer.alloc(4000, 'x'), { type: 'BundleCorrupt' });
    const image = generateImage({ seed: 'foreign', layers: [1000] });
    const foreign = plainTar([
      { name: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
      { name: 'index.json', content: Buffer.from(layoutIndex([{ name: 'app', image }])) },
      ...[
        ...image.manifests.map(({ digest, bytes }) => ({ digest, bytes })),
        ...image.blobs.map((blob) => ({ digest: blob.digest, bytes: Buffer.concat([...blob.chunks()]) })),
      ].map(({ digest, bytes }) => ({ name: `blobs/sha256/${digest.slice(7)}`, content: bytes })),
    ]);
    await expectRefused('foreign', foreign, {
      type: 'BundleCorrupt',
      message: 'not a Sealift bundle',
      remedy: 'sealift export artifacts',
    });
  });

  it('absent', async () => {
    const run = await ground.run(ground.importArgs(ground.path('absent.tar'), 'refused'));
    expectProblems(run, 5, [{ type: 'FileMissing', side: 'source', subject: 'absent.tar' }]);
  });

  it('changed after the import began to wait: it is another bundle then', async () => {
    const path = ground.path('changing.tar');
    await writeFile(path, whole);
    const rule = { name: '403', method: 'POST', path: /\/v2\/changing\//, times: Infinity };
    ground.destination.add({ ...rule, fault: { kind: 'status', status: 403 } });
    const parked = await ground.run(ground.importArgs(path, 'changing'));
    expectProblems(parked, 5, [{ type: 'RegistryForbidden', side: 'destination' }]);
    ground.destination.clear();
    await writeFile(path, plainTar(expectedEntries(sampleBundle('registry.example:5000/team/other:v2'))));
    const run = await ground.run(['retry', parked.document!.operation!]);
    expectProblems(run, 4, [{ type: 'BundleCorrupt', side: 'local', subject: path, message: 'the import began with' }]);
    expect((await readFile(path)).length).toBeGreaterThan(0);
  });
});
