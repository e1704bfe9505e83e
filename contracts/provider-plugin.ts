import type { ClusterSpec, KubernetesObject, LocatedDocument, SpecObject } from './cluster-spec.ts';
import type { Finding, OvaFile } from './clusters.ts';

export type ClusterOperation = 'create' | 'upgrade' | 'delete';

/** An infrastructure that clusters can run on. A plugin knows the infrastructure, never Temporal; every method may be called again. */
export interface ProviderPlugin {
  /** folder name below plugins/providers */
  name: string;
  /** one line for `--help` and the docs */
  summary: string;
  /** the kinds of its documents in a cluster's specification */
  kinds: { datacenter: string; machine: string; others: readonly string[] };
  /** Whether an operation on a management cluster needs a bootstrap cluster; pure. */
  needsBootstrap(operation: ClusterOperation, spec: ClusterSpec): boolean;
  /** a commented specification for `sealift generate cluster` */
  specTemplate(name: string): string;
  /**
   * Looks at one of its documents alone: unknown fields and wrong types.
   * @returns all that is wrong with it, with positions, and its fields as they are meant
   */
  checkDocument(kind: string, document: LocatedDocument): CheckedDocument;
  /** Looks at the whole specification: values that cannot be, and what may not change; pure. Findings have paths, not positions. */
  validateSpec(spec: ClusterSpec, previous?: ClusterSpec): Finding[];
  /** Asks the infrastructure whether the operation can work; changes nothing, and collects all that is wrong. */
  preflight(request: PreflightRequest, context: ProviderContext): Promise<Finding[]>;
  /** Brings what the machines need and the infrastructure lacks: templates, tags, folders. */
  prepareAssets(spec: ClusterSpec, context: ProviderContext): Promise<void>;
  /** The Cluster API provider that makes its machines. */
  capi(spec: ClusterSpec, context: Pick<ProviderContext, 'env'>): CapiProvider;
  /** What must be on a cluster before Cluster API's controllers start there. */
  bootstrapPrereqs(spec: ClusterSpec, context: ProviderContext): Promise<KubernetesObject[]>;
  /**
   * The charts of the release that must be on a cluster then, and stay; in order, and pure. Absent where Cluster API's provider
   * needs nothing beside it.
   */
  charts?(request: ChartsRequest): ProviderChart[];
  /**
   * What must be there once they run, and waiting for it (bare metal: hardware, until its BMCs answer). Also before a cluster is
   * made or changed where they run already.
   */
  postCapiInit(spec: ClusterSpec, cluster: ClusterAccess, context: ProviderContext): Promise<void>;
  /**
   * The Cluster API objects of a cluster; pure. Names of templates carry a digest of their content, so that a change makes a new one.
   * @param previous what the cluster was made from, when it is upgraded
   */
  render(request: RenderRequest): KubernetesObject[];
  /** What an upgrade will roll, in order. */
  upgradePlan(previous: ClusterSpec, next: ClusterSpec): UpgradeStep[];
  preMove(spec: ClusterSpec, from: ClusterAccess, context: ProviderContext): Promise<void>;
  postMove(spec: ClusterSpec, to: ClusterAccess, context: ProviderContext): Promise<void>;
  /** What will get no further by itself, however long machines are waited for. Absent where Cluster API's own objects tell that. */
  stuck?: StuckInfrastructure;
  /** What the new cluster needs of the provider once it answers (cloud provider, storage). */
  postWorkload(spec: ClusterSpec, workload: ClusterAccess, context: ProviderContext): Promise<void>;
  preDelete(spec: ClusterSpec, management: ClusterAccess, context: ProviderContext): Promise<void>;
  /**
   * Says what is left of a deleted cluster: machines, powered hosts.
   * @param management where it was deleted, if that can be asked
   */
  postDelete(spec: ClusterSpec, context: ProviderContext, management?: ClusterAccess): Promise<Finding[]>;
  /** The objects that hold credentials, made from the environment of now. */
  credentials(spec: ClusterSpec, context: ProviderContext): Promise<KubernetesObject[]>;
}

export interface CheckedDocument {
  /** absent when its shape is too wrong to go on with */
  value?: SpecObject;
  findings: Finding[];
}

export interface PreflightRequest {
  spec: ClusterSpec;
  operation: ClusterOperation;
  previous?: ClusterSpec;
  /** names of validations to leave out, as `--skip-validations` */
  skip: readonly string[];
  /** the management cluster that knows the cluster, or is to make it; absent when a management cluster is created */
  management?: ClusterAccess;
}

export interface RenderRequest {
  spec: ClusterSpec;
  /** full version, e.g. `v1.31.4` */
  kubernetesVersion: string;
  /** full versions of the minor ones that worker groups may have of their own, e.g. `v1.30.14` of `1.30` */
  workerVersions?: Record<string, string>;
  previous?: ClusterSpec;
  /** the repositories and tags that kubeadm and kubelet use, in the mirror when there is one */
  images: NodeImages;
}

export interface NodeImages {
  /** e.g. `mirror.local:5000/eks-distro/kubernetes` */
  kubernetesRepository: string;
  etcd: { repository: string; tag: string };
  coreDns: { repository: string; tag: string };
  /** absent where the provider brings its own load balancer */
  kubeVip?: string;
  /** the cloud controller manager of the infrastructure, where nodes wait for one (vSphere) */
  cloudProvider?: string;
}

export interface StuckInfrastructure {
  /** the objects that tell, beside Cluster API's */
  kind: Pick<KubernetesObject, 'apiVersion' | 'kind'>;
  /** Pure. @param machines Cluster API's Machines of the cluster @param objects of the kind, of all clusters */
  find(
    machines: readonly KubernetesObject[],
    objects: readonly KubernetesObject[],
  ): Pick<Finding, 'subject' | 'message' | 'remedy'> | undefined;
}

export interface ChartsRequest {
  /** of a management cluster: workload clusters have none of their own */
  spec: ClusterSpec;
  /** the management cluster itself, or the one that it is made or deleted by */
  place: 'bootstrap' | 'self';
  stack: ProviderStack;
}

/** What a release has of the services that a provider needs beside Cluster API's controllers, as its manifest names them. */
export interface ProviderStack {
  /** references: all services in one, what prepares a node's network interface, what announces addresses of services */
  images: { services: string; interface: string; loadBalancer: string };
  /** URLs of the system that machines boot to be installed: the folder of its kernel, and an ISO image, empty for none */
  installer: { files: string; iso: string };
}

/** A chart of the release that a provider wants on a cluster. */
export interface ProviderChart {
  /** which one of the release's; definitions are left out where it has no chart of theirs */
  chart: 'definitions' | 'services';
  /** Helm's name of its release */
  name: string;
  namespace: string;
  /** images in it are said as the release has them: from the mirror they are when the chart is made */
  values: Record<string, unknown>;
  /** the object in it by which is known what is installed; of services a Deployment, which is waited for */
  mark: ObjectKey;
}

export interface CapiProvider {
  /** as clusterctl names it, e.g. `vsphere`, `tinkerbell` */
  name: string;
  /** where its controllers run */
  namespace: string;
  /** variables of its component manifests; values may be secrets */
  env: Record<string, string>;
  /** the programs in its images, by the image's name, for a bootstrap cluster that has no nodes to run images */
  programs: Record<string, ProviderProgram>;
}

/** The program that is in a provider's image. */
export interface ProviderProgram {
  /** its file name, e.g. `capi-core` */
  binary: string;
  /** variables beyond those of the Deployment */
  env?: Record<string, string>;
  /** for a manager that cannot be told where to listen by the flags of Cluster API's own managers */
  listening?: FixedListening;
}

/** Where a manager listens whose webhooks no flag can move: two of them cannot be on one machine. */
export interface FixedListening {
  /** its flag for the address of its metrics, e.g. `--metrics-bind-addr` */
  metricsFlag: string;
  /** of its webhooks; their certificate is where controller-runtime looks for it by itself */
  webhookPort: number;
}

/** One thing that an upgrade rolls. */
export interface UpgradeStep {
  /** e.g. `control plane`, `worker group md-0` */
  subject: string;
  /** why: `Kubernetes 1.30 to 1.31`, `template changed` */
  reason: string;
  machines: number;
}

/** A Kubernetes API server and what to know of it. */
export interface ClusterAccess {
  /** path of a kubeconfig, for its owner only */
  kubeconfig: string;
  get(object: ObjectKey): Promise<KubernetesObject | undefined>;
  list(kind: Pick<KubernetesObject, 'apiVersion' | 'kind'>, options?: ListOptions): Promise<KubernetesObject[]>;
  /** Server-side apply as field manager `sealift`, taking over what others own. @returns the object as it is now */
  apply(object: KubernetesObject): Promise<KubernetesObject>;
  /** JSON merge patch (RFC 7386) of the object, or of its `status`. */
  patch(object: ObjectKey, change: object, subresource?: 'status'): Promise<void>;
  /** @returns whether it was there; the API server may take until its finalizers are done */
  delete(object: ObjectKey): Promise<boolean>;
}

export interface ObjectKey {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
}

export interface ProviderContext {
  /** the worker's environment: the only place credentials come from */
  env: Record<string, string | undefined>;
  /** a folder of the operation's own */
  scratch: string;
  /** absolute path of the hardware list (bare metal) */
  hardwareCsv?: string;
  /** what templates are imported from that are not there (vSphere) */
  ovas?: readonly OvaFile[];
  /**
   * Runs a program of the worker's machine, with the worker's environment.
   * @returns what it wrote to standard output
   * @throws SealiftError ToolMissing; ToolFailed with what it wrote to standard error
   */
  run(command: string, args: readonly string[], options?: ProgramOptions): Promise<string>;
  /** Tells that something goes on; called at least every few seconds by what waits. @throws when the operation was cancelled */
  alive(detail: string): void;
  warn(message: string): void;
}

export interface ProgramOptions {
  /** added to the worker's environment; the only way in for secrets, since everybody can read arguments */
  env?: Record<string, string>;
  /** when it is ended */
  timeoutMs?: number;
  /** ends it; what it did by then stays done */
  signal?: AbortSignal;
}
