import { execFileSync } from 'node:child_process';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { billOfMaterialsArtifact, type Content } from './artifacts.ts';
import { buildIndex } from './index-json.ts';
import { openPartialBundle, type PartialBundle } from './partial-bundle.ts';
import { openBundle } from './reader.ts';
import { assemble, content, expectedEntries, plainTar, sampleBill, sampleBundle, temporaryFolders } from './testing.ts';

const folder = temporaryFolders(afterEach);
const planDigest: Digest = `sha256:${'1'.repeat(64)}`;

/** What happens to one blob while the bundle is written. */
interface Step {
  blob: number;
  act: 'write' | 'half' | 'lie' | 'sync' | 'crash';
}

const steps = fc.array(
  fc.record({ blob: fc.nat(), act: fc.constantFrom<Step['act'][]>('write', 'write', 'half', 'lie', 'sync', 'crash') }),
  { maxLength: 25 },
);
const blobBytes = fc.oneof(
  fc.uint8Array({ maxLength: 1100 }),
  fc.constantFrom(0, 1, 511, 512, 513).map((size) => Buffer.alloc(size, 'z')),
);
const blobSets = fc.array(blobBytes, { minLength: 1, maxLength: 12 });

function bundleOf(parts: Uint8Array[]) {
  const bill = billOfMaterialsArtifact(sampleBill(planDigest, 'x.example/app:v1'));
  const blobs = parts.map((bytes) => content('application/octet-stream', bytes));
  return assemble(buildIndex([], [], bill.manifest.descriptor), [bill.manifest, bill.layer], [bill.config, ...blobs]);
}

async function writeAt(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
  await file.close();
}

async function perform(partial: PartialBundle, { descriptor, bytes }: Content, act: Step['act']): Promise<void> {
  const { digest, size } = descriptor;
  const open = (await partial.remaining()).some((blob) => blob.descriptor.digest === digest);
  if (act === 'sync') await partial.sync();
  if (!open || size === 0) return;
  if (act === 'write') await writeAt(partial.path, partial.offsetOf(digest), bytes);
  if (act === 'half') await writeAt(partial.path, partial.offsetOf(digest), bytes.subarray(0, size / 2));
  if (act === 'half') partial.markPrefix(digest, Math.floor(size / 2));
  if (act === 'write') partial.markWritten(digest);
}

describe('a bundle written in any order with any crashes', () => {
  it('has the bytes of a plain tar of the same content, and reads back', async () => {
    await fc.assert(
      fc.asyncProperty(blobSets, steps, async (parts, script) => {
        const bundle = bundleOf(parts);
        const output = join(await folder(), 'b.tar');
        const metadata = (digest: Digest) => Promise.resolve(bundle.metadata.get(digest)!.bytes);
        const reopen = () => openPartialBundle({ ...bundle, output, planDigest, metadata });
        const all = [...bundle.blobs.values()];
        let partial = await reopen();
        for (const { blob, act } of script) {
          const item = all[blob % all.length]!;
          // a process that says "written" and dies before its bytes are on the disk
          const { digest } = item.descriptor;
          const lie =
            act === 'lie' && (await partial.remaining()).some(({ descriptor }) => descriptor.digest === digest);
          if (lie) partial.markWritten(digest);
          if (lie || act === 'crash') {
            await partial.close();
            partial = await reopen();
          } else await perform(partial, item, act);
        }
        for (const { descriptor } of await partial.remaining()) {
          await writeAt(partial.path, partial.offsetOf(descriptor.digest), bundle.blobs.get(descriptor.digest)!.bytes);
          partial.markWritten(descriptor.digest);
        }
        await partial.seal({ force: false });
        expect((await readFile(output)).equals(plainTar(expectedEntries(bundle)))).toBe(true);
        const listing = execFileSync('tar', ['-tf', output], { encoding: 'utf8' }).trim().split('\n');
        expect(listing).toEqual(bundle.layout.entries.map(({ name }) => name));
        const read = await openBundle(output);
        for (const { descriptor, bytes } of all) {
          expect(Buffer.compare(await read.read(descriptor.digest), bytes)).toBe(0);
        }
        await read.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('any flipped bit', () => {
  const sample = sampleBundle();
  const whole = plainTar(expectedEntries(sample));

  it('is found by reading the whole bundle, or changes its identity, or stands in a checksum', async () => {
    const path = join(await folder(), 'b.tar');
    await writeFile(path, whole);
    const { identity } = await readWhole(path);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 7 }), async (at, bit) => {
        const flipped = Buffer.from(whole);
        flipped[at]! ^= 1 << bit;
        await writeFile(path, flipped);
        const found = await readWhole(path).catch((error: unknown) => error);
        const inChecksum = at % 512 >= 148 && at % 512 < 156;
        if (found instanceof SealiftError) expect(['BundleCorrupt', 'BundleUnsafe']).toContain(found.type);
        else if (!inChecksum) expect(found).not.toMatchObject({ identity });
      }),
      { numRuns: 300 },
    );
  });
});

async function readWhole(path: string): Promise<{ identity: Digest }> {
  const bundle = await openBundle(path);
  try {
    for (const { digest } of bundle.allBlobs()) await bundle.read(digest);
    return { identity: bundle.identity };
  } finally {
    await bundle.close();
  }
}
