import { afterEach, describe, expect, it } from 'vitest';
import type { BundleContents } from '../../contracts/host.ts';
import { writeFileBundle } from '../trees/testing.ts';
import { bundleContents } from './contents.ts';
import { openBundle } from './reader.ts';
import { sampleBundle, temporaryFolders, writeSample } from './testing.ts';

const folder = temporaryFolders(afterEach);

async function contentsOf(path: string): Promise<BundleContents> {
  const bundle = await openBundle(path);
  try {
    return await bundleContents(bundle);
  } finally {
    await bundle.close();
  }
}

describe('the contents of a bundle', () => {
  it('weigh each blob once, in the whole and for each platform', async () => {
    const sample = sampleBundle();
    const contents = await contentsOf(await writeSample(await folder(), sample));
    const sizes = new Map([...sample.metadata, ...sample.blobs].map(([digest, { bytes }]) => [digest, bytes.length]));
    const { index, manifests, layers } = sample.image;
    const weight = (of: { digest: string }[]): number =>
      of.reduce((sum, { digest }) => sum + sizes.get(digest as `sha256:${string}`)!, 0);
    const configOf = (number: number): { digest: string } =>
      [...sample.blobs.values()]
        .map(({ descriptor }) => descriptor)
        .filter(({ mediaType }) => mediaType.endsWith('config.v1+json'))[number]!;
    const whole = weight([index, ...manifests, ...layers, configOf(0), configOf(1)]);
    expect(contents).toMatchObject({
      bytes: whole,
      blobs: 8,
      bySource: [{ name: 'images', items: 1, bytes: whole }],
      byPlatform: [
        { name: 'linux/amd64', items: 1, bytes: weight([manifests[0]!, configOf(0), layers[0]!, layers[2]!]) },
        { name: 'linux/arm64', items: 1, bytes: weight([manifests[1]!, configOf(1), layers[1]!, layers[2]!]) },
      ],
      byPackage: [],
      items: [{ platforms: ['linux/amd64', 'linux/arm64'], size: whole, sharedBytes: 0 }],
    });
  });

  it('say what items share', async () => {
    const bytes = Buffer.alloc(5000, 'x');
    const path = await writeFileBundle(`${await folder()}/bundle.tar`, [
      { reference: 'https://a.example/one.deb', bytes, package: 'deb' },
      { reference: 'https://b.example/one.deb', bytes, package: 'deb' },
      { reference: 'https://b.example/two', bytes: Buffer.from('two') },
    ]);
    const { items, bytes: all, byPackage, byPlatform } = await contentsOf(path);
    const [one, twin, two] = items;
    // the same manifest, config and layer; the third has only the empty config in common with them
    expect([one?.sharedBytes, twin?.sharedBytes, two?.sharedBytes]).toEqual([one?.size, one?.size, 2]);
    expect(all).toBe(one!.size + two!.size - 2);
    expect(byPackage).toEqual([{ name: 'deb', items: 2, bytes: one!.size }]);
    expect(byPlatform).toEqual([{ name: 'any', items: 3, bytes: all }]);
  });
});
