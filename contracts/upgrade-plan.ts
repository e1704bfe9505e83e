import type { ClusterRole } from './cluster-spec.ts';
import type { UpgradeStep } from './provider-plugin.ts';

/** What an upgrade of a cluster would do. */
export interface UpgradePlan {
  name: string;
  role: ClusterRole;
  provider: string;
  /** full versions, e.g. `v1.34.6`: of the oldest machine there is, and of the new ones */
  kubernetesVersion: { from: string; to: string };
  /** whether a bootstrap cluster replaces the machines of a management cluster from outside */
  throughBootstrap: boolean;
  /** what is replaced machine by machine, in this order */
  rolls: UpgradeStep[];
  /** what changes in number without being replaced; 0 is where there is none */
  scales: { subject: string; from: number; to: number }[];
  /** whether anything at all is to be done: fields that neither replace nor count machines may have changed */
  needed: boolean;
  warnings: string[];
}
