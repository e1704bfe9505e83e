import type { NodeConfigGenerator, SourceSelection } from './source-plugin.ts';

/** What `sealift generate node-config` was asked. */
export interface NodeConfigAsked {
  /** the source whose generator is meant */
  source: string;
  mode?: string;
  /** absolute path of the folder to write */
  output: string;
  /** replace an earlier result */
  force: boolean;
  /** absolute path of a bundle */
  input?: string;
  /** where the images come from when there is no bundle */
  selections: SourceSelection[];
  pullFrom: Record<string, string>;
  registry?: {
    /** `host[:port]` */
    host: string;
    prefix: string;
    plainHttp: boolean;
    /** absolute path of a PEM file on this machine */
    caFile?: string;
    map: Record<string, string>;
  };
  options: Record<string, string[]>;
}

export interface NodeConfigReport {
  /** sorted by path */
  files: {
    /** below the output folder */
    path: string;
    /** bytes */
    size: number;
    executable: boolean;
  }[];
}

/** The generators of the sources. */
export interface NodeConfigs {
  generators(): Promise<({ source: string } & Pick<NodeConfigGenerator, 'summary' | 'modes' | 'options'>)[]>;
  /**
   * Generates a tree and writes it, all of it or nothing.
   * @throws SealiftError InvalidInput, OutputExists, BundleCorrupt, ...
   */
  write(asked: NodeConfigAsked, warn: (message: string) => void): Promise<NodeConfigReport>;
}
