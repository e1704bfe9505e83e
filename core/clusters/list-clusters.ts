import type { EksaClusterSpec, KubernetesObject, SpecObject } from '../../contracts/cluster-spec.ts';
import type { ListedCluster } from '../../contracts/clusters.ts';
import { conditionText, type ClusterState } from '../kubernetes/cluster-state.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { readClusterState } from './await.ts';
import { isPaused } from './find-owner.ts';
import { newerThanThis, readLayout } from './layout.ts';
import { keptClusters } from './read-kept-spec.ts';
import { CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';
import type { SpecProvider } from './spec/read-documents.ts';
import { roleOf } from './spec/role.ts';
import { noneIfUnknown } from '../kubernetes/unknown-kind.ts';

/**
 * The clusters that a management or bootstrap cluster looks after, by name: those that Cluster API has there, and those whose
 * specification is kept there. Asks nobody else.
 * @throws SealiftError those of Cluster.list
 */
export async function listClusters(on: Cluster, providers: readonly SpecProvider[]): Promise<ListedCluster[]> {
  const kind = { apiVersion: capiVersions.cluster, kind: 'Cluster' };
  const listed = on.list(kind, { namespace: CLUSTER_NAMESPACE }).catch(noneIfUnknown);
  const [made, there, layout] = await Promise.all([listed, keptClusters(on), readLayout(on)]);
  const newer = layout === undefined ? undefined : newerThanThis(layout);
  // what a newer Sealift keeps may be misread
  const kept = newer === undefined ? there : [];
  const names = [...new Set([...made, ...there].map(({ metadata }) => metadata.name))].sort();
  return Promise.all(
    names.map(async (name) => {
      const isNamed = ({ metadata }: KubernetesObject): boolean => metadata.name === name;
      const specification = kept.find(isNamed);
      const state = await readClusterState(name, on);
      const cluster = { name, ...said(specification, providers), ...found(made.find(isNamed), state) };
      return newer === undefined ? cluster : { ...cluster, problem: `${newer.message}: ${newer.remedy}` };
    }),
  );
}

/** What the specification says of it. */
function said(
  specification: SpecObject<EksaClusterSpec> | undefined,
  providers: readonly SpecProvider[],
): Pick<ListedCluster, 'role' | 'provider' | 'kubernetesVersion'> {
  if (specification === undefined) return {};
  const { kubernetesVersion, datacenterRef } = specification.spec;
  const provider = providers.find(({ kinds }) => kinds.datacenter === datacenterRef.kind)?.name;
  const ignored = (): void => undefined;
  const { role } = roleOf(specification, { problem: ignored, warning: ignored });
  return { role, kubernetesVersion, ...(provider === undefined ? {} : { provider }) };
}

/** What Cluster API says of it. */
function found(
  cluster: KubernetesObject | undefined,
  state: ClusterState | undefined,
): Pick<ListedCluster, 'kubernetesVersion' | 'machines' | 'paused' | 'problem'> {
  if (cluster === undefined || state === undefined) {
    return { machines: { ready: 0, desired: 0 }, paused: false, problem: 'nothing of it is made' };
  }
  const groups = [state.controlPlane, state.workers];
  const sum = (of: 'available' | 'desired'): number => groups.reduce((all, group) => all + group[of], 0);
  const version = state.machines.find(({ role }) => role === 'control-plane')?.version;
  const problem = problemOf(cluster, state);
  return {
    ...(version === undefined ? {} : { kubernetesVersion: version }),
    machines: { ready: sum('available'), desired: sum('desired') },
    paused: isPaused(cluster),
    ...(problem === undefined ? {} : { problem }),
  };
}

function problemOf({ metadata }: KubernetesObject, { ready, problem }: ClusterState): string | undefined {
  const said = ready || problem === undefined ? undefined : conditionText(problem);
  if (metadata.deletionTimestamp === undefined) return said;
  return said === undefined ? 'it is being deleted' : `it is being deleted; ${said}`;
}
