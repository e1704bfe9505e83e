import type { Digest } from '../../contracts/descriptor.ts';

/** A file of a tree: a blob of the bundle, or bytes that were made from what the bundle holds. */
export type TreeFile = { kind: 'blob'; digest: Digest; size: number } | { kind: 'bytes'; bytes: Uint8Array };

/** Files as a client of the far side expects them, below one folder or URL. */
export interface FileTree {
  /** path without leading slash -> file, sorted by path */
  files: ReadonlyMap<string, TreeFile>;
  /** what could not be placed, for the operator */
  warnings: string[];
}
