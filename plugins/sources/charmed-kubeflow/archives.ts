import { createHash } from 'node:crypto';
import type { GeneratedFile } from '../../../contracts/source-plugin.ts';

type Files = Extract<GeneratedFile, { archive: unknown }>['archive'];

const COLLISION_HASH = 12;

/**
 * `images.tar.gz` as the documentation of the air-gapped installation has it: one tar an image for `docker load`, flat, named
 * after the image with `-` for `/` and `:`, and each naming its image as the private registry does.
 * @param place where an image is on the far side
 * @param platform `os/arch`: Docker loads one of a multi-platform image
 */
export function imagesArchive(
  images: readonly string[],
  place: (image: string) => string,
  platform: string,
): GeneratedFile {
  const byPlace = new Map(images.map((image) => [place(image), image]));
  const files = new Map<string, Files[number]>();
  for (const [named, image] of [...byPlace].sort()) {
    const plain = `${named.replace(/[/:]/g, '-')}.tar`;
    const path = files.has(plain) ? `${hashOf(named)}-${plain}` : plain;
    files.set(path, { path, image, named, platform });
  }
  return { path: 'images.tar.gz', archive: [...files.values()] };
}

/** `charms.tar.gz`: the charms, flat. */
export function charmsArchive(charms: ReadonlyMap<string, string>): GeneratedFile {
  const files: Files = [...charms].sort().map(([path, file]) => ({ path, file }));
  return { path: 'charms.tar.gz', archive: files };
}

/** Two references can become one name: `a/b-c:1` and `a-b/c:1`. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, COLLISION_HASH);
}
