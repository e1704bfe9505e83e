import { spawnSync } from 'node:child_process';
import { open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { isSealed } from './bundle-file.ts';
import { diskError } from './disk-error.ts';
import { planLayout } from './layout.ts';
import { openPartialBundle, type PartialBundle, type PartialBundleOptions } from './partial-bundle.ts';
import { expectedEntries, failureOf, plainTar, sampleBundle, temporaryFolders } from './testing.ts';

const sample = sampleBundle();
const finished = plainTar(expectedEntries(sample));
const planDigest: Digest = `sha256:${'1'.repeat(64)}`;
const digests = [...sample.blobs.keys()];
const folder = temporaryFolders(afterEach);

function options(output: string, more: Partial<PartialBundleOptions> = {}): PartialBundleOptions {
  const metadata = (digest: Digest) => Promise.resolve(sample.metadata.get(digest)!.bytes);
  return { output, layout: sample.layout, planDigest, index: sample.index, metadata, ...more };
}

async function put(partial: PartialBundle, digest: Digest, bytes = sample.blobs.get(digest)!.bytes): Promise<void> {
  const file = await open(partial.path, 'r+');
  await file.write(bytes, 0, bytes.length, partial.offsetOf(digest));
  await file.close();
}

async function putAll(partial: PartialBundle): Promise<void> {
  for (const { descriptor } of await partial.remaining()) {
    await put(partial, descriptor.digest);
    partial.markWritten(descriptor.digest);
  }
}

async function names(output: string): Promise<string[]> {
  return (await readdir(dirname(output))).map((name) => name.replace(basename(output), 'OUT')).sort();
}

async function remainingAfterReopen(output: string): Promise<Map<Digest, number>> {
  const partial = await openPartialBundle(options(output));
  const remaining = new Map((await partial.remaining()).map(({ descriptor, prefix }) => [descriptor.digest, prefix]));
  await partial.close();
  return remaining;
}

describe('a partial bundle', () => {
  it('is sealed with the bytes of the finished tar, and leaves nothing beside it', async () => {
    const output = join(await folder(), 'b.tar');
    const partial = await openPartialBundle(options(output));
    expect((await partial.remaining()).map(({ descriptor }) => descriptor.digest).sort()).toEqual([...digests].sort());
    expect(await isSealed(output, sample.layout, sample.index)).toBe(false);
    await putAll(partial);
    await partial.seal({ force: false });
    await partial.seal({ force: false });
    expect((await readFile(output)).equals(finished)).toBe(true);
    expect(await names(output)).toEqual(['OUT']);
    expect(await isSealed(output, sample.layout, sample.index)).toBe(true);
  });

  it('goes on after a crash: synced blobs are done, written ones are hashed, prefixes are offered', async () => {
    const output = join(await folder(), 'b.tar');
    const [synced, written, lost, begun] = digests as [Digest, Digest, Digest, Digest];
    const partial = await openPartialBundle(options(output));
    await put(partial, synced);
    partial.markWritten(synced);
    await partial.sync();
    await put(partial, written);
    partial.markWritten(written);
    partial.markWritten(lost);
    partial.markPrefix(begun, 10);
    partial.markPrefix(begun, 5);
    await partial.close();

    const remaining = await remainingAfterReopen(output);
    expect([synced, written].some((digest) => remaining.has(digest))).toBe(false);
    expect([remaining.get(lost), remaining.get(begun), remaining.size]).toEqual([0, 10, digests.length - 2]);
  });

  it('refuses to seal while a blob is missing', async () => {
    const output = join(await folder(), 'b.tar');
    const partial = await openPartialBundle(options(output));
    expect((await failureOf(partial.seal({ force: true }))).text).toContain('is not written');
    await partial.close();
    expect(await names(output)).toEqual(['OUT.partial', 'OUT.partial.d']);
  });

  it('keeps an existing output unless forced', async () => {
    const output = join(await folder(), 'b.tar');
    await writeFile(output, 'precious');
    const partial = await openPartialBundle(options(output));
    await putAll(partial);
    expect((await failureOf(partial.seal({ force: false }))).type).toBe('OutputExists');
    expect(await readFile(output, 'utf8')).toBe('precious');
    await partial.seal({ force: true });
    expect((await readFile(output)).equals(finished)).toBe(true);
  });

  it('finishes a seal that was killed between the rename and the removal of the work folder', async () => {
    const output = join(await folder(), 'b.tar');
    const partial = await openPartialBundle(options(output));
    await putAll(partial);
    await partial.sync();
    await partial.close();
    await rename(partial.path, output);
    const again = await openPartialBundle(options(output));
    expect(await again.remaining()).toEqual([]);
    await again.seal({ force: false });
    expect(await names(output)).toEqual(['OUT']);
    expect((await readFile(output)).equals(finished)).toBe(true);
  });

  it('starts over when the file or the plan is another one', async () => {
    const output = join(await folder(), 'b.tar');
    const first = await openPartialBundle(options(output));
    await putAll(first);
    await first.sync();
    await first.close();
    const other = await openPartialBundle(options(output, { planDigest: `sha256:${'2'.repeat(64)}` }));
    expect(await other.remaining()).toHaveLength(digests.length);
    await putAll(other);
    await other.sync();
    await other.close();
    await rm(other.path);
    expect((await remainingAfterReopen(output)).size).toBe(digests.length);
  });

  it('shares the work of concurrent syncs, and none misses what was written before it', async () => {
    const output = join(await folder(), 'b.tar');
    const partial = await openPartialBundle(options(output));
    const syncs: Promise<void>[] = [];
    for (const digest of digests) {
      await put(partial, digest);
      partial.markWritten(digest);
      syncs.push(partial.sync(), partial.sync());
    }
    await Promise.all(syncs);
    await partial.close();
    const journal = await readFile(`${output}.partial.d/journal`, 'utf8');
    expect(journal.match(/^synced/gm)).toHaveLength(digests.length);
  });

  it('is gone after discard', async () => {
    const output = join(await folder(), 'b.tar');
    const partial = await openPartialBundle(options(output));
    await partial.discard();
    expect(await names(output)).toEqual([]);
  });
});

describe('openPartialBundle', () => {
  it('refuses a second writer, and takes over from a dead one', async () => {
    const output = join(await folder(), 'b.tar');
    const partial = await openPartialBundle(options(output));
    const { type, text } = await failureOf(openPartialBundle(options(output)));
    expect([type, text]).toEqual(['OperationConflict', expect.stringContaining(output)]);
    const lock = JSON.parse(await readFile(`${output}.partial.d/lock`, 'utf8')) as object;
    await partial.close();
    await writeFile(`${output}.partial.d/lock`, JSON.stringify({ ...lock, pid: spawnSync('true').pid }));
    await (await openPartialBundle(options(output))).discard();
  });

  it('says how much room is needed and free before it writes anything', async () => {
    const output = join(await folder(), 'b.tar');
    const size = 2 ** 50;
    const blobs = [{ mediaType: 'x', digest: digests[0]!, size }];
    const layout = planLayout({ index: sample.index, metadata: [], blobs });
    const { type, text } = await failureOf(openPartialBundle(options(output, { layout })));
    expect(type).toBe('DiskFull');
    expect(text).toMatch(new RegExp(`${Math.ceil(layout.size * 1.05)} bytes are needed .* \\d+ are free`));
  });

  it('names the folder that is absent, or no folder', async () => {
    const base = await folder();
    await writeFile(join(base, 'file'), '');
    for (const output of [join(base, 'absent', 'b.tar'), join(base, 'file', 'b.tar')]) {
      const { type, text } = await failureOf(openPartialBundle(options(output)));
      expect([type, text]).toEqual(['PathUnwritable', expect.stringContaining(output)]);
    }
  });

  it('refuses metadata and blobs that are not the planned ones, and lets go of the lock', async () => {
    const output = join(await folder(), 'b.tar');
    const metadata = () => Promise.resolve(Buffer.from('other'));
    expect((await failureOf(openPartialBundle(options(output, { metadata })))).type).toBe('InternalError');
    const partial = await openPartialBundle(options(output));
    expect(() => partial.offsetOf(planDigest)).toThrow(/no blob/);
    expect(() => partial.markWritten(planDigest)).toThrow(/no blob/);
    await partial.discard();
  });
});

describe('diskError', () => {
  it.each([
    ['ENOSPC', 'DiskFull'],
    ['EDQUOT', 'DiskFull'],
    ['EROFS', 'PathUnwritable'],
    ['EACCES', 'PathUnwritable'],
  ])('turns %s into %s with path and remedy', (code, type) => {
    const { problem } = diskError(Object.assign(new Error('system says no'), { code }), 'write', '/x/b.tar');
    expect(problem).toMatchObject({ type, subject: '/x/b.tar', message: 'system says no' });
    expect(problem.remedy).not.toBe('');
  });
});
