import type { Digest } from './descriptor.ts';

/**
 * Where bytes come from and where they go. A move is `(source, sink, digest, size)`: download is http -> file, upload is
 * file -> http, mirror is http -> http, verification is file -> nothing. Runs in a worker thread; plain data only.
 */
export interface HttpTarget {
  url: string;
  headers: Record<string, string>;
  /** PEM; added to the system's authorities */
  ca?: string;
  insecureSkipTlsVerify?: boolean;
  /** proxy URL, when one applies to this host */
  proxy?: string;
}

export interface FileSpan {
  path: string;
  /** byte offset of the blob in the file */
  offset: number;
}

/** What a move counts while it goes on; `resumed` bytes were not moved again. */
export interface MoveProgress {
  moved: number;
  resumed: number;
}

export interface BlobMove {
  digest: Digest;
  size: number;
}
