import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Digest } from '../../contracts/descriptor.ts';

const READ_SIZE = 1024 * 1024;

/** Computes the sha256 digest of `size` bytes at `offset` of a file. A span that ends early has the digest of what is there. */
export type SpanHash = (path: string, offset: number, size: number) => Promise<Digest>;

/** {@link SpanHash} on the calling thread. @throws the file system's error when the file can't be read */
export async function hashSpan(path: string, offset: number, size: number): Promise<Digest> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, Math.max(size, 1)));
    for (let done = 0; done < size;) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - done), offset + done);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
    return `sha256:${hash.digest('hex')}`;
  } finally {
    await file.close();
  }
}
