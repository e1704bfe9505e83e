import type { ClusterSpec, WorkerNodeGroup } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { nameOfGroup } from './defaults.ts';
import { finder, subjectOf, type Finder } from './findings.ts';
import { immutableField, immutableRules } from './immutable-fields.ts';
import { versionOf } from './rules/node-rules.ts';
import { minorsBetween } from './syntax.ts';

const everywhere = 'is in the certificates and addresses of every machine';
const onMachines = 'is in the configuration of every machine, also of those the controllers run on';

/**
 * The fields of a Cluster that may not change. What a management cluster may not change because its own machines would be rolled
 * under its controllers is relaxed for workload clusters (the webhook change of EKS Anywhere's design).
 */
export const immutableFields = [
  immutableField('spec.datacenterRef', 'the infrastructure of a cluster cannot change'),
  immutableField('spec.controlPlaneConfiguration.endpoint', `the API server's address ${everywhere}`),
  immutableField('spec.clusterNetwork.pods', 'the addresses of running pods cannot change'),
  immutableField('spec.clusterNetwork.services', 'the addresses of services that exist cannot change'),
  immutableField('spec.clusterNetwork.nodes', 'the blocks of addresses that nodes have cannot change'),
  immutableField(
    'spec.externalEtcdConfiguration',
    'etcd cannot move between the control plane and machines of its own',
    {
      presence: true,
    },
  ),
  immutableField('spec.clusterNetwork.dns', `the resolver ${onMachines}`, { relaxedForWorkload: true }),
  immutableField('spec.proxyConfiguration', `the proxy ${onMachines}`, { relaxedForWorkload: true }),
  immutableField('spec.podIamConfig', 'tokens that controllers hold name the issuer they were made by', {
    relaxedForWorkload: true,
  }),
  immutableField('spec.identityProviderRefs', `the identity provider ${onMachines}`, { relaxedForWorkload: true }),
];

/**
 * What an upgrade may not do: change what cannot change, go back, or skip a minor version.
 * @param previous what the cluster was made from
 * @returns findings about the new specification, without positions
 */
export function compareSpecs(previous: ClusterSpec, next: ClusterSpec): Finding[] {
  const findings: Finding[] = [];
  const at = finder(findings, subjectOf(next.cluster), 'spec');
  if (previous.name !== next.name || previous.namespace !== next.namespace) {
    const message = `this is another cluster: the one there is ${previous.namespace}/${previous.name}`;
    at.problem('immutable', ['metadata', 'name'], message, 'give the specification of that cluster');
    return findings;
  }
  roleRules(previous, next, at);
  immutableRules(immutableFields, [previous.cluster, next.cluster], previous.role === 'workload', at);
  upgradeRules(
    previous.cluster.spec.kubernetesVersion,
    next.cluster.spec.kubernetesVersion,
    ['spec', 'kubernetesVersion'],
    at,
  );
  releaseRules(previous.cluster.spec.eksaVersion, next.cluster.spec.eksaVersion, at);
  workerUpgradeRules(previous, next, at);
  return findings;
}

function roleRules(previous: ClusterSpec, next: ClusterSpec, at: Finder): void {
  if (previous.role !== next.role) {
    const message = `a ${previous.role} cluster cannot become a ${next.role} cluster`;
    at.problem('immutable', ['spec'], message, `describe it as a ${previous.role} cluster`);
  } else if (
    previous.managementCluster !== undefined &&
    next.managementCluster !== undefined &&
    previous.managementCluster !== next.managementCluster
  ) {
    const message = `the cluster is managed by ${previous.managementCluster}, not by ${next.managementCluster}`;
    const path = ['spec', 'managementCluster', 'name'];
    at.problem('immutable', path, message, `name ${previous.managementCluster}`);
  }
}

function upgradeRules(from: string, to: string, path: readonly (string | number)[], at: Finder): void {
  const minors = minorsBetween(from, to);
  if (minors === undefined || minors === 0 || minors === 1) return;
  const remedy = minors < 0 ? `use ${from} or newer` : `upgrade through the minor versions between, one at a time`;
  const fault =
    minors < 0 ? 'is older: Kubernetes cannot go back' : `skips ${minors - 1} minor version${minors > 2 ? 's' : ''}`;
  at.problem('version-skew', path, `${to} after ${from} ${fault}`, remedy);
}

function releaseRules(from: string | undefined, to: string | undefined, at: Finder): void {
  const path = ['spec', 'eksaVersion'];
  if (from === undefined) return;
  if (to === undefined) {
    at.problem(
      'eksa-version',
      path,
      `it cannot be taken out once it was set (to ${from})`,
      `write ${from} or the next release`,
    );
    return;
  }
  const [before, after] = [minorOfRelease(from), minorOfRelease(to)];
  const minors = before === undefined || after === undefined ? undefined : minorsBetween(before, after);
  if (minors === 0 || minors === 1) return;
  const fault = (minors ?? 0) < 0 ? 'is older' : 'is not the next release';
  at.problem('eksa-version', path, `${to} after ${from} ${fault}`, 'releases follow each other one minor at a time');
}

function minorOfRelease(release: string): string | undefined {
  return /^v?(\d+\.\d+)\./.exec(release)?.[1];
}

function workerUpgradeRules(previous: ClusterSpec, next: ClusterSpec, at: Finder): void {
  const before = new Map(groupsOf(previous).map((group, index) => [nameOfGroup(group, index), group]));
  for (const [index, group] of groupsOf(next).entries()) {
    const former = before.get(nameOfGroup(group, index));
    if (former === undefined || (former.kubernetesVersion ?? group.kubernetesVersion) === undefined) continue;
    const path = ['spec', 'workerNodeGroupConfigurations', index, 'kubernetesVersion'];
    upgradeRules(versionOf(former, previous.cluster.spec), versionOf(group, next.cluster.spec), path, at);
  }
}

function groupsOf({ cluster }: ClusterSpec): WorkerNodeGroup[] {
  return cluster.spec.workerNodeGroupConfigurations ?? [];
}
