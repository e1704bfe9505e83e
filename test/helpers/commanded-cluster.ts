import type { ClusterOperationInput, ClusterPlace, DeletionSurvey, UpgradeSurvey } from '../../contracts/clusters.ts';
import { CommandedActivities } from './commanded-activities.ts';
import { hostQueue } from './workflow-stage.ts';

/** What `collectDiagnostics` says. */
export const ARCHIVE = '/state/diagnostics/diagnostics-prod.tar.gz';
const collected = (): { archive: string } => ({ archive: ARCHIVE });

/** The steps of a creation, which all do nothing. @param owner who has what an earlier run has made */
export function createClusterActivities(owner: ClusterPlace | 'nobody' = 'nobody'): CommandedActivities {
  const nothing = (): undefined => undefined;
  return new CommandedActivities({
    identifyHost: () => ({ taskQueue: hostQueue }),
    validateCluster: () => ({ warnings: [], owner }),
    ensureBootstrap: nothing,
    installCapi: nothing,
    applyCluster: nothing,
    awaitCluster: nothing,
    moveCluster: nothing,
    installComponents: nothing,
    installAddOns: nothing,
    deleteBootstrap: nothing,
    discardCreate: nothing,
    collectDiagnostics: collected,
    describeCluster: () => ({ kind: 'create-cluster' }),
  });
}

/** The steps of an upgrade, which all do nothing. @param survey what the validation finds */
export function upgradeClusterActivities(survey: Partial<UpgradeSurvey> = {}, isNeeded = true): CommandedActivities {
  const nothing = (): undefined => undefined;
  return new CommandedActivities({
    identifyHost: () => ({ taskQueue: hostQueue }),
    validateUpgrade: () => ({
      ...{ throughBootstrap: false, replacesClusterApi: false, isUnfinished: false, warnings: [] },
      ...survey,
    }),
    updateSecrets: nothing,
    upgradeNeeded: () => isNeeded,
    pauseReconcile: nothing,
    ensureBootstrap: nothing,
    installCapi: nothing,
    settleMoves: () => (survey.isUnfinished === true ? 'bootstrap' : 'self'),
    moveCluster: nothing,
    applyUpgrade: nothing,
    awaitCluster: nothing,
    removeOldTemplates: nothing,
    installComponents: nothing,
    publishUpgrade: nothing,
    resumeReconcile: nothing,
    deleteBootstrap: nothing,
    discardUpgrade: nothing,
    collectDiagnostics: collected,
    describeCluster: () => ({ kind: 'upgrade-cluster', warnings: [] }),
  });
}

/** The steps of a delete, which all do nothing. @param survey what it finds */
export function deleteClusterActivities(survey: Partial<DeletionSurvey> = {}): CommandedActivities {
  const nothing = (): undefined => undefined;
  const found: DeletionSurvey = {
    ...{ owner: 'self', needsBootstrap: true, provider: 'in-memory', kubernetesVersion: 'v1.35.4' },
    ...survey,
  };
  return new CommandedActivities({
    identifyHost: () => ({ taskQueue: hostQueue }),
    surveyDeletion: () => found,
    ensureBootstrap: nothing,
    installCapi: nothing,
    handOver: nothing,
    deleteMachines: nothing,
    confirmDeleted: nothing,
    cleanUpGit: nothing,
    deleteBootstrap: nothing,
    forgetCluster: nothing,
    discardDelete: nothing,
    collectDiagnostics: collected,
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
