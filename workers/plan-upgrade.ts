import { planUpgrade } from '../activities/clusters/survey-upgrade.ts';
import { createClusterTools } from '../activities/clusters/tools.ts';
import type { ClusterOperationInput } from '../contracts/clusters.ts';
import type { ClusterTools, HostPaths } from '../contracts/host.ts';
import { ItemsFailed } from '../core/transfer/failures.ts';
import { clusterTools } from './cluster-tools.ts';

/** See `ClusterTools.planUpgrade`. */
export async function planUpgradeHere(
  paths: HostPaths,
  env: NodeJS.ProcessEnv,
  input: ClusterOperationInput,
): ReturnType<ClusterTools['planUpgrade']> {
  const deps = clusterTools(paths, env);
  const hooks = { signal: new AbortController().signal, report: () => undefined };
  try {
    return { plan: await planUpgrade(input, deps, createClusterTools(deps), hooks), problems: [] };
  } catch (error) {
    if (error instanceof ItemsFailed) return { problems: error.errors.map(({ problem }) => problem) };
    throw error;
  }
}
