import type {
  ClusterOperationInput,
  ClusterOperationResult,
  ClusterPlace,
  DeletionSurvey,
} from '../contracts/clusters.ts';
import {
  createBootstrap,
  deleteBootstrap,
  installCapi,
  lastStep,
  plain,
  plainPhase,
  runClusterOperation,
  type ClusterRun,
} from './lib/cluster-steps.ts';

/**
 * The end of a cluster, however far it came. A workload cluster is deleted by its management cluster. A management cluster
 * cannot delete the machines that it runs on: it is handed over to a bootstrap cluster first, unless that still owns it.
 */
export async function deleteCluster(input: ClusterOperationInput): Promise<ClusterOperationResult> {
  return runClusterOperation('Delete', input, async (run) => {
    const { surveyDeletion, cleanUpGit, forgetCluster } = run.activities;
    // the survey itself brings to rest what was broken off
    run.isBegun = true;
    const found = await plainPhase(run, 'SetupAndValidate', surveyDeletion, 'look for what there is to delete');
    if (found.needsBootstrap) await handOver(run);
    await deleteMachines(run, found.needsBootstrap ? 'bootstrap' : found.owner);
    await plainPhase(run, 'CleanUpGit', cleanUpGit, 'take the specification out of git');
    if (input.role === 'management') await deleteBootstrap(run);
    await lastStep(run, () => plain(run, forgetCluster, 'forget kubeconfigs and copies'));
    return resultOf(input, found);
  });
}

async function handOver(run: ClusterRun): Promise<void> {
  const summary = `the bootstrap cluster takes over from ${run.input.name}`;
  await createBootstrap(run);
  await run.operation.inPhase('InstallCAPI', () => installCapi(run, 'bootstrap'));
  await plainPhase(run, 'MoveManagementToBootstrap', run.activities.handOver, summary);
}

async function deleteMachines(
  { input, operation, activities }: ClusterRun,
  on: ClusterPlace | 'nobody',
): Promise<void> {
  await operation.inPhase('DeleteWorkloadCluster', async () => {
    if (on !== 'nobody') {
      const summary = `wait until no machine of ${input.name} is left`;
      await activities.deleteMachines.executeWithOptions({ summary }, [{ input, on }]);
    }
    const where = on === 'nobody' ? {} : { on };
    await activities.confirmDeleted.executeWithOptions({ summary: 'look for what is left' }, [{ input, ...where }]);
  });
}

function resultOf(
  { name, role }: ClusterOperationInput,
  { owner, provider, kubernetesVersion }: DeletionSurvey,
): ClusterOperationResult {
  return {
    ...{ kind: 'delete-cluster', name, role, provider, kubernetesVersion },
    ...{ nodes: [], warnings: [], wasThere: owner !== 'nobody' },
  };
}
