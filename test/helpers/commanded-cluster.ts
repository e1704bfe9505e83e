import type { ClusterOperationInput } from '../../contracts/clusters.ts';
import { CommandedActivities } from './commanded-activities.ts';
import { hostQueue } from './workflow-stage.ts';

/** The steps of a creation, which all do nothing. */
export function createClusterActivities(): CommandedActivities {
  const nothing = (): undefined => undefined;
  return new CommandedActivities({
    identifyHost: () => ({ taskQueue: hostQueue }),
    validateCluster: () => ({ warnings: [] }),
    ensureBootstrap: nothing,
    installCapi: nothing,
    applyCluster: nothing,
    awaitCluster: nothing,
    moveCluster: nothing,
    installComponents: nothing,
    installAddOns: nothing,
    deleteBootstrap: nothing,
    discardCreate: nothing,
    describeCluster: () => ({ kind: 'create-cluster' }),
  });
}

export function clusterInput(options: Partial<ClusterOperationInput> = {}): ClusterOperationInput {
  return {
    name: 'prod',
    role: 'management',
    specFile: '/somewhere/prod.yaml',
    content: { bundle: { path: '/somewhere/artifacts.tar', digest: `sha256:${'b'.repeat(64)}` } },
    bootstrap: { driver: 'processes' },
    keepBootstrap: false,
    skipValidations: [],
    timeouts: {},
    onFailure: 'park',
    registry: { plainHttp: false, insecureSkipTlsVerify: false },
    hostTaskQueue: hostQueue,
    ...options,
  };
}
