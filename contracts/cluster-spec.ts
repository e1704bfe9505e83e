/**
 * A cluster as its operator describes it: the documents of EKS Anywhere's API `anywhere.eks.amazonaws.com/v1alpha1`, with
 * the names that API has. What is optional there is optional here; defaults are filled in where they are used.
 */

/** A Kubernetes object as it is written or read: the fields that every kind has, and the rest. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMetadata;
  [field: string]: unknown;
}

export interface ObjectMetadata {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean }[];
  creationTimestamp?: string;
  deletionTimestamp?: string;
}

export interface SpecObject<Spec = Record<string, unknown>> extends KubernetesObject {
  spec: Spec;
}

/** A document of the specification that knows where each of its fields was written. */
export interface LocatedDocument {
  file: string;
  value: unknown;
  /** Where the field is; where it is missing, the nearest field around it. */
  positionOf(path: readonly PropertyKey[]): SpecPosition;
  /** The text of a scalar as it was written, e.g. `1.30` where `value` has the number 1.3; undefined for anything else. */
  textOf(path: readonly PropertyKey[]): string | undefined;
}

export interface SpecPosition {
  file: string;
  line: number;
  column: number;
  /** e.g. `spec.controlPlaneConfiguration.count` */
  field?: string;
}

/**
 * A management cluster runs the controllers that make clusters, itself included; a workload cluster is made by one.
 * Said by `spec.management` (EKS Anywhere's design) or by `spec.managementCluster.name` (its API): the same name means itself.
 */
export type ClusterRole = 'management' | 'workload';

/** Everything that one specification file says about one cluster. */
export interface ClusterSpec {
  name: string;
  /** of the objects on the management cluster; `default` when the file names none */
  namespace: string;
  role: ClusterRole;
  /** the management cluster's name; of a management cluster its own; undefined when the file leaves it to --kubeconfig */
  managementCluster?: string;
  /** folder name below plugins/providers */
  provider: string;
  cluster: SpecObject<EksaClusterSpec>;
  datacenter: SpecObject;
  /** by name */
  machines: Record<string, SpecObject>;
  gitOps?: SpecObject<FluxConfigSpec>;
  /** what else is referred to: documents that the provider knows, e.g. `TinkerbellTemplateConfig`, and identity providers */
  others: SpecObject[];
}

export interface ObjectReference {
  kind: string;
  name: string;
}

export interface Taint {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

export interface RolloutStrategy {
  type?: 'RollingUpdate' | 'InPlace';
  rollingUpdate?: { maxSurge?: number; maxUnavailable?: number };
}

export interface EksaClusterSpec {
  /** minor version, e.g. `1.31` */
  kubernetesVersion: string;
  management?: boolean;
  managementCluster?: { name: string };
  /** e.g. `v0.21.0`: the release whose components this cluster has */
  eksaVersion?: string;
  controlPlaneConfiguration: {
    count: number;
    endpoint?: { host: string };
    machineGroupRef?: ObjectReference;
    taints?: Taint[];
    labels?: Record<string, string>;
    upgradeRolloutStrategy?: RolloutStrategy;
    certSans?: string[];
    skipLoadBalancerDeployment?: boolean;
    machineHealthCheck?: MachineHealthCheck;
    apiServerExtraArgs?: Record<string, string>;
    /** fields of kubelet.config.k8s.io/v1beta1 KubeletConfiguration */
    kubeletConfiguration?: Record<string, unknown>;
    /** an audit.k8s.io Policy, as YAML text */
    auditPolicyContent?: string;
    skipAdmissionForSystemResources?: boolean;
  };
  externalEtcdConfiguration?: { count: number; machineGroupRef?: ObjectReference };
  workerNodeGroupConfigurations?: WorkerNodeGroup[];
  datacenterRef: ObjectReference;
  gitOpsRef?: ObjectReference;
  clusterNetwork: {
    cni?: string;
    cniConfig?: Record<string, unknown>;
    pods: { cidrBlocks: string[] };
    services: { cidrBlocks: string[] };
    dns?: { resolvConf?: { path?: string } };
    nodes?: { cidrMaskSize?: number };
  };
  registryMirrorConfiguration?: RegistryMirrorConfiguration;
  proxyConfiguration?: ProxyConfiguration;
  machineHealthCheck?: MachineHealthCheck;
  podIamConfig?: { serviceAccountIssuer: string };
  identityProviderRefs?: ObjectReference[];
  packages?: Record<string, unknown>;
  bundlesRef?: { apiVersion: string; name: string; namespace: string };
  etcdEncryption?: Record<string, unknown>[];
  licenseToken?: string;
}

export interface ProxyConfiguration {
  httpProxy: string;
  httpsProxy: string;
  noProxy?: string[];
}

export interface MachineHealthCheck {
  /** a number of machines, or a share such as `40%` */
  maxUnhealthy?: string | number;
  /** Go duration, e.g. `10m0s` */
  nodeStartupTimeout?: string;
  unhealthyMachineTimeout?: string;
}

export interface WorkerNodeGroup {
  name: string;
  count?: number;
  machineGroupRef?: ObjectReference;
  taints?: Taint[];
  labels?: Record<string, string>;
  upgradeRolloutStrategy?: RolloutStrategy;
  autoscalingConfiguration?: { minCount: number; maxCount: number };
  /** a minor version older than the control plane's */
  kubernetesVersion?: string;
  machineHealthCheck?: MachineHealthCheck;
  kubeletConfiguration?: Record<string, unknown>;
  /** vSphere: names of failure domains of the datacenter */
  failureDomains?: string[];
}

export interface RegistryMirrorConfiguration {
  endpoint: string;
  /** 443 when absent */
  port?: string;
  ociNamespaces?: { registry: string; namespace: string }[];
  /** PEM */
  caCertContent?: string;
  authenticate?: boolean;
  insecureSkipVerify?: boolean;
}

/** Where Flux reads from: `FluxConfig`, and `GitOpsConfig`, which says the same. */
export interface FluxConfigSpec {
  systemNamespace?: string;
  clusterConfigPath?: string;
  branch?: string;
  git?: { repositoryUrl: string; sshKeyAlgorithm?: string };
  github?: { owner: string; repository: string; personal?: boolean };
}
