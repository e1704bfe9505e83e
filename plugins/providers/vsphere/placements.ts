import type { ClusterSpec, SpecObject, WorkerNodeGroup } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { finder, subjectOf, type Finder, type FindingPath } from '../../../core/clusters/spec/findings.ts';
import { machineUses, type MachineUse } from '../../../core/clusters/spec/machine-uses.ts';
import type { VSphereMachineSpec } from './schema.ts';
import { datacenterOf } from './vcenter.ts';

/** What machines have when the specification does not say; sizes as with EKS Anywhere. */
export const machineDefaults = {
  numCPUs: 2,
  memoryMiB: 8192,
  diskGiB: 25,
  // a linked clone has the template's disk, whatever diskGiB says
  cloneMode: 'fullClone',
} as const;

/** A name in the specification, and where findings about it belong. */
export interface Named {
  name: string;
  at: Finder;
  path: FindingPath;
}

/** Where the machines of one use go, by the names in the specification. */
export interface Placement {
  use: MachineUse;
  machine: SpecObject<VSphereMachineSpec>;
  datastore: Named;
  /** absent: the datacenter's own folder */
  folder?: Named;
  resourcePool: Named;
  networks: Named[];
  /** of a failure domain */
  computeCluster?: Named;
}

/** The placements of a cluster: control plane, external etcd, and each worker group. */
export function placementsOf(spec: ClusterSpec, findings: Finding[]): Placement[] {
  const groups = spec.cluster.spec.workerNodeGroupConfigurations ?? [];
  return machineUses(spec).flatMap((use) => {
    if (use.machine === undefined) return [];
    const machine = use.machine as unknown as SpecObject<VSphereMachineSpec>;
    const group = use.path[1] === 'workerNodeGroupConfigurations' ? groups[Number(use.path[2])] : undefined;
    return [{ use, machine, ...inFailureDomain(spec, group, findings, ownPlaces(spec, machine, findings)) }];
  });
}

type Places = Omit<Placement, 'use' | 'machine'>;

function ownPlaces(spec: ClusterSpec, machine: SpecObject<VSphereMachineSpec>, findings: Finding[]): Places {
  const at = finder(findings, subjectOf(machine), 'vsphere');
  const { datastore, folder = '', resourcePool, networks } = machine.spec;
  const network = {
    name: datacenterOf(spec).network,
    at: finder(findings, subjectOf(spec.datacenter), 'vsphere'),
    path: ['spec', 'network'],
  };
  return {
    datastore: { name: datastore, at, path: ['spec', 'datastore'] },
    resourcePool: { name: resourcePool, at, path: ['spec', 'resourcePool'] },
    ...(folder === '' ? {} : { folder: { name: folder, at, path: ['spec', 'folder'] } }),
    networks: networks?.map((name, index) => ({ name, at, path: ['spec', 'networks', index] })) ?? [network],
  };
}

/** A worker group is in one failure domain, which says where all of its machines go. */
function inFailureDomain(
  spec: ClusterSpec,
  group: WorkerNodeGroup | undefined,
  findings: Finding[],
  own: Places,
): Places {
  const { failureDomains = [] } = datacenterOf(spec);
  const index = failureDomains.findIndex(({ name }) => name === group?.failureDomains?.[0]);
  const domain = failureDomains[index];
  if (domain === undefined) return own;
  const at = finder(findings, subjectOf(spec.datacenter), 'vsphere');
  const named = (field: Exclude<keyof typeof domain, 'name'>): Named => ({
    name: domain[field],
    at,
    path: ['spec', 'failureDomains', index, field],
  });
  return {
    datastore: named('datastore'),
    folder: named('folder'),
    resourcePool: named('resourcePool'),
    networks: [named('network')],
    computeCluster: named('computeCluster'),
  };
}
