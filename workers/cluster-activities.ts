import type { ClusterActivities } from '../activities/clusters/index.ts';
import type { HostPaths } from '../contracts/host.ts';

/** Every step of cluster operations, by name. */
const names = {
  validateCluster: true,
  ensureBootstrap: true,
  installCapi: true,
  deleteBootstrap: true,
  applyCluster: true,
  awaitCluster: true,
  moveCluster: true,
  discardCreate: true,
  describeCluster: true,
  installComponents: true,
  installAddOns: true,
  validateUpgrade: true,
  updateSecrets: true,
  upgradeNeeded: true,
  pauseReconcile: true,
  settleMoves: true,
  applyUpgrade: true,
  removeOldTemplates: true,
  publishUpgrade: true,
  resumeReconcile: true,
  discardUpgrade: true,
  surveyDeletion: true,
  handOver: true,
  deleteMachines: true,
  confirmDeleted: true,
  cleanUpGit: true,
  forgetCluster: true,
  discardDelete: true,
  collectDiagnostics: true,
} satisfies Record<keyof ClusterActivities, true>;

/** The steps of cluster operations, loaded with the first of them: a fifth of a second that no export or import has to wait for. */
export function clusterActivities(paths: HostPaths, env: NodeJS.ProcessEnv): ClusterActivities {
  let loaded: Promise<ClusterActivities> | undefined;
  const load = async (): Promise<ClusterActivities> => {
    const [{ createClusterActivities }, { clusterTools }] = await Promise.all([
      import('../activities/clusters/index.ts'),
      import('./cluster-tools.ts'),
    ]);
    return createClusterActivities(clusterTools(paths, env));
  };
  const lazily = (name: keyof ClusterActivities) => async (argument: never) =>
    (await (loaded ??= load()))[name](argument);
  return Object.fromEntries(
    Object.keys(names).map((name) => [name, lazily(name as never)]),
  ) as unknown as ClusterActivities;
}
