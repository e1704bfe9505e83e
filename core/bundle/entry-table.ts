import { randomInt } from 'node:crypto';
import type { Digest } from '../../contracts/descriptor.ts';
import { hexOf } from '../oci/digest.ts';

/** Where a blob's bytes are in the tar, in bytes. */
export interface BlobSpan {
  digest: Digest;
  offset: number;
  size: number;
}

const DIGEST_BYTES = 32;
const WORDS = DIGEST_BYTES / 4;

/** Blobs by digest in about 60 bytes each: a map of objects would need hundreds of megabytes for a million entries. */
export class EntryTable {
  #count = 0;
  #capacity = 1024;
  #digests = Buffer.alloc(this.#capacity * DIGEST_BYTES);
  #offsets = new Float64Array(this.#capacity);
  #sizes = new Float64Array(this.#capacity);
  /** open addressing: entry number + 1, or 0 where there is none */
  #slots = new Uint32Array(this.#capacity * 2);
  /** names in a hostile tar are free to choose: the multipliers are not known to their author */
  readonly #multipliers = Array.from({ length: WORDS }, () => randomInt(2 ** 31) * 2 + 1);
  readonly #wanted = Buffer.alloc(DIGEST_BYTES);

  get count(): number {
    return this.#count;
  }

  /** @returns false when the digest is there already; nothing changes then */
  add({ digest, offset, size }: BlobSpan): boolean {
    if (this.#count === this.#capacity) this.#grow();
    this.#wanted.write(hexOf(digest), 'hex');
    const slot = this.#slotOf(this.#wanted, 0);
    if (this.#slots[slot] !== 0) return false;
    this.#wanted.copy(this.#digests, this.#count * DIGEST_BYTES);
    this.#offsets[this.#count] = offset;
    this.#sizes[this.#count] = size;
    this.#slots[slot] = ++this.#count;
    return true;
  }

  get(digest: Digest): BlobSpan | undefined {
    this.#wanted.write(hexOf(digest), 'hex');
    const entry = this.#slots[this.#slotOf(this.#wanted, 0)]!;
    return entry === 0 ? undefined : this.#span(entry - 1);
  }

  /** All blobs in the order they were added. */
  *spans(): Generator<BlobSpan> {
    for (let entry = 0; entry < this.#count; entry++) yield this.#span(entry);
  }

  #span(entry: number): BlobSpan {
    const start = entry * DIGEST_BYTES;
    return {
      digest: `sha256:${this.#digests.toString('hex', start, start + DIGEST_BYTES)}`,
      offset: this.#offsets[entry]!,
      size: this.#sizes[entry]!,
    };
  }

  /** The slot that holds the digest at `start` of `bytes`, or the free one where it belongs. */
  #slotOf(bytes: Buffer, start: number): number {
    let hash = 0;
    for (const [word, multiplier] of this.#multipliers.entries()) {
      hash = Math.imul(hash ^ bytes.readInt32LE(start + word * 4), multiplier);
      // a product carries upwards only: what differs in high bits has to come down to count in the slot
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, this.#multipliers[0]!);
    hash ^= hash >>> 15;
    for (let slot = (hash >>> 0) % this.#slots.length; ; slot = (slot + 1) % this.#slots.length) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return slot;
      const other = (entry - 1) * DIGEST_BYTES;
      if (this.#digests.compare(bytes, start, start + DIGEST_BYTES, other, other + DIGEST_BYTES) === 0) return slot;
    }
  }

  #grow(): void {
    this.#capacity *= 2;
    const digests = Buffer.alloc(this.#capacity * DIGEST_BYTES);
    const offsets = new Float64Array(this.#capacity);
    const sizes = new Float64Array(this.#capacity);
    digests.set(this.#digests);
    offsets.set(this.#offsets);
    sizes.set(this.#sizes);
    this.#digests = digests;
    this.#offsets = offsets;
    this.#sizes = sizes;
    this.#slots = new Uint32Array(this.#capacity * 2);
    for (let entry = 0; entry < this.#count; entry++) {
      this.#slots[this.#slotOf(this.#digests, entry * DIGEST_BYTES)] = entry + 1;
    }
  }
}
