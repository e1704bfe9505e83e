import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { blobOf, fileLayer, type GeneratedLayer } from '../../test/helpers/content.ts';
import { generateImage, type GeneratedImage, type ImageOptions } from '../../test/helpers/images.ts';
import type { ReleaseContent } from '../clusters/content.ts';
import { SealiftError } from '../errors.ts';
import { findOnMachine, preferImages } from './binaries.ts';
import { extractProgram, type ProgramFound } from './image-programs.ts';

const TAR_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
const PT_LOAD = 1;
const PT_INTERP = 3;

/** The least that is a program of 64-bit Linux: an ELF header and one program header. */
function program(machine = 62, segment = PT_LOAD): Buffer {
  const bytes = Buffer.alloc(64 + 56 + 5000, 7);
  bytes.fill(0, 0, 120);
  bytes.write('\x7fELF', 0, 'latin1');
  bytes.set([2, 1, 1], 4);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(segment, 64);
  return bytes;
}

function layerWith(path: string, bytes: Uint8Array): GeneratedLayer {
  return fileLayer(TAR_GZIP, [
    { path: 'etc/os-release', bytes: Buffer.from('NAME=none\n') },
    { path, bytes, executable: true },
  ]);
}

function linkLayer(path: string, target: string): GeneratedLayer {
  const block = Buffer.alloc(512);
  new Header({ path, linkpath: target, type: 'SymbolicLink', mode: 0o777, size: 0, mtime: new Date(0) }).encode(block);
  const tar = Buffer.concat([block, Buffer.alloc(1024)]);
  return { ...blobOf(TAR_GZIP, gzipSync(tar)), diffId: blobOf('', tar).digest };
}

/** What is in memory only, and proves nothing: that is the business of real contents. */
function contentOf(image: GeneratedImage): ReleaseContent {
  const blobs = new Map<Digest, Uint8Array>(image.manifests.map(({ digest, bytes }) => [digest, bytes]));
  for (const blob of image.blobs) blobs.set(blob.digest, Buffer.concat([...blob.chunks()]));
  return {
    path: 'memory',
    identity: image.root.digest,
    billOfMaterials: { schemaVersion: 1, sources: [], platforms: [], items: [], skipped: [] },
    locate: () => undefined,
    read: (digest) => Promise.resolve(blobs.get(digest)!),
    readPart: (digest, start, length) => Promise.resolve(blobs.get(digest)!.subarray(start, start + length)),
    closure: () => Promise.reject(new Error('not asked')),
    save: (digest, path) => writeFile(path, blobs.get(digest)!),
    close: () => Promise.resolve(),
  };
}

describe('extractProgram', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-programs-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const extract = (
    options: Partial<ImageOptions> & Pick<ImageOptions, 'layers'>,
    wanted: { program?: string; isEntrypoint?: boolean } = {},
  ): Promise<ProgramFound> => {
    const image = generateImage({ seed: 'program', ...options });
    return extractProgram(
      contentOf(image),
      { image: 'example.com/one:v1', root: image.root.digest, program: 'etcd', isEntrypoint: false, ...wanted },
      { folder, signal: new AbortController().signal, architecture: 'amd64' },
    );
  };
  const reasonOf = async (...args: Parameters<typeof extract>): Promise<string> => {
    const found = await extract(...args);
    return 'why' in found ? found.why : `found ${found.path}`;
  };

  it('takes the file of its name, executable, under the digest of its bytes, and leaves nothing else', async () => {
    const layers = [layerWith('usr/local/bin/etcd', program()), layerWith('usr/bin/other', Buffer.from('x'))];
    const found = await extract({ layers, platforms: ['linux/arm64', 'linux/amd64'] });
    if ('why' in found) throw new Error(found.why);
    expect(found.path).toBe(join(folder, 'sha256', found.digest.slice(7), 'etcd'));
    expect(await readFile(found.path)).toEqual(program());
    expect((await stat(found.path)).mode & 0o777).toBe(0o755);
    expect(await readdir(folder)).toEqual(['sha256']);
    expect(await extract({ layers })).toEqual(found);
  });

  it('takes what the image runs under the name that is asked for, through links between layers', async () => {
    const layers = [layerWith('opt/manager-v1', program()), linkLayer('manager', '/opt/manager-v1')];
    const found = await extract({ layers, entrypoint: '/manager' }, { program: 'capi-core', isEntrypoint: true });
    expect(found).toHaveProperty('path', expect.stringMatching(/\/capi-core$/));
  });

  it.each([
    ['plain', (tar: Buffer) => tar],
    ['gzip', (tar: Buffer) => gzipSync(tar)],
    // one raw block of a frame (RFC 8878), since Node 20 cannot make any
    ['zstd', (tar: Buffer) => zstdOf(tar)],
  ])('reads layers that are %s, whatever their media type says', async (_name, pack) => {
    const block = Buffer.alloc(512);
    const bytes = program();
    new Header({ path: 'etcd', type: 'File', mode: 0o755, size: bytes.length, mtime: new Date(0) }).encode(block);
    const tar = Buffer.concat([block, bytes, Buffer.alloc(512 - (bytes.length % 512)), Buffer.alloc(1024)]);
    const layer = { ...blobOf(TAR_GZIP, pack(tar)), diffId: blobOf('', tar).digest };
    expect(await extract({ layers: [layer] })).toHaveProperty('path');
  });

  it.each([
    ['is for other machines only', { layers: [10], platforms: ['linux/arm64', 'linux/s390x'] }, 'only for linux/arm64'],
    ['lacks the file', { layers: [layerWith('bin/etcdctl', program())] }, 'has no file etcd'],
    ['has a program with libraries', { layers: [layerWith('etcd', program(62, PT_INTERP))] }, 'needs libraries'],
    ['has a program of another machine', { layers: [layerWith('etcd', program(183))] }, 'is for arm64'],
    ['has a script', { layers: [layerWith('etcd', Buffer.from('#!/bin/sh\n'))] }, 'no program of Linux'],
    [
      'has a damaged layer',
      { layers: [{ ...blobOf(TAR_GZIP, Buffer.from([0x1f, 0x8b, 1])), diffId: digest() }] },
      'cannot be read',
    ],
  ])('says why when an image %s', async (_name, options, reason) => {
    expect(await reasonOf(options)).toContain(reason);
    expect(await readdir(folder)).not.toContain('sha256');
  });

  it('says why when the config of an image is none', async () => {
    const image = generateImage({ seed: 'program', layers: [10] });
    const content = contentOf(image);
    const found = await extractProgram(
      {
        ...content,
        read: (digest) => (digest === image.root.digest ? content.read(digest) : Promise.resolve(Buffer.from('['))),
      },
      { image: 'example.com/one:v1', root: image.root.digest, program: 'etcd', isEntrypoint: false },
      { folder, signal: new AbortController().signal },
    );
    expect(found).toEqual({ why: 'the config of its image example.com/one:v1 is none' });
  });

  it('removes what a process had begun that was killed', async () => {
    await writeFile(join(folder, 'unpacking-999999999-abc'), '');
    await extract({ layers: [layerWith('etcd', program())] });
    expect(await readdir(folder)).toEqual(['sha256']);
  });
});

describe('preferImages', () => {
  it('looks elsewhere for what is in no image, and says both reasons when it is nowhere', async () => {
    const nowhere = preferImages(
      () => Promise.resolve({ why: 'its image is not for linux/arm64' }),
      findOnMachine([], {}),
    );
    const failure = await nowhere('etcd').catch((error: unknown) => error as SealiftError);
    expect(failure).toBeInstanceOf(SealiftError);
    expect(failure).toMatchObject({ type: 'ToolMissing' });
    expect((failure as SealiftError).message).toMatch(/not on PATH .*; its image is not for linux\/arm64/);
    const found = preferImages(() => Promise.resolve({ path: '/somewhere' }), findOnMachine([], {}));
    expect(await found('etcd')).toBe('/somewhere');
  });
});

function digest(): Digest {
  return `sha256:${'0'.repeat(64)}`;
}

function zstdOf(bytes: Buffer): Buffer {
  // magic number; single segment with 4 bytes of content size; the last block, raw
  const head = Buffer.alloc(12);
  head.writeUInt32LE(0xfd2fb528, 0);
  head.writeUInt8(0b1010_0000, 4);
  head.writeUInt32LE(bytes.length, 5);
  head.writeUIntLE((bytes.length << 3) | 1, 9, 3);
  return Buffer.concat([head, bytes]);
}
