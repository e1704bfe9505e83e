import { proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities } from '../activities/clusters/index.ts';
import type { HostActivities } from '../activities/host/index.ts';
import type {
  ClusterOperationInput,
  ClusterOperationResult,
  ClusterPlace,
  DeletionSurvey,
} from '../contracts/clusters.ts';
import { long, quick } from './lib/activity-options.ts';
import { clusterDiagnostics } from './lib/diagnostics.ts';
import { Operation } from './lib/operation.ts';

const { identifyHost } = proxyActivities<HostActivities>(quick);

type Activities = ReturnType<typeof proxyActivities<ClusterActivities>>;

/**
 * The end of a cluster, however far it came. A workload cluster is deleted by its management cluster. A management cluster
 * cannot delete the machines that it runs on: it is handed over to a bootstrap cluster first, unless that still owns it.
 */
export async function deleteCluster(input: ClusterOperationInput): Promise<ClusterOperationResult> {
  const operation = new Operation(`Delete ${input.role} cluster ${input.name}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  operation.collectDiagnostics = clusterDiagnostics(input, taskQueue);
  const activities = proxyActivities<ClusterActivities>({ ...long, taskQueue });
  return operation.run(
    () => deleteAll(input, operation, activities),
    () => settle(input, operation, activities),
    { alsoFailed: true },
  );
}

/** What cannot be brought to rest waits for a person, like everything else: a cluster may not stay paused in silence. */
async function settle(input: ClusterOperationInput, operation: Operation, activities: Activities): Promise<void> {
  await operation.step(() =>
    activities.discardDelete.executeWithOptions({ summary: 'leave nothing paused' }, [{ input }]),
  );
}

async function deleteAll(
  input: ClusterOperationInput,
  operation: Operation,
  activities: Activities,
): Promise<ClusterOperationResult> {
  const found = await operation.inPhase('SetupAndValidate', () =>
    activities.surveyDeletion.executeWithOptions({ summary: 'look for what there is to delete' }, [{ input }]),
  );
  if (found.needsBootstrap) await handOver(input, operation, activities);
  await deleteMachines(input, found.needsBootstrap ? 'bootstrap' : found.owner, operation, activities);
  await operation.inPhase('CleanUpGit', () =>
    activities.cleanUpGit.executeWithOptions({ summary: 'take the specification out of git' }, [{ input }]),
  );
  if (input.role === 'management' && !input.keepBootstrap) {
    await operation.inPhase('DeleteBootstrap', () =>
      activities.deleteBootstrap.executeWithOptions({ summary: 'the bootstrap cluster has done its work' }, [
        { input },
      ]),
    );
  }
  await operation.step(() =>
    activities.forgetCluster.executeWithOptions({ summary: 'forget kubeconfigs and copies' }, [{ input }]),
  );
  operation.failIfAnyFailed();
  operation.phase('done');
  return resultOf(input, found);
}

async function handOver(input: ClusterOperationInput, operation: Operation, activities: Activities): Promise<void> {
  const { ensureBootstrap, installCapi, handOver: move } = activities;
  await operation.inPhase('CreateBootstrapCluster', () =>
    ensureBootstrap.executeWithOptions({ summary: `bootstrap cluster (${input.bootstrap.driver})` }, [{ input }]),
  );
  await operation.inPhase('InstallCAPI', () =>
    installCapi.executeWithOptions({ summary: "Cluster API's controllers on the bootstrap cluster" }, [
      { input, on: 'bootstrap' },
    ]),
  );
  await operation.inPhase('MoveManagementToBootstrap', () =>
    move.executeWithOptions({ summary: `the bootstrap cluster takes over from ${input.name}` }, [{ input }]),
  );
}

async function deleteMachines(
  input: ClusterOperationInput,
  on: ClusterPlace | 'nobody',
  operation: Operation,
  activities: Activities,
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
