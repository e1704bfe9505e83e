import { deletionActivities } from './delete.ts';
import { diagnosticsActivities } from './diagnostics.ts';
import { machineActivities } from './machines.ts';
import { preparationActivities } from './prepare.ts';
import { specificationActivities } from './specification.ts';
import { upgradeActivities } from './upgrade.ts';
import { createClusterTools, type ClusterDependencies } from './tools.ts';

/** The steps of cluster operations. Each may run again at any time, after it was done or broken off anywhere. */
export function createClusterActivities(deps: ClusterDependencies) {
  const tools = createClusterTools(deps);
  return {
    ...preparationActivities(deps, tools),
    ...machineActivities(deps, tools),
    ...specificationActivities(deps, tools),
    ...upgradeActivities(deps, tools),
    ...deletionActivities(deps, tools),
    ...diagnosticsActivities(deps),
  };
}

export type ClusterActivities = ReturnType<typeof createClusterActivities>;
