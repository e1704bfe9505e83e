import type { ClusterSpec, RegistryMirrorConfiguration, WorkerNodeGroup } from '../../../contracts/cluster-spec.ts';

/** The port of a registry mirror that names none. */
export const defaultMirrorPort = '443';

/** A worker group's name; the first may go without one. @returns undefined when another one does */
export function nameOfGroup(group: WorkerNodeGroup, index: number): string | undefined {
  return group.name !== undefined && group.name !== '' ? group.name : index === 0 ? 'md-0' : undefined;
}

/** How many machines a worker group begins with. */
export function countOfGroup({ count, autoscalingConfiguration: scaling }: WorkerNodeGroup): number {
  return count ?? (scaling === undefined ? 1 : (scaling.minCount ?? 0));
}

/** `host:port` of a registry mirror. */
export function mirrorHost({ endpoint, port }: RegistryMirrorConfiguration): string {
  return `${endpoint}:${port ?? defaultMirrorPort}`;
}

/** How many machines a cluster is to have, external etcd's not counted. */
export function machinesOf({ cluster }: Pick<ClusterSpec, 'cluster'>): number {
  const { controlPlaneConfiguration, workerNodeGroupConfigurations = [] } = cluster.spec;
  return workerNodeGroupConfigurations.reduce(
    (sum, group) => sum + countOfGroup(group),
    controlPlaneConfiguration.count,
  );
}
