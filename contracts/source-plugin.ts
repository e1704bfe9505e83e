import type { SourceContents } from './bill-of-materials.ts';

/** What the operator asked of one source: its input files and the generic selections. */
export interface SourceSelection {
  source: string;
  /** absolute paths or http(s) URLs, in the order given */
  files: string[];
  kubeVersions: string[];
  providers: string[];
  /** the distribution's release to take, when the input lists several */
  release?: string;
}

export interface SourceContext {
  /**
   * Reads a small document (at most 32 MiB) by path, file: URL or http(s) URL, through --pull-from and with credentials.
   * @throws SealiftError FileMissing, ConnectionFailed, ... with the subject named
   */
  read(location: string): Promise<Uint8Array>;
  /** Says something the operator should know without stopping. */
  warn(message: string): void;
}

/** A distribution that Sealift can carry. A plugin describes what is needed; it never transfers anything. */
export interface SourcePlugin {
  /** folder name below plugins/sources, and the value of --source */
  name: string;
  /** one line for `--help` and the docs */
  summary: string;
  /** which generic selections it understands */
  selections: readonly ('kubeVersions' | 'providers' | 'release')[];
  /** whether this source recognises the content of an input file; used when --source is not given */
  recognises(content: string): boolean;
  /**
   * Turns its inputs into everything the distribution needs: no duplicates, in a stable order.
   * @throws SealiftError InvalidInput naming file, line and field
   */
  list(selection: SourceSelection, context: SourceContext): Promise<SourceContents>;
}
