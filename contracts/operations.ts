import type { Digest } from './descriptor.ts';
import type { ClusterOperationInput, ClusterOperationResult, ClusterPhase } from './clusters.ts';
import type { Problem } from './errors.ts';
import type { OnFailure, RegistryOptions } from './run-options.ts';
import type { SourceSelection } from './source-plugin.ts';
import type { SkippedItem } from './bill-of-materials.ts';

export interface ExportArtifactsInput {
  /** absolute path of the tar on the worker's machine */
  output: string;
  selections: SourceSelection[];
  /** `os/arch[/variant]`; empty keeps indexes whole */
  platforms: string[];
  /** origin host or URL prefix -> URL it is read from instead */
  pullFrom: Record<string, string>;
  /** absolute path of a lock file: written when absent, obeyed when present */
  lockFile?: string;
  digestPolicy: 'enforce' | 'warn';
  concurrency: number;
  force: boolean;
  onFailure: OnFailure;
  registry: RegistryOptions;
  /** the task queue of the machine that holds the files; when absent the first worker that answers decides */
  hostTaskQueue?: string;
}

export interface ExportArtifactsResult {
  kind: 'export';
  output: string;
  /** digest of index.json: the bundle's identity */
  digest: Digest;
  /** bytes of the tar */
  size: number;
  images: number;
  charts: number;
  files: number;
  blobs: number;
  /** bytes fetched over the network by all attempts */
  bytesFetched: number;
  /** bytes that an earlier attempt had already brought */
  bytesReused: number;
  skipped: SkippedItem[];
  warnings: string[];
}

export interface ImportArtifactsInput {
  /** absolute path on the worker's machine */
  input: string;
  /** identity of the bundle, read by the CLI for the workflow id */
  bundle: Digest;
  /** `host[:port]`; empty when nothing goes into a registry */
  host: string;
  /** path below the host, without slashes at the ends; may be empty */
  namespace: string;
  /** origin host -> namespace, as ociNamespaces */
  map: Record<string, string>;
  /** the file trees to write, each with an absolute folder on the worker's machine */
  trees?: Partial<Record<TreeName, string>>;
  /** what `gpg` on the worker's machine knows the key by that signs the Debian repository */
  debSigningKey?: string;
  concurrency: number;
  onFailure: OnFailure;
  registry: RegistryOptions;
  hostTaskQueue?: string;
}

/** The kinds of file trees that a bundle is laid out as on the far side. */
export type TreeName = 'files' | 'charms' | 'deb' | 'pypi' | 'helm';

/** A file tree that an import wrote. */
export interface WrittenTree {
  tree: TreeName;
  folder: string;
  written: number;
  /** files that were there already with the right bytes */
  unchanged: number;
  bytesWritten: number;
}

export interface ImportArtifactsResult {
  kind: 'import';
  /** `host[:port][/namespace]`; empty when nothing went into a registry */
  registry: string;
  bundle: Digest;
  images: number;
  charts: number;
  files: number;
  blobs: number;
  bytesPushed: number;
  /** bytes not sent: already there, mounted from another repository, or sent before an interruption */
  bytesReused: number;
  tagsWritten: number;
  tagsUnchanged: number;
  skipped: SkippedItem[];
  warnings: string[];
  /** YAML to paste into a cluster spec; empty without a registry */
  registryMirrorConfiguration: string;
  /** only when file trees were asked for */
  trees?: WrittenTree[];
}

export type OperationInput = ExportArtifactsInput | ImportArtifactsInput | ClusterOperationInput;

export type OperationResult = ExportArtifactsResult | ImportArtifactsResult | ClusterOperationResult;

/** workflow type names, as the worker registers them */
export const workflowTypes = {
  export: 'exportArtifacts',
  import: 'importArtifacts',
  'create-cluster': 'createCluster',
  'upgrade-cluster': 'upgradeCluster',
  'delete-cluster': 'deleteCluster',
} as const;

export type OperationName = keyof typeof workflowTypes;

/** Messages a running operation takes. Handler names end in their kind. */
export const retryUpdateName = 'retryUpdate';
export const skipUpdateName = 'skipUpdate';
export const abortUpdateName = 'abortUpdate';
export const pauseSignalName = 'pauseSignal';
export const resumeSignalName = 'resumeSignal';
export const stateQueryName = 'stateQuery';

export type OperationPhase =
  | 'preparing'
  | 'resolving'
  | 'planning'
  | 'transferring'
  | 'sealing'
  | 'opening'
  | 'checking'
  | 'verifying'
  | 'publishing'
  | 'writing'
  | 'cleaning'
  | 'done'
  | ClusterPhase;

export const searchAttributeNames = {
  operation: 'SealiftOperation',
  distribution: 'SealiftDistribution',
  registry: 'SealiftRegistry',
  cluster: 'SealiftCluster',
  phase: 'SealiftPhase',
  parked: 'SealiftParked',
} as const;

/** Memo keys: readable by any client without a worker. */
export const memoKeys = { inputDigest: 'inputDigest', title: 'title', state: 'state' } as const;

export interface ParkedItem extends Problem {
  /** stable id of the item within the operation: a reference, a digest, or a phase name */
  item: string;
  /** the operation cannot go on without it */
  needed?: true;
}

export interface OperationState {
  phase: OperationPhase;
  paused: boolean;
  /** not empty: everything else is done and the operation waits for retry, skip or abort */
  parked: ParkedItem[];
  /** how many are parked, when the list above is cut */
  parkedCount: number;
  bytesTotal: number;
  bytesDone: number;
  itemsTotal: number;
  itemsDone: number;
}

/** Heartbeat details of every activity that moves or checks content. Absolute values for its batch, never decreasing in one attempt. */
export interface ActivityProgress {
  bytesDone: number;
  bytesTotal: number;
  itemsDone: number;
  itemsTotal: number;
  /** what the items are, when they are something else */
  unit?: 'machine';
  /** up to eight things under way right now */
  current: { subject: string; done: number; total: number }[];
}

/** A slice of a plan that one activity moves. */
export interface Batch {
  index: number;
  items: number;
  bytes: number;
}
