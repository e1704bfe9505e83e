import type { Digest } from './descriptor.ts';
import type { Side } from './errors.ts';
import type { OnFailure, RegistryOptions } from './run-options.ts';
import type { ClusterRole, ClusterSpec, SpecPosition } from './cluster-spec.ts';

/** What a validation found. All of them are collected before anything is refused. */
export interface Finding {
  /** stable, for scripts and tests, e.g. `registry.image-missing` */
  id: string;
  /** problem: the operation would fail */
  status: 'ok' | 'warning' | 'problem';
  /** what it is about; of a document its kind and name, e.g. `VSphereMachineConfig test-cp` */
  subject: string;
  /** one sentence */
  message: string;
  /** empty when there is nothing to do */
  remedy: string;
  /** the field of the subject that it is about, e.g. `['spec', 'template']`: by it the position is found */
  path?: readonly (string | number)[];
  /** where it is wrong; a file's when there is a position, else the cluster's */
  side?: Side;
  /** for what is wrong in a file */
  position?: SpecPosition;
}

/** The phases of EKS Anywhere's design for management and workload clusters, one step of the workflow each. */
export const createPhases = {
  management: [
    'SetupAndValidate',
    'CreateBootstrapCluster',
    'InstallCAPI',
    'CreateWorkloadCluster',
    'MoveManagementCluster',
    'InstallComponents',
    'InstallAddOns',
    'DeleteBootstrap',
  ],
  workload: ['SetupAndValidate', 'CreateWorkloadCluster', 'InstallAddOns'],
} as const;

export const upgradePhases = {
  management: [
    'SetupAndValidate',
    'UpdateSecrets',
    'UpgradeNeeded',
    'PauseReconcile',
    'CreateBootstrapCluster',
    'InstallCAPI',
    'MoveManagementToBootstrap',
    'UpgradeWorkloadCluster',
    'MoveManagementToWorkload',
    'UpdateClusterAndGitResources',
    'ResumeReconcile',
    'DeleteBootstrap',
  ],
  workload: [
    'SetupAndValidate',
    'PauseReconcile',
    'UpgradeWorkloadCluster',
    'UpdateClusterAndGitResources',
    'ResumeReconcile',
  ],
} as const;

export const deletePhases = {
  management: [
    'SetupAndValidate',
    'CreateBootstrapCluster',
    'InstallCAPI',
    'MoveManagementToBootstrap',
    'DeleteWorkloadCluster',
    'CleanUpGit',
    'DeleteBootstrap',
  ],
  workload: ['SetupAndValidate', 'DeleteWorkloadCluster', 'CleanUpGit'],
} as const;

export type ClusterPhase =
  | (typeof createPhases)[ClusterRole][number]
  | (typeof upgradePhases)[ClusterRole][number]
  | (typeof deletePhases)[ClusterRole][number];

/** How long is waited for what, in seconds; undefined waits for ever. */
export interface ClusterTimeouts {
  controlPlane?: number;
  externalEtcd?: number;
  perMachine?: number;
}

/** What every cluster operation is given. Paths are absolute and on the worker's machine; secrets are never in here. */
export interface ClusterOperationInput {
  name: string;
  role: ClusterRole;
  /**
   * of a workload cluster the name of its management cluster, or where nothing says that its API server as `managerOf` has it; absent
   * from operations of the first Sealift
   */
  managementCluster?: string;
  /**
   * the file with the specification: read again when a parked validation is tried again; empty for a delete by name, which
   * goes by what the management cluster keeps
   */
  specFile: string;
  /** kubeconfig of the management cluster that makes this workload cluster */
  kubeconfig?: string;
  hardwareCsv?: string;
  ovas?: OvaFile[];
  /** where Cluster API's components and the images come from */
  content: ContentSource;
  bootstrap: BootstrapChoice;
  /** leave the bootstrap cluster there at the end */
  keepBootstrap: boolean;
  skipValidations: string[];
  timeouts: ClusterTimeouts;
  onFailure: OnFailure;
  registry: RegistryOptions;
  hostTaskQueue?: string;
}

/** A virtual machine in a file, for a template that is not there (vSphere). */
export interface OvaFile {
  /** absolute path */
  file: string;
  /** as a machine config names it; absent where all of them name the same one */
  template?: string;
}

/** A cluster by its part in the operation; `self` is the one that is made, upgraded or deleted. */
export type ClusterPlace = 'bootstrap' | 'management' | 'self';

/** One of the two, or neither where nothing is made: a workload cluster is deleted without. */
export interface ContentSource {
  /** a bundle that `export artifacts` made, and its identity */
  bundle?: { path: string; digest: Digest };
  /** where one was imported to; the namespace may be empty */
  registry?: { host: string; namespace: string };
}

/** processes: etcd, kube-apiserver and controllers as processes of this machine; kubeconfig: a cluster that is there. */
export type BootstrapChoice = { driver: 'processes' } | { driver: 'kubeconfig'; kubeconfig: string };

export type ClusterOperationName = 'create-cluster' | 'upgrade-cluster' | 'delete-cluster';

export interface ClusterOperationResult {
  kind: ClusterOperationName;
  name: string;
  role: ClusterRole;
  provider: string;
  kubernetesVersion: string;
  /** of the new cluster, for its owner only; absent after a delete */
  kubeconfig?: string;
  nodes: { name: string; role: 'control-plane' | 'worker'; version: string }[];
  warnings: string[];
  /** of a delete: whether there was anything to delete */
  wasThere?: boolean;
  /** of an upgrade: there was nothing to do */
  unchanged?: boolean;
}

/** What the validation of an upgrade found, and so what there is to do. */
export interface UpgradeSurvey {
  /** a bootstrap cluster replaces the machines of the management cluster from outside */
  throughBootstrap: boolean;
  /** the bundle has newer providers of Cluster API than the management cluster */
  replacesClusterApi: boolean;
  /** an earlier upgrade was broken off while a bootstrap cluster had the cluster, or in a move */
  isUnfinished: boolean;
  /** what the management cluster keeps is in an older layout, and is brought to the present one even when nothing else changes */
  bringsLayoutUp?: boolean;
  warnings: string[];
}

/** What a delete found, and so what there is to do. */
export interface DeletionSurvey {
  /** the cluster whose Cluster API has the machines; nobody: there are none, or none any more */
  owner: ClusterPlace | 'nobody';
  /** a bootstrap cluster has to take over first, since nothing can delete the machines that it runs on */
  needsBootstrap: boolean;
  provider: string;
  /** e.g. `v1.35.4`; the minor version alone where no machine is left to say it */
  kubernetesVersion: string;
}

/** What this machine, or a management cluster, knows of a cluster by its name. */
export interface KnownCluster {
  spec: ClusterSpec;
  /** absolute path of the management cluster's kubeconfig; of a management cluster its own; absent when nobody knows it */
  kubeconfig?: string;
}

/** A cluster in a list. */
export interface ListedCluster {
  name: string;
  /** undefined where no specification says it */
  role?: ClusterRole;
  provider?: string;
  /** of the control plane; the specification's minor version where there is none */
  kubernetesVersion?: string;
  machines: { ready: number; desired: number };
  /** its reconciliation */
  paused: boolean;
  /** what is wrong, one line */
  problem?: string;
}

/** Of which cluster what it and the clusters around it say is collected. Paths are absolute. */
export interface DiagnosticsAsked {
  name: string;
  /** where this machine knows several clusters of the name */
  managementCluster?: string;
  /** kubeconfig of the management cluster; of a management cluster its own */
  kubeconfig?: string;
  /** the file to write; one in the state folder when absent */
  output?: string;
}

/** What was collected. */
export interface DiagnosticsReport {
  /** absolute path of the archive */
  archive: string;
  clusters: { place: ClusterPlace; server: string | null; answered: boolean; objects: number }[];
  /** what is not in it, and why */
  missing: string[];
}
