import type { EksaClusterSpec, Taint, WorkerNodeGroup } from '../../../../contracts/cluster-spec.ts';
import type { FindingPath, Finder } from '../findings.ts';
import { labelKeyFault, labelValueFault } from '../syntax.ts';

interface Marked {
  labels?: Record<string, string>;
  taints?: Taint[];
}

/** Labels and taints of nodes. */
export function nodeMarkRules(marked: Marked, path: FindingPath, at: Finder): void {
  for (const [key, value] of Object.entries(marked.labels ?? {})) {
    const fault = labelKeyFault(key) ?? labelValueFault(value);
    if (fault !== undefined) at.problem('label', [...path, 'labels', key], fault, 'correct the label');
  }
  const seen = new Set<string>();
  for (const [index, { key, value = '', effect }] of (marked.taints ?? []).entries()) {
    const taintPath = [...path, 'taints', index];
    const fault = labelKeyFault(key) ?? labelValueFault(value);
    if (fault !== undefined) at.problem('taint', taintPath, fault, 'correct the taint');
    const same = `${key}:${effect}`;
    if (seen.has(same)) {
      at.problem(
        'taint',
        taintPath,
        `there are two taints ${same}`,
        'leave one: a node has one value for each key and effect',
      );
    }
    seen.add(same);
  }
}

/** Whether pods without a toleration stay away from the nodes of the group. */
export function keepsPodsAway({ taints = [] }: WorkerNodeGroup): boolean {
  return taints.some(({ effect }) => effect !== 'PreferNoSchedule');
}

/** The Kubernetes version that a worker group has. */
export function versionOf(group: WorkerNodeGroup, cluster: EksaClusterSpec): string {
  return group.kubernetesVersion ?? cluster.kubernetesVersion;
}
