import { proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities } from '../activities/clusters/index.ts';
import type { HostActivities } from '../activities/host/index.ts';
import type {
  ClusterOperationInput,
  ClusterOperationResult,
  ClusterPlace,
  UpgradeSurvey,
} from '../contracts/clusters.ts';
import { long, quick } from './lib/activity-options.ts';
import { clusterDiagnostics } from './lib/diagnostics.ts';
import { Operation } from './lib/operation.ts';

const { identifyHost } = proxyActivities<HostActivities>(quick);

interface Upgrade {
  input: ClusterOperationInput;
  operation: Operation;
  activities: ReturnType<typeof proxyActivities<ClusterActivities>>;
  /** from here on there is something to undo, whatever happens */
  isBegun: boolean;
}

/**
 * Brings a cluster to what its specification says now: its Kubernetes version, its machines, how many there are. A management
 * cluster is upgraded by itself, or where its provider needs that by a bootstrap cluster; a workload cluster by the management
 * cluster whose kubeconfig is given. Phases: EKS Anywhere's design for workload clusters.
 */
export async function upgradeCluster(input: ClusterOperationInput): Promise<ClusterOperationResult> {
  const operation = new Operation(`Upgrade ${input.role} cluster ${input.name}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  operation.collectDiagnostics = clusterDiagnostics(input, taskQueue);
  const activities = proxyActivities<ClusterActivities>({ ...long, taskQueue });
  const upgrade: Upgrade = { input, operation, activities, isBegun: false };
  const run = input.role === 'management' ? upgradeManagement : upgradeWorkload;
  return operation.run(
    () => run(upgrade),
    () => undo(upgrade),
    { alsoFailed: true },
  );
}

async function upgradeManagement(upgrade: Upgrade): Promise<ClusterOperationResult> {
  const { operation, activities, input } = upgrade;
  const survey = await validate(upgrade);
  await operation.inPhase('UpdateSecrets', () => updateSecrets(upgrade, 'self'));
  const isNeeded = await operation.inPhase('UpgradeNeeded', () =>
    activities.upgradeNeeded.executeWithOptions({ summary: 'compare with what there is' }, [{ input, survey }]),
  );
  if (!isNeeded) {
    if (survey.bringsLayoutUp === true) await updateResources(upgrade);
    // an upgrade that was killed for good may have left them paused
    await resume(upgrade);
    const result = await sumUp(upgrade, survey);
    return survey.bringsLayoutUp === true ? result : { ...result, unchanged: true };
  }
  await pause(upgrade);
  await prepare(upgrade, survey);
  await replaceMachines(upgrade, survey.throughBootstrap ? 'bootstrap' : 'self');
  if (survey.throughBootstrap) {
    await operation.inPhase('MoveManagementToWorkload', async () => {
      await installCapi(upgrade, 'self');
      await move(upgrade, 'bootstrap', 'self');
    });
  }
  await updateResources(upgrade);
  await resume(upgrade);
  if (survey.throughBootstrap && !input.keepBootstrap) {
    await operation.inPhase('DeleteBootstrap', () =>
      activities.deleteBootstrap.executeWithOptions({ summary: 'the bootstrap cluster has done its work' }, [
        { input },
      ]),
    );
  }
  return sumUp(upgrade, survey);
}

async function upgradeWorkload(upgrade: Upgrade): Promise<ClusterOperationResult> {
  const survey = await validate(upgrade);
  await pause(upgrade);
  await replaceMachines(upgrade, 'management');
  await updateResources(upgrade);
  await resume(upgrade);
  return sumUp(upgrade, survey);
}

function validate({ input, operation, activities }: Upgrade): Promise<UpgradeSurvey> {
  return operation.inPhase('SetupAndValidate', () =>
    activities.validateUpgrade.executeWithOptions({ summary: 'look for all that would go wrong' }, [{ input }]),
  );
}

async function pause(upgrade: Upgrade): Promise<void> {
  const { input, operation, activities } = upgrade;
  upgrade.isBegun = true;
  await operation.inPhase('PauseReconcile', () =>
    activities.pauseReconcile.executeWithOptions({ summary: 'keep others from changing the cluster' }, [{ input }]),
  );
}

/** Cluster API as the bundle has it, and where machines are replaced from outside a bootstrap cluster that has taken over. */
async function prepare(upgrade: Upgrade, survey: UpgradeSurvey): Promise<void> {
  const { input, operation, activities } = upgrade;
  const { throughBootstrap, replacesClusterApi } = survey;
  if (throughBootstrap) {
    await operation.inPhase('CreateBootstrapCluster', () =>
      activities.ensureBootstrap.executeWithOptions({ summary: `bootstrap cluster (${input.bootstrap.driver})` }, [
        { input },
      ]),
    );
  }
  if (throughBootstrap || replacesClusterApi) {
    await operation.inPhase('InstallCAPI', async () => {
      // a move wants the same versions on both sides
      if (replacesClusterApi) await installCapi(upgrade, 'self', { replacesOlder: true });
      if (!throughBootstrap) return;
      await installCapi(upgrade, 'bootstrap');
      await updateSecrets(upgrade, 'bootstrap');
    });
  }
  if (throughBootstrap) await handOver(upgrade);
}

/** A bootstrap cluster becomes the owner of all clusters that the management cluster owns, itself included. */
async function handOver(upgrade: Upgrade): Promise<void> {
  const { input, operation, activities } = upgrade;
  const { settleMoves } = activities;
  await operation.inPhase('MoveManagementToBootstrap', async () => {
    const owner = await settleMoves.executeWithOptions({ summary: 'end a move that was broken off' }, [{ input }]);
    if (owner === 'self') await move(upgrade, 'self', 'bootstrap');
  });
}

async function replaceMachines({ input, operation, activities }: Upgrade, on: ClusterPlace): Promise<void> {
  const { applyUpgrade, awaitCluster, removeOldTemplates } = activities;
  await operation.inPhase('UpgradeWorkloadCluster', async () => {
    await applyUpgrade.executeWithOptions({ summary: `say what ${input.name} is to be` }, [{ input, on }]);
    await awaitCluster.executeWithOptions({ summary: `wait for the machines of ${input.name}` }, [{ input, on }]);
    await removeOldTemplates.executeWithOptions({ summary: 'remove what nothing refers to any more' }, [{ input, on }]);
  });
}

async function updateResources({ input, operation, activities }: Upgrade): Promise<void> {
  const { installComponents, publishUpgrade } = activities;
  const on = input.role === 'management' ? 'self' : 'management';
  await operation.inPhase('UpdateClusterAndGitResources', async () => {
    const summary = 'keep the specification on the management cluster';
    await installComponents.executeWithOptions({ summary }, [{ input, on }]);
    await publishUpgrade.executeWithOptions({ summary: 'write the cluster into git' }, [{ input }]);
  });
}

async function resume({ input, operation, activities }: Upgrade): Promise<void> {
  await operation.inPhase('ResumeReconcile', () =>
    activities.resumeReconcile.executeWithOptions({ summary: 'let others go on' }, [{ input }]),
  );
}

function updateSecrets({ input, activities }: Upgrade, on: ClusterPlace): Promise<void> {
  const summary = `credentials of now, on the ${on === 'self' ? 'management' : on} cluster`;
  return activities.updateSecrets.executeWithOptions({ summary }, [{ input, on }]);
}

function installCapi(
  { input, activities }: Upgrade,
  on: ClusterPlace,
  how: { replacesOlder?: boolean } = {},
): Promise<void> {
  const summary = `Cluster API's controllers on the ${on === 'self' ? 'management' : on} cluster`;
  return activities.installCapi.executeWithOptions({ summary }, [{ input, on, ...how }]);
}

function move({ input, activities }: Upgrade, from: ClusterPlace, to: ClusterPlace): Promise<void> {
  const summary = to === 'bootstrap' ? 'the bootstrap cluster takes over' : `${input.name} takes over again`;
  return activities.moveCluster.executeWithOptions({ summary }, [{ input, from, to }]);
}

async function sumUp(upgrade: Upgrade, survey: UpgradeSurvey): Promise<ClusterOperationResult> {
  const { input, operation, activities } = upgrade;
  const result = await operation.step(() =>
    activities.describeCluster.executeWithOptions({ summary: 'sum up' }, [{ input, kind: 'upgrade-cluster' }]),
  );
  operation.failIfAnyFailed();
  operation.phase('done');
  return { ...result!, warnings: survey.warnings };
}

/** What cannot be undone waits for a person, like everything else: a cluster may not stay paused in silence. */
async function undo({ input, operation, activities, isBegun }: Upgrade): Promise<void> {
  if (!isBegun) return;
  await operation.step(() =>
    activities.discardUpgrade.executeWithOptions({ summary: 'leave nothing paused' }, [{ input }]),
  );
}
