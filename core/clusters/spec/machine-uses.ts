import type { ClusterSpec, ObjectReference, SpecObject } from '../../../contracts/cluster-spec.ts';
import { countOfGroup, nameOfGroup } from './defaults.ts';

/** A role that machines have in a cluster, and where the specification says which ones they are. */
export interface MachineUse {
  /** `control plane`, `etcd`, `worker group md-0` */
  role: string;
  path: readonly (string | number)[];
  count: number;
  reference?: ObjectReference;
  machine?: SpecObject;
}

/** Every role that machines have in the cluster: control plane, etcd when it is external, and each worker group. */
export function machineUses({ cluster, machines }: Pick<ClusterSpec, 'cluster' | 'machines'>): MachineUse[] {
  const { controlPlaneConfiguration: plane, externalEtcdConfiguration: etcd } = cluster.spec;
  function use(role: string, path: (string | number)[], count: number, reference?: ObjectReference): MachineUse {
    const known = reference !== undefined && Object.hasOwn(machines, reference.name);
    const machine = known ? machines[reference.name] : undefined;
    return {
      role,
      path: ['spec', ...path],
      count,
      ...(reference === undefined ? {} : { reference }),
      ...(machine === undefined ? {} : { machine }),
    };
  }
  return [
    use('control plane', ['controlPlaneConfiguration'], plane.count, plane.machineGroupRef),
    ...(etcd === undefined ? [] : [use('etcd', ['externalEtcdConfiguration'], etcd.count, etcd.machineGroupRef)]),
    ...(cluster.spec.workerNodeGroupConfigurations ?? []).map((group, index) =>
      use(
        `worker group ${nameOfGroup(group, index) ?? `at ${index}`}`,
        ['workerNodeGroupConfigurations', index],
        countOfGroup(group),
        group.machineGroupRef,
      ),
    ),
  ];
}
