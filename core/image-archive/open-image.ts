import type { ArchivedImage } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { openRandomAccess } from '../bundle/open-random-access.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest-reader.ts';
import { manifestMediaType } from '../oci/manifest.ts';
import { archiveError, entryMismatch } from './archive-error.ts';
import { dockerManifest, type ArchivedManifest, type HashSpan } from './docker-manifest.ts';
import { listedImages } from './image-documents.ts';
import { TarIndex } from './tar-index.ts';

/** Where a blob lies in the file. */
export interface ArchivedBlob {
  path: string;
  offset: number;
  /** how errors call it */
  shownAs: string;
}

/** One image of an archive, ready to be copied out of it. */
export interface OpenImage {
  root: ArchivedManifest;
  /** A manifest below the root. @throws SealiftError InvalidInput, DigestMismatch */
  manifest(digest: Digest): Promise<ArchivedManifest>;
  /** A config or layer; its bytes are checked by who copies them. @throws SealiftError InvalidInput when it is absent or of another size */
  blob(descriptor: Pick<Descriptor, 'digest' | 'size'>): ArchivedBlob;
}

/**
 * Opens one image for as long as `use` runs. An OCI layout keeps its manifests to the byte; for what `docker save` wrote before
 * version 25, and others after it, an OCI manifest is made of config and layers, each layer checked against its diff_id.
 * @throws SealiftError InvalidInput or DigestMismatch naming the entry; FileMissing
 */
export async function withArchivedImage<T>(
  image: ArchivedImage,
  hash: HashSpan,
  use: (image: OpenImage) => Promise<T>,
): Promise<T> {
  const file = await openRandomAccess(image.path);
  try {
    const tar = await TarIndex.read(file, image);
    const listed = (await listedImages(tar)).find(({ names }) => names.includes(image.name));
    if (listed === undefined) throw archiveError(image.shownAs, `it does not hold ${image.name} any more`);
    if (listed.form === 'oci') return await use(await layoutImage(tar, listed.root));
    const { manifest, blobs } = await dockerManifest(tar, listed, hash);
    const absent = (digest: Digest): Error => archiveError(image.shownAs, `it does not hold ${digest}`);
    return await use({
      root: manifest,
      manifest: (digest) => Promise.reject(absent(digest)),
      blob: ({ digest }) => {
        const entry = blobs.get(digest);
        if (entry === undefined) throw absent(digest);
        return { path: image.path, offset: entry.offset, shownAs: tar.shownAs(entry.name) };
      },
    });
  } finally {
    await file.close();
  }
}

async function layoutImage(tar: TarIndex, root: Descriptor): Promise<OpenImage> {
  const manifest = async (digest: Digest): Promise<ArchivedManifest> => {
    const name = blobEntry(digest);
    const bytes = await tar.content(name, MAX_MANIFEST_BYTES);
    const found = digestOf(bytes);
    if (found !== digest) throw entryMismatch(tar.shownAs(name), `its bytes have the digest ${found}`);
    return { descriptor: { mediaType: manifestMediaType(bytes, undefined), digest, size: bytes.length }, bytes };
  };
  return {
    root: await manifest(root.digest),
    manifest: (digest) => {
      if (tar.find(blobEntry(digest)) !== undefined) return manifest(digest);
      const remedy = 'save it whole, or name the platform that it holds with --platform: linux/amd64, say';
      throw archiveError(tar.shownAs(blobEntry(digest)), 'the archive lacks this manifest of the image', { remedy });
    },
    blob: ({ digest, size }) => {
      const name = blobEntry(digest);
      const entry = tar.require(name);
      if (entry.size !== size)
        throw entryMismatch(tar.shownAs(name), `it has ${entry.size} bytes, its manifest says ${size}`);
      return { path: tar.file.location, offset: entry.offset, shownAs: tar.shownAs(name) };
    },
  };
}

function blobEntry(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
