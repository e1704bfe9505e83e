import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateImage } from './images.ts';
import { locationOf } from './kubeflow-upstream.ts';
import { projectRoot, samplesFolder } from './paths.ts';
import { createPusher } from './push.ts';
import { makeSnap } from './snaps.ts';

/** What Canonical Kubernetes is installed from. */
export interface CanonicalUpstream {
  /** output of `k8s list-images` */
  list: string;
  /** folder with the snaps and their assertions; the k8s snap has the same list in it */
  snaps: string;
  /** root digest by reference, in the order of the list */
  digests: Map<string, string>;
  /** of all that was pushed, without manifests */
  bytes: number;
}

/**
 * Makes the snaps, and an image with two platforms behind every reference of the real list of the shared samples; of the
 * plugin's fixture, with a word about it, where that is absent.
 * @param registryUrl stands in for all hosts of the list
 */
export async function fillCanonicalUpstream(folder: string, registryUrl: string): Promise<CanonicalUpstream> {
  const list = imageList();
  const lines = (await readFile(list, 'utf8')).split('\n').map((line) => line.trim());
  const references = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const pusher = await createPusher({ url: registryUrl });
  const digests = new Map<string, string>();
  const sizes = new Map<string, number>();
  for (const [index, reference] of references.entries()) {
    const { repository, tag } = locationOf(reference);
    const layers = [{ seed: 'rock base', size: 60_000 }, 20_000 + 15_000 * index];
    const image = generateImage({ seed: reference, layers, platforms: ['linux/amd64', 'linux/arm64'] });
    await pusher.push(repository, tag, image);
    digests.set(reference, image.root.digest);
    for (const { digest, size } of image.blobs) sizes.set(digest, size);
  }
  await pusher.close();
  const snaps = join(folder, 'snaps');
  await mkdir(snaps);
  await makeSnap(snaps, { name: 'k8s', base: 'core22', images: references });
  await makeSnap(snaps, { name: 'core22' });
  return { list, snaps, digests, bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) };
}

function imageList(): string {
  const sample = join(samplesFolder, 'canonical-k8s', 'images.txt');
  if (existsSync(sample)) return sample;
  console.warn(`${sample} is not on this machine: the plugin's own list stands in for it`);
  return join(projectRoot, 'plugins/sources/canonical-k8s/fixtures/valid/images.txt');
}
