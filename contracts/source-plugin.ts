import type { ArchivedImage, BillOfMaterials, SourceContents } from './bill-of-materials.ts';

/** What the operator asked of one source: its input files and the generic selections. */
export interface SourceSelection {
  source: string;
  /** absolute paths or http(s) URLs, in the order given */
  files: string[];
  kubeVersions: string[];
  providers: string[];
  /** the distribution's release to take, when the input lists several */
  release?: string;
  /** what the plugin's own `options` were given, by name */
  options?: Record<string, string[]>;
}

/** An option that one source alone understands: `--source-option NAME=VALUE`. */
export interface SourceOption {
  name: string;
  /** one line for `--help` and the docs */
  summary: string;
  /** its value is the path of a file or folder: the command makes it absolute, since the worker runs elsewhere */
  path?: true;
}

export interface SourceContext {
  /**
   * Reads a small document (at most 32 MiB) by path, file: URL or http(s) URL, through --pull-from and with credentials.
   * @throws SealiftError FileMissing, ConnectionFailed, ... with the subject named
   */
  read(location: string): Promise<Uint8Array>;
  /** The names of the files in a local folder, sorted; undefined when the location is not a local folder. */
  names(location: string): Promise<string[] | undefined>;
  /**
   * A small file (at most 32 MiB) inside a zip or squashfs archive that lies at a local path, without unpacking the archive.
   * @returns undefined when the archive has no such entry
   * @throws SealiftError FileMissing; InvalidInput when it is no such archive, or the entry lies about its size
   */
  readEntry(archive: string, entry: string): Promise<Uint8Array | undefined>;
  /**
   * The images in a local tar, compressed with gzip or not: one tar that holds images (`docker save`, an OCI layout), or a flat
   * archive of such tars. What is compressed is unpacked into the scratch folder first. Images without a name are warned about.
   * @returns undefined when it begins with something else
   * @throws SealiftError FileMissing; InvalidInput naming file and entry; DiskFull, PathUnwritable
   */
  images(archive: string): Promise<ArchivedImage[] | undefined>;
  /** Hex digest of a local file of any size. @throws SealiftError FileMissing */
  hash(location: string, algorithm: 'sha256' | 'sha3-384'): Promise<string>;
  /** The size of a local file in bytes. @throws SealiftError FileMissing */
  size(location: string): Promise<number>;
  /** A folder of the plugin's own on this machine; what it puts there stays until the export ends. */
  scratch(): Promise<string>;
  /**
   * Runs a program of this machine to its end, with an empty standard input.
   * @returns its standard output, or undefined when there is no such program
   * @throws SealiftError ToolFailed with the end of its standard error when it ends with another status than 0
   */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<string | undefined>;
  /**
   * The API of a running cluster, for reading only, as a kubeconfig at a path or URL says.
   * @param context one of the kubeconfig's; its current one when absent
   * @throws SealiftError InvalidInput naming the kubeconfig's line; those of `read` and `run`
   */
  kubernetes(kubeconfig: string, context?: string): Promise<KubernetesApi>;
  /** Says something the operator should know without stopping. */
  warn(message: string): void;
}

export interface KubernetesApi {
  /** URL of the API server */
  server: string;
  /**
   * Every object of a collection, e.g. `/apis/apps/v1/deployments` or `/api/v1/namespaces/NAME/pods`, read page by page.
   * @throws SealiftError RegistryUnauthorized, RegistryForbidden, RequestRefused, ConnectionFailed, CertificateUntrusted, ...
   */
  list(path: string): Promise<unknown[]>;
}

export interface RunOptions {
  cwd?: string;
  /** added to the environment of the worker */
  env?: Record<string, string>;
}

/** What `sealift generate node-config --for <source>` was asked. */
export interface NodeConfigRequest {
  /** one of the generator's `modes`; undefined when it has none */
  mode?: string;
  /** the images that nodes will pull, as the bundle or the list names them, sorted */
  images: string[];
  /** what the bundle holds, when one was given */
  billOfMaterials?: BillOfMaterials;
  registry?: {
    /** `host[:port]` */
    host: string;
    /** path below the host, without slashes at the ends; may be empty */
    prefix: string;
    plainHttp: boolean;
    /** PEM */
    ca?: string;
    /** origin host -> path below `prefix`, as the import's --map */
    map: Record<string, string>;
  };
  options: Record<string, string[]>;
}

/** A file for the far side, by a path relative to the output folder. */
export type GeneratedFile = {
  path: string;
  executable?: true;
  /** holds a credential: for its owner only */
  secret?: true;
} & (
  | { content: string }
  /**
   * the image as a tar that container runtimes import, made from the bundle; `platform` picks one of an index, `named` is
   * the reference that the tar gives it in place of its own
   */
  | { image: string; platform?: string; named?: string }
  /** a file of the bundle by its URL */
  | { file: string }
  /** a tar of these files, compressed with gzip; the same files give the same bytes */
  | { archive: Exclude<GeneratedFile, { archive: unknown }>[] }
);

/** What a distribution needs on the far side beside its images: configuration that lies as it must lie there. */
export interface NodeConfigGenerator {
  /** one line for `--help` and the docs */
  summary: string;
  modes: readonly string[];
  options: readonly SourceOption[];
  /**
   * The same request gives the same files, in the order of their paths. `context.read` of the `reference` of a document
   * or file of `billOfMaterials` gives its bytes out of the bundle.
   * @throws SealiftError InvalidInput naming the option
   */
  generate(request: NodeConfigRequest, context: Pick<SourceContext, 'read' | 'warn'>): Promise<GeneratedFile[]>;
}

/** A distribution that Sealift can carry. A plugin describes what is needed; it never transfers anything. */
export interface SourcePlugin {
  /** folder name below plugins/sources, and the value of --source */
  name: string;
  /** one line for `--help` and the docs */
  summary: string;
  /** takes what any distribution may use, so it steps back where another source recognises a file too */
  generic?: true;
  /** an input may be a folder, whose files it finds by `names`; a folder is never recognised, so it needs --source */
  folders?: true;
  /** which generic selections it understands */
  selections: readonly ('kubeVersions' | 'providers' | 'release')[];
  /** which options of its own it understands */
  options?: readonly SourceOption[];
  /** what it can generate for the far side */
  nodeConfig?: NodeConfigGenerator;
  /** whether this source recognises the content of an input file; used when --source is not given */
  recognises(content: string): boolean;
  /**
   * Turns its inputs into everything the distribution needs: no duplicates, in a stable order.
   * @throws SealiftError InvalidInput naming file, line and field
   */
  list(selection: SourceSelection, context: SourceContext): Promise<SourceContents>;
}
