import { execFileSync } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { MediaType } from '../../contracts/media-types.ts';
import { openBundle } from './reader.ts';
import { openRandomAccess } from './open-random-access.ts';
import { walkTar } from './tar-walk.ts';
import {
  content,
  expectedEntries,
  failureOf,
  plainTar,
  sampleBundle,
  temporaryFolders,
  writeSample,
  type TarEntry,
} from './testing.ts';

const sample = sampleBundle();
const entries = expectedEntries(sample);
const folder = temporaryFolders(afterEach);

async function failureOfTar(bytes: Uint8Array) {
  const path = join(await folder(), 'b.tar');
  await writeFile(path, bytes);
  return failureOf(openBundle(path).then((bundle) => bundle.close()));
}

function withEntry(entry: TarEntry): Buffer {
  return plainTar([...entries.slice(0, 3), entry, ...entries.slice(3)]);
}

describe('openBundle', () => {
  it('knows identity, bill of materials, places and content', async () => {
    const path = await writeSample(await folder(), sample);
    const bundle = await openBundle(path);
    expect(bundle.identity).toBe(content('', sample.index).descriptor.digest);
    expect(bundle.billOfMaterials.items[0]?.reference).toBe(sample.image.reference);
    expect(bundle.index.manifests).toHaveLength(3);
    for (const entry of sample.layout.entries.filter(({ digest }) => digest !== undefined)) {
      expect(bundle.locate(entry.digest!)).toMatchObject({ offset: entry.dataOffset, size: entry.size });
    }
    expect([...bundle.allBlobs()]).toHaveLength(sample.metadata.size + sample.blobs.size);
    const { digest } = sample.file.blob;
    expect(Buffer.from(await bundle.read(digest)).toString()).toBe('kind: Namespace\n');
    expect((await failureOf(bundle.read(digest, 4))).text).toMatch(/16 bytes, more than the 4/);
    await bundle.close();
  });

  it('lists what an image needs, children before parents, shared blobs once', async () => {
    const bundle = await openBundle(await writeSample(await folder(), sample));
    const { manifests, blobs } = await bundle.closure(sample.image.index.digest);
    const { image } = sample;
    expect(manifests.map(({ digest }) => digest)).toEqual(
      [...image.manifests, image.index].map(({ digest }) => digest),
    );
    expect(manifests.at(-1)?.mediaType).toBe(MediaType.ociIndex);
    expect(blobs).toHaveLength(5);
    await bundle.close();
  });

  it('takes a tar that GNU tar made of the unpacked bundle, folders and 10 KiB records included', async () => {
    const base = await folder();
    await writeSample(base, sample);
    execFileSync(
      'sh',
      ['-c', 'mkdir x && tar -xf bundle.tar -C x && tar -cf repacked.tar -C x blobs index.json oci-layout'],
      { cwd: base },
    );
    const bundle = await openBundle(join(base, 'repacked.tar'));
    expect(bundle.identity).toBe(content('', sample.index).descriptor.digest);
    await bundle.close();
  });

  it('says that a file is missing, or is none', async () => {
    const base = await folder();
    expect((await failureOf(openBundle(join(base, 'absent.tar')))).type).toBe('FileMissing');
    expect((await failureOf(openBundle(base))).type).toBe('FileMissing');
  });
});

describe('a hostile tar', () => {
  const hex = 'a'.repeat(64);
  it.each<[string, TarEntry]>([
    ['a name that leads out', { name: '../evil' }],
    ['a name that leads out further down', { name: 'blobs/sha256/../../evil' }],
    ['an absolute name', { name: '/etc/passwd' }],
    ['a dotted name', { name: `./blobs/sha256/${hex}` }],
    ['upper-case hex', { name: `blobs/sha256/${hex.toUpperCase()}` }],
    ['another algorithm', { name: `blobs/sha512/${hex}` }],
    ['another file', { name: 'manifest.json' }],
    ['a symbolic link', { name: `blobs/sha256/${hex}`, type: '2', link: '/etc/passwd' }],
    ['a hard link', { name: `blobs/sha256/${hex}`, type: '1', link: 'index.json' }],
    ['a device', { name: `blobs/sha256/${hex}`, type: '3' }],
    ['another folder', { name: 'blobs/sha512/', type: '5' }],
    ['a second index.json', { name: 'index.json' }],
    ['a second blob of one name', { name: entries[3]!.name }],
    ['a global PAX header', { name: 'x', type: 'g' }],
    ['a GNU long name', { name: '././@LongLink', type: 'L', content: Buffer.from('../evil\0') }],
    ['a PAX header with another name', { name: 'x', type: 'x', content: Buffer.from('16 path=../evil\n') }],
    ['a PAX header with another size', { name: 'x', type: 'x', content: Buffer.from('12 size=512\n') }],
    ['a PAX header with a link', { name: 'x', type: 'x', content: Buffer.from('18 linkpath=/etc/\n') }],
    ['a huge PAX header', { name: 'x', type: 'x', content: Buffer.alloc(8192, ' ') }],
  ])('with %s is refused, with entry and offset', async (_what, entry) => {
    const { type, text } = await failureOfTar(withEntry(entry));
    expect([type, text]).toEqual(['BundleUnsafe', expect.stringMatching(/entry ".*" at byte offset \d+: /)]);
  });

  it('with two PAX headers in a row, or one at the end, is refused', async () => {
    const pax: TarEntry = { name: 'x', type: 'x', content: Buffer.from('11 size=20\n') };
    expect((await failureOfTar(plainTar([pax, pax, ...entries]))).text).toContain('follow each other');
    expect((await failureOfTar(plainTar([...entries, pax]))).text).toContain('no entry after it');
  });

  it('with absurd sizes is refused before anything is read', async () => {
    const size = 2 ** 46;
    const { type, text } = await failureOfTar(withEntry({ name: `blobs/sha256/${hex}`, size }));
    expect([type, text]).toEqual(['BundleCorrupt', expect.stringContaining('truncated')]);
    expect((await failureOfTar(withEntry({ name: `blobs/sha256/${hex}`, size: 2 ** 52 }))).type).toBe('BundleUnsafe');
  });

  it('with too many entries is refused', async () => {
    const path = await writeSample(await folder(), sample);
    const file = await openRandomAccess(path);
    expect((await failureOf(walkTar(file, entries.length - 1))).text).toContain(
      `more than ${entries.length - 1} entries`,
    );
    await walkTar(file, entries.length);
    await file.close();
  });

  it('with a lying index or bill of materials is refused', async () => {
    const replaced = (name: string, bytes: Uint8Array): Buffer =>
      plainTar(entries.map((entry) => (entry.name === name ? { name, content: bytes } : entry)));
    const index = JSON.parse(Buffer.from(sample.index).toString()) as { manifests: { size: number; digest: string }[] };
    const changed = (change: (manifests: typeof index.manifests) => unknown): Buffer => {
      const copy = structuredClone(index);
      change(copy.manifests);
      return replaced('index.json', Buffer.from(JSON.stringify(copy)));
    };
    const cases: [Buffer, RegExp][] = [
      [changed((manifests) => (manifests[0]!.size += 1)), /bytes, but index.json says/],
      [changed((manifests) => (manifests[0]!.digest = `sha256:${hex}`)), /missing, though index.json names it/],
      [changed((manifests) => manifests.pop()), /not a Sealift bundle/],
      [changed((manifests) => (manifests[0]!.digest = 'md5:1')), /manifests\.0\.digest/],
      [replaced('index.json', Buffer.from('['.repeat(100_000))), /nested more than 64/],
      [replaced('index.json', Buffer.from('{"schemaVersion":2')), /not JSON/],
      [replaced('index.json', Buffer.alloc(4 * 1024 * 1024 + 1, ' ')), /more than the 4194304 allowed/],
      [replaced('oci-layout', Buffer.from('{"imageLayoutVersion":"2.0.0"}')), /imageLayoutVersion/],
      [plainTar(entries.filter(({ name }) => name !== 'index.json')), /no index.json: this is not a Sealift bundle/],
    ];
    for (const [bytes, message] of cases) {
      const { type, text } = await failureOfTar(bytes);
      expect([type, text]).toEqual(['BundleCorrupt', expect.stringMatching(message)]);
    }
  });
});

describe('a damaged tar', () => {
  const whole = plainTar(entries);

  it('is refused wherever it is cut', async () => {
    const path = await writeSample(await folder(), sample);
    for (let length = whole.length - 1; length >= 0; length -= 509) {
      await truncate(path, length);
      const { type, text } = await failureOf(openBundle(path));
      expect([length, type, text]).toEqual([length, 'BundleCorrupt', expect.stringContaining('byte offset')]);
    }
  });

  it('is refused with bytes after the end, between entries, or in the padding', async () => {
    expect((await failureOfTar(Buffer.concat([whole, Buffer.from('x')]))).text).toContain('follow the end');
    expect((await failureOfTar(Buffer.concat([whole, Buffer.alloc(2 ** 21)]))).text).toContain('follow the end');
    expect((await failureOfTar(Buffer.concat([Buffer.alloc(512), whole]))).text).toContain('zeros stands between');
    const padded = Buffer.from(whole);
    padded[1023] = 1;
    expect((await failureOfTar(padded)).text).toMatch(/"oci-layout" at byte offset 0: the padding/);
  });

  it.each([
    ['gzip', '1f8b0800'],
    ['zstd', '28b52ffd'],
    ['xz', 'fd377a585a00'],
    ['bzip2', '425a6839'],
  ])('that is compressed with %s is named as such', async (name, magic) => {
    const { text } = await failureOfTar(Buffer.concat([Buffer.from(magic, 'hex'), Buffer.alloc(2000, 'x')]));
    expect(text).toMatch(new RegExp(`compressed with ${name}[^]*decompress it first`));
  });

  it('that is no tar at all is refused', async () => {
    expect((await failureOfTar(Buffer.alloc(2000, 'x'))).type).toBe('BundleCorrupt');
    expect((await failureOfTar(Buffer.alloc(0))).type).toBe('BundleCorrupt');
    expect((await failureOfTar(plainTar([]))).text).toContain('not a Sealift bundle');
  });

  it('has its altered blob named with entry and offset when it is read', async () => {
    const layer = sample.image.manifests[0]!;
    const { dataOffset } = sample.layout.entries.find(({ digest }) => digest === layer.digest)!;
    const path = join(await folder(), 'b.tar');
    const altered = Buffer.from(whole);
    altered[dataOffset]! ^= 4;
    await writeFile(path, altered);
    const bundle = await openBundle(path);
    const { type, text } = await failureOf(bundle.closure(sample.image.index.digest));
    expect([type, text]).toEqual([
      'BundleCorrupt',
      expect.stringMatching(`blobs/sha256/${layer.digest.slice(7)}.*offset ${dataOffset}: .*altered`),
    ]);
    await bundle.close();
  });
});

describe('closure', () => {
  const config = content(MediaType.ociConfig, '{"os":"linux"}');
  const bundleWith = async (extra: ReturnType<typeof content>[]) => {
    const blobs = extra.map(({ descriptor, bytes }) => ({
      name: `blobs/sha256/${descriptor.digest.slice(7)}`,
      content: bytes,
    }));
    const path = join(await folder(), 'b.tar');
    await writeFile(path, plainTar([...entries, ...blobs]));
    return openBundle(path);
  };
  const indexOf = (child: ReturnType<typeof content>) =>
    content(MediaType.ociIndex, { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [child.descriptor] });

  it('refuses what is absent or has another size, naming both sides', async () => {
    const manifest = (size: number) =>
      content(MediaType.ociManifest, { schemaVersion: 2, config: { ...config.descriptor, size }, layers: [] });
    const absent = await bundleWith([manifest(14)]);
    expect((await failureOf(absent.closure(manifest(14).descriptor.digest))).text).toMatch(/missing, though sha256:/);
    await absent.close();
    const lying = await bundleWith([config, manifest(3)]);
    expect((await failureOf(lying.closure(manifest(3).descriptor.digest))).text).toMatch(
      /14 bytes, but sha256:.* says 3/,
    );
    await lying.close();
  });

  it('takes three indexes in each other, and not four', async () => {
    const image = content(MediaType.ociManifest, { schemaVersion: 2, config: config.descriptor, layers: [] });
    const nested = [image];
    for (let depth = 0; depth < 4; depth++) nested.push(indexOf(nested[depth]!));
    const bundle = await bundleWith([config, ...nested]);
    expect((await bundle.closure(nested[3]!.descriptor.digest)).manifests).toHaveLength(4);
    const { type, text } = await failureOf(bundle.closure(nested[4]!.descriptor.digest));
    expect([type, text]).toEqual(['BundleCorrupt', expect.stringContaining('nested more than 3 deep')]);
    await bundle.close();
  });
});

describe('walkTar', () => {
  it('reads the headers of neighbouring small entries together', async () => {
    const names = Array.from(
      { length: 2000 },
      (_none, number) => `blobs/sha256/${number.toString(16).padStart(64, '0')}`,
    );
    const bytes = plainTar(['oci-layout', 'index.json', ...names].map((name) => ({ name, content: Buffer.from('x') })));
    let reads = 0;
    const { blobs } = await walkTar({
      location: 'memory.tar',
      size: bytes.length,
      read: (offset, length) => {
        reads++;
        return Promise.resolve(bytes.subarray(offset, offset + length));
      },
      close: () => Promise.resolve(),
    });
    expect(blobs.count).toBe(2000);
    expect(reads).toBeLessThanOrEqual(Math.ceil(bytes.length / 65_536) + 1);
  });
});
