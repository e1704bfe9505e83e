import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openBundle } from '../../core/bundle/reader.ts';
import { generateImage } from '../helpers/images.ts';
import { createProvingGround, expectDone, sha256Of } from '../helpers/proving-ground.ts';

it('leaves out an image whose layer is gone, and fetches nothing twice for the new plan', async () => {
  await using ground = await createProvingGround();
  const good = generateImage({ seed: 'salvage good', layers: [3_000_000, 200_000] });
  const broken = generateImage({ seed: 'salvage broken', layers: [2_000_000] });
  const references = [await ground.offer('good', 'v1', good), await ground.offer('broken', 'v1', broken)];
  const lost = broken.blobs.find(({ size }) => size > 1_000_000)!;
  const hex = lost.digest.slice('sha256:'.length);
  await rm(join(ground.upstream.dir, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex), { recursive: true });

  const output = ground.path('salvage.tar');
  const parked = await ground.run(ground.exportArgs(output, await ground.list('both.txt', references)));
  expect(parked.code, parked.stderr).toBe(5);
  expect(parked.document?.parked).toMatchObject([{ type: 'BlobMissing', item: lost.digest }]);
  const before = ground.source.traffic({ path: /\/blobs\// }).down;

  const skipped = await ground.run(['skip', parked.document!.operation!]);
  expectDone(skipped, 'skip');
  expect(ground.source.traffic({ path: /\/blobs\// }).down - before).toBe(0);
  const bundle = await openBundle(output);
  await bundle.close();
  expect(bundle.billOfMaterials.skipped).toMatchObject([{ reference: references[1] }]);
  expect(bundle.billOfMaterials.items.map(({ reference }) => reference)).toEqual([references[0]]);
  expectDone(await ground.run(['verify', 'artifacts', '-i', output]));

  const straight = ground.path('straight.tar');
  const alone = await ground.run(ground.exportArgs(straight, await ground.list('good.txt', [references[0]!])));
  expectDone(alone, 'an export of the good image alone');
  expect(await sha256Of(straight)).not.toBe(await sha256Of(output));
});
