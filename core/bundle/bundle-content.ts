import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { maxJsonSize } from './bounded-json.ts';
import { corruptBundle } from './bundle-error.ts';
import type { BlobSpan } from './entry-table.ts';
import { blobName } from './layout.ts';
import type { RandomAccess } from './random-access.ts';
import type { BundleContents } from './tar-walk.ts';

/** The blobs of an open bundle, verified as they are read. */
export class BundleContent {
  readonly #file: RandomAccess;
  readonly #contents: BundleContents;

  constructor(file: RandomAccess, contents: BundleContents) {
    this.#file = file;
    this.#contents = contents;
  }

  get path(): string {
    return this.#file.location;
  }

  get indexOffset(): number {
    return this.#contents.index.offset;
  }

  /**
   * Where a blob is.
   *
   * @param namedBy what says that the bundle has it, for the message
   * @throws SealiftError BundleCorrupt when the bundle does not have it
   */
  find(digest: Digest, namedBy: string): BlobSpan {
    const span = this.#contents.blobs.get(digest);
    if (span !== undefined) return span;
    const at = { path: this.path, entry: blobName(digest), offset: this.#file.size };
    throw corruptBundle(at, `it is missing, though ${namedBy} names it`);
  }

  /** Where a described blob is. @throws SealiftError BundleCorrupt when it is missing or has another size */
  require(descriptor: Pick<Descriptor, 'digest' | 'size'>, namedBy: string): BlobSpan {
    const span = this.find(descriptor.digest, namedBy);
    if (span.size === descriptor.size) return span;
    const at = { path: this.path, entry: blobName(descriptor.digest), offset: span.offset };
    throw corruptBundle(at, `it has ${span.size} bytes, but ${namedBy} says ${descriptor.size}`);
  }

  /** @throws SealiftError BundleCorrupt when the blob is absent, larger than `max` bytes, or altered */
  async read(digest: Digest, max = maxJsonSize): Promise<Uint8Array> {
    const { offset, size } = this.find(digest, 'the caller');
    const at = { path: this.path, entry: blobName(digest), offset };
    if (size > max) throw corruptBundle(at, `it has ${size} bytes, more than the ${max} allowed here`);
    const bytes = await this.#file.read(offset, size);
    const found = digestOf(bytes);
    if (found !== digest) throw corruptBundle(at, `its bytes were altered: they have digest ${found}`);
    return bytes;
  }

  /** Bytes of a blob as they lie there, unverified; fewer than `length` at its end. @throws SealiftError BundleCorrupt when it is absent */
  readPart(digest: Digest, start: number, length: number): Promise<Uint8Array> {
    const { offset, size } = this.find(digest, 'the caller');
    const from = Math.min(start, size);
    return this.#file.read(offset + from, Math.min(length, size - from));
  }
}
