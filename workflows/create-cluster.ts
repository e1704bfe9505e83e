import { proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities } from '../activities/clusters/index.ts';
import type { HostActivities } from '../activities/host/index.ts';
import type { ClusterOperationInput, ClusterOperationResult, ClusterPlace } from '../contracts/clusters.ts';
import { long, quick } from './lib/activity-options.ts';
import { clusterDiagnostics } from './lib/diagnostics.ts';
import { Operation } from './lib/operation.ts';

const { identifyHost } = proxyActivities<HostActivities>(quick);

type Activities = ReturnType<typeof proxyActivities<ClusterActivities>>;

/**
 * A new cluster. A management cluster is made by a bootstrap cluster that hands itself over to it; a workload cluster by
 * the management cluster whose kubeconfig is given. Phases: EKS Anywhere's design for workload clusters.
 */
export async function createCluster(input: ClusterOperationInput): Promise<ClusterOperationResult> {
  const operation = new Operation(`Create ${input.role} cluster ${input.name}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  operation.collectDiagnostics = clusterDiagnostics(input, taskQueue);
  const activities = proxyActivities<ClusterActivities>({ ...long, taskQueue });
  const create = input.role === 'management' ? createManagement : createWorkload;
  // from then on there is something to undo, whatever happens
  let isBegun = false;
  return operation.run(
    async () => {
      const owner = await validate(input, operation, activities);
      isBegun = true;
      return create(input, operation, activities, owner);
    },
    async () => {
      if (isBegun) await discard(input, operation, activities);
    },
    { alsoFailed: true },
  );
}

/** What cannot be brought to rest waits for a person, like everything else: a cluster may not stay paused in silence. */
async function discard(input: ClusterOperationInput, operation: Operation, activities: Activities): Promise<void> {
  await operation.step(() =>
    activities.discardCreate.executeWithOptions({ summary: 'leave nothing paused' }, [{ input }]),
  );
}

type Create = (
  input: ClusterOperationInput,
  operation: Operation,
  activities: Activities,
  /** of what an earlier run has made */
  owner: ClusterPlace | 'nobody',
) => Promise<ClusterOperationResult>;

const createManagement: Create = async (input, operation, activities, owner) => {
  // a cluster that was handed over to itself may not be made a second time: there would be two owners of its machines
  if (owner !== 'self') await makeByBootstrap(input, operation, activities);
  await operation.inPhase('MoveManagementCluster', async () => {
    if (owner !== 'self') {
      const summary = `${input.name} takes over from the bootstrap cluster`;
      await activities.moveCluster.executeWithOptions({ summary }, [{ input, from: 'bootstrap', to: 'self' }]);
    }
    // a move takes no status along: its own controllers have to find the machines well first
    await awaitMachines(input, activities, 'self');
  });
  await operation.inPhase('InstallComponents', () => keepSpecification(input, activities, 'self'));
  await addOns(input, operation, activities);
  if (!input.keepBootstrap) {
    await operation.inPhase('DeleteBootstrap', () =>
      activities.deleteBootstrap.executeWithOptions({ summary: 'the bootstrap cluster has done its work' }, [
        { input },
      ]),
    );
  }
  return sumUp(input, operation, activities);
};

async function makeByBootstrap(
  input: ClusterOperationInput,
  operation: Operation,
  activities: Activities,
): Promise<void> {
  const { ensureBootstrap } = activities;
  await operation.inPhase('CreateBootstrapCluster', () =>
    ensureBootstrap.executeWithOptions({ summary: `bootstrap cluster (${input.bootstrap.driver})` }, [{ input }]),
  );
  await operation.inPhase('InstallCAPI', () => installCapi(input, activities, 'bootstrap'));
  await operation.inPhase('CreateWorkloadCluster', async () => {
    await makeMachines(input, activities, 'bootstrap');
    await installCapi(input, activities, 'self');
  });
}

const createWorkload: Create = async (input, operation, activities) => {
  await operation.inPhase('CreateWorkloadCluster', async () => {
    await keepSpecification(input, activities, 'management');
    await makeMachines(input, activities, 'management');
  });
  await addOns(input, operation, activities);
  return sumUp(input, operation, activities);
};

async function validate(
  input: ClusterOperationInput,
  operation: Operation,
  activities: Activities,
): Promise<ClusterPlace | 'nobody'> {
  const { owner } = await operation.inPhase('SetupAndValidate', () =>
    activities.validateCluster.executeWithOptions({ summary: 'look for all that would go wrong' }, [
      { input, operation: 'create' },
    ]),
  );
  return owner;
}

async function makeMachines(input: ClusterOperationInput, activities: Activities, on: ClusterPlace): Promise<void> {
  await activities.applyCluster.executeWithOptions({ summary: `say what ${input.name} is` }, [{ input, on }]);
  await awaitMachines(input, activities, on);
}

function awaitMachines(input: ClusterOperationInput, activities: Activities, on: ClusterPlace): Promise<void> {
  const summary = `wait for the machines of ${input.name}`;
  return activities.awaitCluster.executeWithOptions({ summary }, [{ input, on }]);
}

function installCapi(input: ClusterOperationInput, activities: Activities, on: ClusterPlace): Promise<void> {
  const summary = `Cluster API's controllers on the ${on === 'self' ? 'new' : on} cluster`;
  return activities.installCapi.executeWithOptions({ summary }, [{ input, on }]);
}

function keepSpecification(input: ClusterOperationInput, activities: Activities, on: ClusterPlace): Promise<void> {
  const summary = 'keep the specification on the management cluster';
  return activities.installComponents.executeWithOptions({ summary }, [{ input, on }]);
}

async function addOns(input: ClusterOperationInput, operation: Operation, activities: Activities): Promise<void> {
  await operation.inPhase('InstallAddOns', () =>
    activities.installAddOns.executeWithOptions({ summary: 'write the cluster into git' }, [{ input }]),
  );
}

async function sumUp(
  input: ClusterOperationInput,
  operation: Operation,
  activities: Activities,
): Promise<ClusterOperationResult> {
  const result = await operation.step(() =>
    activities.describeCluster.executeWithOptions({ summary: 'sum up' }, [{ input, kind: 'create-cluster' }]),
  );
  operation.failIfAnyFailed();
  operation.phase('done');
  return result!;
}
