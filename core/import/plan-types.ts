import type { ItemKind } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import type { CutBatch } from '../transfer/batches.ts';

/** One item of the bundle and where it goes: `repository:tag` below the destination host. */
export interface Target {
  /** the original reference, the item's id */
  reference: string;
  kind: ItemKind | 'document' | 'bill-of-materials';
  root: Digest;
  repository: string;
  tag: string;
  attached: { digest: Digest; tag?: string }[];
}

/** A blob that one repository lacks. Its bytes are sent to one repository; the others mount it from there. */
export interface MissingBlob extends Pick<Descriptor, 'digest' | 'size'> {
  repository: string;
}

export interface ImportPlan {
  /** sent once each, largest first */
  uploads: MissingBlob[];
  uploadBatches: CutBatch[];
  /** digest -> the repository of the destination that has it, or will after its upload */
  homes: Record<Digest, string>;
  /** what is not complete in the destination, to be published */
  targets: Target[];
  publishBatches: CutBatch[];
  /** how many were found complete */
  unchanged: number;
  /** references that the operator left out before the plan was made */
  leftOut: string[];
  /** bytes of blobs that were there or will be mounted */
  reusedBytes: number;
}
