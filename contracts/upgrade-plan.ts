import type { ClusterRole } from './cluster-spec.ts';
import type { UpgradeStep } from './provider-plugin.ts';

/** A provider of Cluster API on a management cluster, and the version that replaces its own. */
export interface ProviderChange {
  /** as clusterctl lists it, e.g. `infrastructure-vsphere` */
  subject: string;
  /** e.g. `v1.13.2` */
  from: string;
  to: string;
}

/** What an upgrade of a cluster would do. */
export interface UpgradePlan {
  name: string;
  role: ClusterRole;
  provider: string;
  /** full versions, e.g. `v1.34.6`: of the oldest machine there is, and of the new ones */
  kubernetesVersion: { from: string; to: string };
  /** whether a bootstrap cluster replaces the machines of a management cluster from outside */
  throughBootstrap: boolean;
  /** controllers of a management cluster that are replaced, before any machine is */
  clusterApi: ProviderChange[];
  /** what is replaced machine by machine, in this order */
  rolls: UpgradeStep[];
  /** what changes in number without being replaced; 0 is where there is none */
  scales: { subject: string; from: number; to: number }[];
  /** whether anything at all is to be done: fields that neither replace nor count machines may have changed */
  needed: boolean;
  warnings: string[];
}
