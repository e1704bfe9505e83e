import type { ClusterSpec } from '../../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../../contracts/clusters.ts';
import type { PreflightRequest } from '../../../../contracts/provider-plugin.ts';
import { finder } from '../../../../core/clusters/spec/findings.ts';
import { upgradeSteps } from '../../../../core/clusters/upgrade-plan.ts';
import type { Hardware } from '../hardware-csv.ts';
import { knownHardware, machinesOfCluster, type KnownHardware } from '../hardware-on-cluster.ts';
import { hardwareRules } from '../hardware-rules.ts';

/** Whether there is enough hardware, in the list and on the management cluster together. */
export async function hardwareFindings(
  { spec, operation, previous, management }: PreflightRequest,
  listed: readonly Hardware[] | undefined,
): Promise<Finding[]> {
  const known = management === undefined ? undefined : await knownHardware(management);
  if (listed === undefined && known === undefined) return noHardware(spec, operation);
  const own = management === undefined ? [] : (await machinesOfCluster(management, spec)).map(({ name }) => name);
  const available = availableHardware(listed ?? [], known ?? [], own);
  const rolling = operation === 'upgrade' && (previous === undefined || upgradeSteps(previous, spec).length > 0);
  return hardwareRules(spec, available, rolling);
}

function noHardware(spec: ClusterSpec, operation: PreflightRequest['operation']): Finding[] {
  const findings: Finding[] = [];
  const at = finder(findings, `Cluster ${spec.name}`, 'tinkerbell');
  if (operation === 'create') {
    at.problem('hardware', [], 'nothing says which machines there are', 'give the hardware list with --hardware-csv');
  } else {
    at.warning(
      'hardware',
      [],
      'whether there is enough hardware is not known',
      'give the hardware list with --hardware-csv',
    );
  }
  return findings;
}

/**
 * What a cluster can have: the list, and what the management cluster knows, without what other clusters have. Pure.
 * @param own names of the TinkerbellMachines that the cluster has
 */
export function availableHardware(
  listed: readonly Hardware[],
  known: readonly KnownHardware[],
  own: readonly string[],
): Pick<Hardware, 'hostname' | 'labels'>[] {
  const taken = new Set(
    known.flatMap(({ hostname, owner }) => (owner === undefined || own.includes(owner) ? [] : hostname)),
  );
  const all = new Map([...known, ...listed].map(({ hostname, labels }) => [hostname, { hostname, labels }]));
  return [...all.values()].filter(({ hostname }) => !taken.has(hostname));
}
