import type { SkippedItem } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import type { CutBatch } from '../transfer/batches.ts';

/** Where the bytes of a blob can be had; tried in order. */
export type BlobFrom =
  /** an origin host and repository, before --pull-from */
  | { kind: 'registry'; host: string; repository: string }
  /** an origin URL, before --pull-from */
  | { kind: 'url'; url: string }
  /** a span of a file on this machine; `shownAs` is what errors call it, the path when absent */
  | { kind: 'span'; path: string; offset: number; shownAs?: string };

export interface PlannedBlob {
  mediaType: string;
  digest: Digest;
  size: number;
  from: BlobFrom[];
}

/** What one item of the sources turned out to be. Kept in the work folder, so that no reference is resolved twice. */
export interface ResolvedItem {
  root: Descriptor;
  /** the digest that fixes it in a lock file: of the manifest at the origin, or of the file itself */
  lock: Digest;
  /** the digest at the origin when the root is another one because of --platform */
  originDigest?: Digest;
  /** small content whose bytes are in the work folder: manifests and indexes, the root included, and empty configs */
  manifests: Descriptor[];
  blobs: PlannedBlob[];
  attached: { descriptor: Descriptor; tag?: string }[];
  warnings: string[];
}

/** Everything that the transfer needs to know; `index.json` and all metadata are in the work folder. */
export interface ExportPlan {
  planDigest: Digest;
  metadata: Descriptor[];
  blobs: PlannedBlob[];
  batches: CutBatch[];
  images: number;
  charts: number;
  files: number;
  skipped: SkippedItem[];
  warnings: string[];
}
