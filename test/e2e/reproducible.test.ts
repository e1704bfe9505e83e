import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFaultProxy } from '../helpers/fault-proxy.ts';
import { generateImage, generateTagAttachment, type GeneratedImage } from '../helpers/images.ts';
import { temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { sha256Of } from '../helpers/proving-ground.ts';
import { createPusher } from '../helpers/push.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { counterReaches, createSealiftHome, runSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { serveRelease, type ServedRelease } from '../helpers/served-release.ts';
import { smallBundles } from '../helpers/small-bundles.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

const MB = 1_000_000;

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let registry: TestRegistry;
let release: ServedRelease;
/** images of some size: one layer is much larger than the others */
const sizes = [16 * MB, 4 * MB, 4 * MB, 3 * MB, 2 * MB, 2 * MB, MB, 500_000, 20_000, 700];

beforeAll(async () => {
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('reproducible');
  registry = await startRegistry({ kind: 'distribution' });
  release = await serveRelease(smallBundles);
  const pusher = await createPusher({ url: registry.url });
  for (const at of sizes.keys()) {
    await pusher.push(`apps/app-${at}`, 'v1', imageAt(at));
  }
  await pusher.close();
  await writeFile(join(folder.path, 'images.txt'), sizes.map((_, at) => `images.test/apps/app-${at}:v1\n`).join(''));
});

afterAll(async () => {
  await home?.remove();
  await Promise.all([temporal?.stop(), registry?.stop(), release?.[Symbol.asyncDispose]()]);
  await folder?.remove();
});

function imageAt(position: number): GeneratedImage {
  const layers = [{ seed: 'base', size: 200_000 }, sizes[position]!];
  return generateImage({ seed: `app ${position}`, layers });
}

function exportArguments(name: string, from: string, options: string[]): string[] {
  return [
    ...['export', 'artifacts', '--output', join(folder.path, name)],
    ...['-f', release.manifest, '-f', join(folder.path, 'images.txt')],
    ...[...release.pullFrom, '--pull-from', `images.test=${from}`, ...options],
  ];
}

describe('two exports of the same input', () => {
  it('are the same file: one with concurrency 1, one with 8 and three kill -9', async () => {
    const one = exportArguments('one.tar', registry.url, ['--concurrency', '1']);
    const straight = await sealiftJson(home, 'export', one);

    // slow enough that bytes are in flight at every kill
    const slow = { kind: 'slow', direction: 'down', bytesPerSecond: 4 * MB } as const;
    await using proxy = await startFaultProxy(registry.url, [
      { name: 'slow blobs', path: /\/blobs\//, times: Infinity, fault: slow },
    ]);
    const eight = exportArguments('eight.tar', proxy.url, ['--concurrency', '8']);
    for (const bytes of [4 * MB, 12 * MB, 22 * MB]) {
      const when = counterReaches(proxy.downloaded, bytes);
      const { killed, stderr } = await runSealift(eight, { home, kill: { when } });
      expect(killed, `the export ended before ${bytes} bytes had come:\n${stderr}`).toBe(true);
    }
    const last = await sealiftJson(home, 'export', eight);
    expect(last['digest']).toBe(straight['digest']);
    expect(await sha256Of(join(folder.path, 'eight.tar'))).toBe(await sha256Of(join(folder.path, 'one.tar')));
    const total = proxy.traffic({ path: /\/blobs\// }).down;
    const images = sizes.reduce((sum, size) => sum + size, 0);
    // a kill costs what was in flight since the last note (a second at most), never what was complete
    expect(total, `bytes of blobs that came in all: ${total} for ${images}`).toBeLessThan(2 * images);
  });
});

describe('a lock file', () => {
  const moved = generateImage({ seed: 'moved', layers: [3_000] });
  const signature = generateTagAttachment(imageAt(4).root.digest, 'sig');
  const args = (name: string, options: string[]): string[] => {
    const lists = ['-f', join(folder.path, 'images.txt'), '--pull-from', `images.test=${registry.url}`];
    return ['export', 'artifacts', '--output', join(folder.path, name), ...lists, ...options];
  };

  it('gives the same file after tags have moved and signatures have been attached upstream', async () => {
    const lock = ['--lock', join(folder.path, 'images.lock')];
    await sealiftJson(home, 'export', args('locked-1.tar', lock));
    const before = await sha256Of(join(folder.path, 'locked-1.tar'));
    const pusher = await createPusher({ url: registry.url });
    await pusher.push('apps/app-3', 'v1', moved);
    await pusher.push('apps/app-4', signature.tag, signature.image);
    await pusher.close();
    await sealiftJson(home, 'export', args('locked-2.tar', lock));
    expect(await sha256Of(join(folder.path, 'locked-2.tar'))).toBe(before);
    await sealiftJson(home, 'export', args('unlocked.tar', []));
    expect(await sha256Of(join(folder.path, 'unlocked.tar'))).not.toBe(before);
  });
});
