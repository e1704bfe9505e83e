import { createHash } from 'node:crypto';
import { DIGEST_PATTERN, type Digest } from '../../contracts/descriptor.ts';

/** The content address of bytes: `sha256:` and 64 lower-case hex digits (image-spec v1.1, descriptor.md "Digests"). */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Whether a value is a well-formed sha256 digest; other algorithms are not accepted anywhere in Sealift. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && DIGEST_PATTERN.test(value);
}

/** The 64 hex digits of a digest, e.g. for `blobs/sha256/<hex>`. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
