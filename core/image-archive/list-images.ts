import { join } from 'node:path';
import type { ArchivedImage } from '../../contracts/bill-of-materials.ts';
import { openRandomAccess } from '../bundle/open-random-access.ts';
import type { RandomAccess } from '../bundle/random-access.ts';
import { readStart } from '../sources/read-local.ts';
import { archiveError } from './archive-error.ts';
import { gunzipped, gunzipTo, isGzip } from './gunzip.ts';
import { holdsImages, listedImages } from './image-documents.ts';
import { tarEntries, TarIndex, type TarSpan } from './tar-index.ts';

/** How much of an archive is looked at to tell what it is. */
const PEEKED = 64 * 1024;
/** The first file of a tar that holds images, or tars of them: OCI layout, `docker save` old and new, `skopeo copy`. */
const IMAGE_FILE =
  /\.tar(\.gz)?$|^(oci-layout|index\.json|manifest\.json|repositories)$|^blobs\/|^(sha256:)?[0-9a-f]{64}(\.json$|\/|$)/;

/** What listing an archive takes beside it. */
export interface ListTools {
  /** a folder for what must be unpacked, which stays as long as the images are used */
  scratch(): Promise<string>;
  /** hex sha256 of a file: names what was unpacked, so that it is found again and never taken for another */
  hash(path: string): Promise<string>;
  warn(message: string): void;
}

/**
 * The images in a tar of a local path, compressed with gzip or not: a tar that holds images, or a flat archive of such
 * tars. Nothing is extracted: what is compressed is decompressed into the scratch folder as one file, and read by offset.
 * @returns undefined when it does not begin as an archive of images does
 * @throws SealiftError FileMissing; InvalidInput naming file and entry; DiskFull, PathUnwritable
 */
export async function listImagesIn(path: string, tools: ListTools): Promise<ArchivedImage[] | undefined> {
  const start = await readStart(path, PEEKED, 'source');
  const compressed = isGzip(start);
  if (!(await beginsWithImages(path, compressed ? await peekInside(path) : start))) return undefined;
  if (!compressed) return imagesIn(path, path, tools);
  const unpacked = join(await tools.scratch(), `${(await tools.hash(path)).slice(0, 16)}.tar`);
  await gunzipTo(path, unpacked);
  return imagesIn(unpacked, path, tools);
}

async function peekInside(path: string): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of gunzipped({ path, offset: 0, size: PEEKED, shownAs: path })) {
      parts.push(part);
      length += part.length;
      if (length >= PEEKED) break;
    }
  } catch {
    // Only its beginning was read: where that ends in the middle, or is damaged, is said by who reads it whole.
  }
  return Buffer.concat(parts);
}

async function beginsWithImages(path: string, start: Uint8Array): Promise<boolean> {
  const bytes: RandomAccess = {
    location: path,
    size: start.length,
    read: (offset, length) => Promise.resolve(start.subarray(offset, offset + length)),
    close: () => Promise.resolve(),
  };
  try {
    // The tar goes on behind what was read, and so may its first file.
    const tar = { offset: 0, size: Number.MAX_SAFE_INTEGER, shownAs: path };
    for await (const { name, type } of tarEntries(bytes, tar)) {
      if (type !== 'folder') return IMAGE_FILE.test(name);
    }
  } catch {
    // no tar, or one whose first headers are damaged
  }
  return false;
}

async function imagesIn(path: string, shownAs: string, tools: ListTools): Promise<ArchivedImage[]> {
  const file = await openRandomAccess(path);
  try {
    const whole = { offset: 0, size: file.size, shownAs };
    const outer = await TarIndex.read(file, whole);
    const tars = holdsImages(outer) ? [outer] : await innerTars(file, outer);
    const found: ArchivedImage[] = [];
    for (const { tar, images } of await Promise.all(
      tars.map(async (tar) => ({ tar, images: await listedImages(tar) })),
    )) {
      if (images.length === 0) throw archiveError(tar.tar.shownAs, 'the tar holds no image');
      const unnamed = images.filter(({ names }) => names.length === 0).length;
      if (unnamed > 0) {
        tools.warn(
          `${tar.tar.shownAs}: ${unnamed} of its images have no name and are not carried: save them by their tags`,
        );
      }
      const place = { path, ...tar.tar };
      for (const name of images.flatMap(({ names }) => names)) found.push({ name, ...place });
    }
    return distinct(found);
  } finally {
    await file.close();
  }
}

async function innerTars(file: RandomAccess, outer: TarIndex): Promise<TarIndex[]> {
  const tars: TarIndex[] = [];
  for (const { name, type, offset, size } of outer.files()) {
    const span: TarSpan = { offset, size, shownAs: outer.shownAs(name) };
    if (type !== 'file' || !name.endsWith('.tar')) {
      throw archiveError(span.shownAs, 'this entry is no tar of an image', {
        remedy: 'give a flat archive of uncompressed tars, one an image, as `docker save` writes them',
      });
    }
    const tar = await TarIndex.read(file, span);
    if (!holdsImages(tar)) {
      throw archiveError(span.shownAs, 'it has neither index.json nor manifest.json, so it is no tar of an image');
    }
    tars.push(tar);
  }
  if (tars.length === 0) throw archiveError(outer.tar.shownAs, 'the archive is empty');
  return tars;
}

function distinct(images: readonly ArchivedImage[]): ArchivedImage[] {
  const byName = new Map<string, ArchivedImage>();
  for (const image of images) {
    const earlier = byName.get(image.name);
    if (earlier !== undefined) {
      throw archiveError(image.shownAs, `it holds ${image.name}, and so does ${earlier.shownAs}`, {
        remedy: 'leave one of the two tars out of the archive',
      });
    }
    byName.set(image.name, image);
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
