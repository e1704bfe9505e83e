import type { Digest } from './descriptor.ts';
import type { BillItem, BillOfMaterials, SourceContents } from './bill-of-materials.ts';
import type { Problem } from './errors.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import type {
  ClusterOperationInput,
  DiagnosticsAsked,
  DiagnosticsReport,
  Finding,
  KnownCluster,
  ListedCluster,
} from './clusters.ts';
import type { ExportConfig } from './export-config.ts';
import type { NodeCheckRequest, NodeFinding } from './node-check.ts';
import type { RegistryOptions } from './run-options.ts';
import type { NodeConfigs } from './node-configs.ts';
import type { SourcePlugin, SourceSelection } from './source-plugin.ts';
import type { UpgradePlan } from './upgrade-plan.ts';

/**
 * What the CLI needs of the machine it runs on. The CLI is a Temporal client and imports no machinery;
 * `bin/sealift` hands it this port, which the composition root in workers/ implements.
 */
export interface SealiftHost {
  paths: HostPaths;
  server: EmbeddedServer;
  workers: LocalWorkers;
  sources: SourceCatalogue;
  bundles: BundleTools;
  nodeConfigs: NodeConfigs;
  clusters: ClusterTools;
  /** the codecs that worker and client both use for payloads: none, unless a key is configured */
  payloadCodecs(): Promise<PayloadCodec[]>;
  doctor(): Promise<DoctorFinding[]>;
  /** Looks at this machine as a node on the far side; changes nothing. */
  checkNode(request: NodeCheckRequest): Promise<NodeFinding[]>;
  configuration: {
    /** Reads a `sealift.yaml`. @param path absolute. @throws SealiftError FileMissing, InvalidInput with file and line */
    readExport(path: string): Promise<ExportConfig>;
  };
  /** Serves bundles over HTTP until stopped. @throws SealiftError BundleCorrupt, BundleUnsafe, FileMissing, InvalidInput */
  serve(options: ServeOptions, events: ServeEvents): Promise<RunningServe>;
}

/** What the command line knows of cluster specifications. */
export interface ClusterTools {
  /**
   * Reads a specification and looks for all that is wrong in it; asks nobody.
   * @param path absolute
   * @returns the specification when it can be understood, and what was found
   * @throws SealiftError FileMissing
   */
  readSpec(path: string): Promise<{ spec?: ClusterSpec; findings: Finding[] }>;
  /**
   * What is known of a cluster by its name: what the management cluster keeps whose kubeconfig is given, else what operations
   * on this machine have gone by.
   * @param kubeconfig absolute path
   * @param managementCluster only a cluster that belongs to this one; of a management cluster itself
   * @returns undefined when nobody knows it
   * @throws SealiftError InvalidInput when several clusters on this machine have the name; of side `cluster` when the management
   * cluster cannot be asked
   */
  find(name: string, kubeconfig: string | undefined, managementCluster?: string): Promise<KnownCluster | undefined>;
  /**
   * What a management cluster is told from others by where no specification names it: its API server.
   * @param kubeconfig absolute path
   * @returns e.g. `192.0.2.10_6443`, which is no cluster's name
   * @throws SealiftError FileMissing, InvalidInput
   */
  managerOf(kubeconfig: string): Promise<string>;
  /**
   * The clusters of a management cluster; of all that were made on this machine when no kubeconfig is given, where one that
   * cannot be asked is listed with that as its problem.
   * @throws SealiftError of side `cluster` when the management cluster of the kubeconfig cannot be asked
   */
  list(kubeconfig: string | undefined): Promise<ListedCluster[]>;
  /**
   * What an upgrade would do; changes nothing.
   * @returns the plan, or all that an upgrade would be refused for
   * @throws SealiftError when something can't be asked
   */
  planUpgrade(input: ClusterOperationInput): Promise<{ plan?: UpgradePlan; problems: Problem[] }>;
  /**
   * Collects what a cluster, its management cluster and its bootstrap cluster say, without secrets; changes nothing on them.
   * @throws SealiftError InvalidInput when nothing says how one of them is reached, FileMissing; PathUnwritable, DiskFull
   */
  diagnose(asked: DiagnosticsAsked): Promise<DiagnosticsReport>;
}

/** Temporal's payload codec, as `@temporalio/common` has it; contracts import nothing. */
export interface PayloadCodec {
  encode(payloads: Payload[]): Promise<Payload[]>;
  decode(payloads: Payload[]): Promise<Payload[]>;
}

export interface Payload {
  metadata?: Record<string, Uint8Array> | null;
  data?: Uint8Array | null;
}

/** XDG folders of Sealift, created on first use; absolute. */
export interface HostPaths {
  config: string;
  cache: string;
  state: string;
}

export interface ServerInfo {
  /** `127.0.0.1:PORT` of the gRPC frontend */
  address: string;
  namespace: string;
  /** e.g. `http://127.0.0.1:PORT` */
  uiUrl: string;
  pid: number;
  version: string;
  database: string;
  log: string;
}

/** The `temporal server start-dev` that Sealift starts in the background when no other Temporal is configured. */
export interface EmbeddedServer {
  status(): Promise<ServerInfo | undefined>;
  /** Starts it, or finds the running one. Says what takes long through `progress` (a download or build of the binary). */
  ensure(progress: (line: string) => void): Promise<ServerInfo>;
  /** @returns whether one was running */
  stop(): Promise<boolean>;
}

/** How to reach Temporal: plain data for both the CLI's client and the worker's native connection. */
export interface TemporalTarget {
  address: string;
  namespace: string;
  apiKey?: string;
  tls?:
    | {
        serverNameOverride?: string;
        serverRootCACertificate?: Uint8Array;
        clientCertPair?: { crt: Uint8Array; key: Uint8Array };
      }
    | true;
}

export interface WorkerInfo {
  pid: number;
  identity: string;
  target: { address: string; namespace: string };
}

export interface RunningWorker {
  identity: string;
  /** Ends gracefully: activities in flight are told, keep what they have and are retried elsewhere. */
  stop(): Promise<void>;
  /** resolves when the worker has ended; rejects when it broke */
  done: Promise<void>;
}

export interface LocalWorkers {
  /** this machine's task queue, stable across restarts */
  hostTaskQueue(): Promise<string>;
  /** live `sealift worker` processes of this state folder for that target (proved by pid and start time, not by hearsay) */
  running(target: TemporalTarget): Promise<WorkerInfo[]>;
  /**
   * Runs a worker in this process. A `service` can be found by other commands (`running`); that of a `command` ends with it
   * and is nobody else's to count on.
   */
  start(target: TemporalTarget, role: 'service' | 'command'): Promise<RunningWorker>;
  /** Starts `sealift worker` in the background; it ends by itself after `idleSeconds` without work. */
  spawn(target: TemporalTarget, idleSeconds: number): Promise<WorkerInfo>;
  /** Whether the worker with this identity ran on this machine and its process is gone. */
  isDead(identity: string): Promise<boolean>;
}

/** What the command line knows of a source. */
export type SourceEntry = Pick<SourcePlugin, 'name' | 'summary' | 'selections' | 'options'>;

export interface SourceCatalogue {
  names(): Promise<SourceEntry[]>;
  /** Which source an input file belongs to, by its content. @throws SealiftError InvalidInput when none or several fit */
  detect(file: string, pullFrom: Record<string, string>): Promise<string>;
  list(
    selections: SourceSelection[],
    options: { pullFrom: Record<string, string>; registry: RegistryOptions },
    warn: (message: string) => void,
  ): Promise<SourceContents>;
}

export interface VerifyProgress {
  bytesDone: number;
  bytesTotal: number;
  blobsDone: number;
  blobsTotal: number;
}

export interface VerifyReport {
  digest: Digest;
  size: number;
  blobs: number;
  bytes: number;
  problems: Problem[];
  /** with a registry: manifests and blobs whose digest was proven there */
  registry?: { name: string; images: number; blobs: number; bytes: number };
}

/** One item of a bundle with what it weighs. */
export interface BundleItem extends Pick<
  BillItem,
  'kind' | 'name' | 'reference' | 'digest' | 'origin' | 'source' | 'package'
> {
  /** `os/arch[/variant]` that the bundle has it for; empty for what is for every platform */
  platforms: string[];
  /** bytes of its manifests and blobs */
  size: number;
  /** those of them that other items need too */
  sharedBytes: number;
}

/** What a part of a bundle weighs, each manifest and blob counted once. */
export interface ContentSum {
  /** a source, a platform, a package format */
  name: string;
  items: number;
  bytes: number;
}

/** What is in a bundle. */
export interface BundleContents extends Omit<BillOfMaterials, 'schemaVersion' | 'items'> {
  digest: Digest;
  /** bytes of the tar */
  size: number;
  items: BundleItem[];
  /** manifests and blobs that the items need, each counted once */
  blobs: number;
  bytes: number;
  bySource: ContentSum[];
  /** `any` for what is for every platform */
  byPlatform: ContentSum[];
  byPackage: ContentSum[];
}

export interface BundleTools {
  /** Reads just enough to know the bundle: its identity and what is in it. @throws SealiftError BundleCorrupt, BundleUnsafe, FileMissing */
  inspect(path: string): Promise<{ digest: Digest; size: number; billOfMaterials: BillOfMaterials }>;
  /** The same, and what each item weighs: reads every manifest. @throws SealiftError as `inspect`, and ManifestInvalid */
  contents(path: string): Promise<BundleContents>;
  /** Hashes every byte of the bundle; with `destination`, also fetches and hashes everything in the registry. */
  verify(
    path: string,
    options: {
      destination?: { host: string; namespace: string; map: Record<string, string>; registry: RegistryOptions };
      concurrency: number;
    },
    progress: (progress: VerifyProgress) => void,
  ): Promise<VerifyReport>;
}

export interface ServeOptions {
  /** paths of bundles, absolute; where two differ, the first counts */
  inputs: string[];
  listen: { host: string; port: number };
  /** paths of PEM files */
  tls?: { certificate: string; key: string };
  /** path of a file that `htpasswd -B` made */
  htpasswd?: string;
  /** where import would place what is in the bundles */
  namespace: string;
  map: Record<string, string>;
  maxConnections: number;
  /** what gpg knows the key by that signs the Debian repository */
  debSigningKey?: string;
}

/** What is told while bundles are served. */
export interface ServeEvents {
  warn(message: string): void;
  /** given one JSON line for each request, without its end */
  access?(line: string): void;
}

export interface RunningServe {
  /** with the port it really listens on */
  url: string;
  /** repositories by the name that import would give them */
  repositories: number;
  /** Lets the answers under way finish. */
  stop(): Promise<void>;
  /** Breaks them off; `stop` then ends soon. */
  breakOff(): void;
}

export interface DoctorFinding {
  subject: string;
  status: 'ok' | 'missing' | 'warning';
  detail: string;
  remedy: string;
}
