import type {
  ClusterOperationInput,
  ClusterOperationResult,
  ClusterPlace,
  UpgradeSurvey,
} from '../contracts/clusters.ts';
import {
  awaitMachines,
  calledInSummaries,
  createBootstrap,
  deleteBootstrap,
  installCapi,
  keepSpecification,
  moveManagement,
  plain,
  plainPhase,
  runClusterOperation,
  sumUp,
  type ClusterRun,
} from './lib/cluster-steps.ts';

/**
 * Brings a cluster to what its specification says now: its Kubernetes version, its machines, how many there are. A management
 * cluster is upgraded by itself, or where its provider needs that by a bootstrap cluster; a workload cluster by the management
 * cluster whose kubeconfig is given. Phases: EKS Anywhere's design for workload clusters.
 */
export async function upgradeCluster(input: ClusterOperationInput): Promise<ClusterOperationResult> {
  return runClusterOperation('Upgrade', input, async (run) => {
    const { validateUpgrade } = run.activities;
    const survey = await plainPhase(run, 'SetupAndValidate', validateUpgrade, 'look for all that would go wrong');
    const isNeeded = input.role === 'workload' || (await isUpgradeNeeded(run, survey));
    if (isNeeded) {
      await (input.role === 'management' ? upgradeManagement(run, survey) : upgradeWorkload(run));
    } else {
      if (survey.bringsLayoutUp === true) await updateResources(run);
      // an upgrade that was killed for good may have left them paused
      await resume(run);
    }
    const result = { ...(await sumUp(run, 'upgrade-cluster')), warnings: survey.warnings };
    return isNeeded || survey.bringsLayoutUp === true ? result : { ...result, unchanged: true };
  });
}

async function isUpgradeNeeded(run: ClusterRun, survey: UpgradeSurvey): Promise<boolean> {
  const { input, operation, activities } = run;
  await operation.inPhase('UpdateSecrets', () => updateSecrets(run, 'self'));
  return operation.inPhase('UpgradeNeeded', () =>
    activities.upgradeNeeded.executeWithOptions({ summary: 'compare with what there is' }, [{ input, survey }]),
  );
}

async function upgradeManagement(run: ClusterRun, survey: UpgradeSurvey): Promise<void> {
  const { throughBootstrap } = survey;
  await pause(run);
  await prepare(run, survey);
  await replaceMachines(run, throughBootstrap ? 'bootstrap' : 'self');
  if (throughBootstrap) {
    await run.operation.inPhase('MoveManagementToWorkload', async () => {
      await installCapi(run, 'self');
      await moveManagement(run, ['bootstrap', 'self'], `${run.input.name} takes over again`);
    });
  }
  await updateResources(run);
  await resume(run);
  if (throughBootstrap) await deleteBootstrap(run);
}

async function upgradeWorkload(run: ClusterRun): Promise<void> {
  await pause(run);
  await replaceMachines(run, 'management');
  await updateResources(run);
  await resume(run);
}

async function pause(run: ClusterRun): Promise<void> {
  run.isBegun = true;
  await plainPhase(run, 'PauseReconcile', run.activities.pauseReconcile, 'keep others from changing the cluster');
}

/** Cluster API as the bundle has it, and where machines are replaced from outside a bootstrap cluster that has taken over. */
async function prepare(run: ClusterRun, { throughBootstrap, replacesClusterApi }: UpgradeSurvey): Promise<void> {
  if (throughBootstrap) await createBootstrap(run);
  if (throughBootstrap || replacesClusterApi) {
    await run.operation.inPhase('InstallCAPI', async () => {
      // a move wants the same versions on both sides
      if (replacesClusterApi) await installCapi(run, 'self', { replacesOlder: true });
      if (!throughBootstrap) return;
      await installCapi(run, 'bootstrap');
      await updateSecrets(run, 'bootstrap');
    });
  }
  if (throughBootstrap) await handOver(run);
}

/** A bootstrap cluster becomes the owner of all clusters that the management cluster owns, itself included. */
async function handOver(run: ClusterRun): Promise<void> {
  await run.operation.inPhase('MoveManagementToBootstrap', async () => {
    const owner = await plain(run, run.activities.settleMoves, 'end a move that was broken off');
    if (owner === 'self') await moveManagement(run, ['self', 'bootstrap'], 'the bootstrap cluster takes over');
  });
}

async function replaceMachines(run: ClusterRun, on: ClusterPlace): Promise<void> {
  const { input, operation, activities } = run;
  const { applyUpgrade, removeOldTemplates } = activities;
  await operation.inPhase('UpgradeWorkloadCluster', async () => {
    await applyUpgrade.executeWithOptions({ summary: `say what ${input.name} is to be` }, [{ input, on }]);
    await awaitMachines(run, on);
    await removeOldTemplates.executeWithOptions({ summary: 'remove what nothing refers to any more' }, [{ input, on }]);
  });
}

async function updateResources(run: ClusterRun): Promise<void> {
  await run.operation.inPhase('UpdateClusterAndGitResources', async () => {
    await keepSpecification(run);
    await plain(run, run.activities.publishUpgrade, 'write the cluster into git');
  });
}

function resume(run: ClusterRun): Promise<void> {
  return plainPhase(run, 'ResumeReconcile', run.activities.resumeReconcile, 'let others go on');
}

function updateSecrets(run: ClusterRun, on: ClusterPlace): Promise<void> {
  const summary = `credentials of now, on the ${calledInSummaries(run, on)} cluster`;
  return run.activities.updateSecrets.executeWithOptions({ summary }, [{ input: run.input, on }]);
}
