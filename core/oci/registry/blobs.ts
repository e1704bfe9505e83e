import type { Digest } from '../../../contracts/descriptor.ts';
import { SealiftError } from '../../errors.ts';
import { digestOf } from '../digest.ts';
import type { RegistrySession } from './session.ts';
import { registryError } from './status.ts';

/** Small blobs and questions about blobs (distribution-spec v1.1, "Pulling blobs"). */
export interface BlobCalls {
  /** Bytes of a blob; undefined when it is absent, or when the registry does not tell its size. */
  headBlob(repository: string, digest: Digest): Promise<number | undefined>;
  /** A whole small blob, proven. @throws SealiftError BlobMissing, DigestMismatch, SizeMismatch (over maxBytes) */
  fetchBlob(repository: string, digest: Digest, maxBytes: number): Promise<Uint8Array>;
  /** Absolute URL for a mover. */
  blobUrl(repository: string, digest: Digest): string;
}

export function blobCalls(session: RegistrySession): BlobCalls {
  const request = (repository: string, digest: Digest, operation: string) => ({
    url: session.url(repository, `blobs/${digest}`),
    scopes: [session.scope(repository, 'pull')],
    operation,
    subject: session.subject(repository, digest),
  });

  return {
    blobUrl: (repository, digest) => session.url(repository, `blobs/${digest}`),
    async headBlob(repository, digest) {
      const asked = request(repository, digest, 'look up blob');
      const response = await session.send({ method: 'HEAD', ...asked });
      if (response.status === 404) return undefined;
      if (response.status !== 200) throw registryError(response, { side: session.side, ...asked });
      const size = Number(response.headers['content-length'] ?? Number.NaN);
      return Number.isSafeInteger(size) ? size : undefined;
    },
    async fetchBlob(repository, digest, maxBytes) {
      const asked = request(repository, digest, 'fetch blob');
      const response = await session.send({ method: 'GET', maxBytes, ...asked });
      if (response.status !== 200) {
        throw registryError(response, { side: session.side, missing: 'BlobMissing', ...asked });
      }
      const actual = digestOf(response.body);
      if (actual === digest) return response.body;
      throw new SealiftError('DigestMismatch', {
        side: session.side,
        operation: asked.operation,
        subject: asked.subject,
        message: `the bytes have the digest ${actual}`,
        remedy: 'the registry, or something in between, altered the blob: read it from elsewhere',
      });
    },
  };
}
