import type { ClusterOperationInput, ClusterOperationResult, ClusterPlace } from '../contracts/clusters.ts';
import {
  awaitMachines,
  createBootstrap,
  deleteBootstrap,
  installCapi,
  keepSpecification,
  moveManagement,
  plainPhase,
  runClusterOperation,
  sumUp,
  type ClusterRun,
} from './lib/cluster-steps.ts';

/**
 * A new cluster. A management cluster is made by a bootstrap cluster that hands itself over to it; a workload cluster by
 * the management cluster whose kubeconfig is given. Phases: EKS Anywhere's design for workload clusters.
 */
export async function createCluster(input: ClusterOperationInput): Promise<ClusterOperationResult> {
  return runClusterOperation('Create', input, async (run) => {
    const owner = await validate(run);
    run.isBegun = true;
    await (input.role === 'management' ? createManagement(run, owner) : createWorkload(run));
    return sumUp(run, 'create-cluster');
  });
}

/** @returns who owns what an earlier run has made */
async function validate({ input, operation, activities }: ClusterRun): Promise<ClusterPlace | 'nobody'> {
  const { owner } = await operation.inPhase('SetupAndValidate', () =>
    activities.validateCluster.executeWithOptions({ summary: 'look for all that would go wrong' }, [
      { input, operation: 'create' },
    ]),
  );
  return owner;
}

async function createManagement(run: ClusterRun, owner: ClusterPlace | 'nobody'): Promise<void> {
  const { input, operation } = run;
  // a cluster that was handed over to itself may not be made a second time: there would be two owners of its machines
  if (owner !== 'self') await makeByBootstrap(run);
  await operation.inPhase('MoveManagementCluster', async () => {
    if (owner !== 'self') {
      await moveManagement(run, ['bootstrap', 'self'], `${input.name} takes over from the bootstrap cluster`);
    }
    // a move takes no status along: its own controllers have to find the machines well first
    await awaitMachines(run, 'self');
  });
  await operation.inPhase('InstallComponents', () => keepSpecification(run));
  await writeIntoGit(run);
  await deleteBootstrap(run);
}

async function makeByBootstrap(run: ClusterRun): Promise<void> {
  await createBootstrap(run);
  await run.operation.inPhase('InstallCAPI', () => installCapi(run, 'bootstrap'));
  await run.operation.inPhase('CreateWorkloadCluster', async () => {
    await makeMachines(run, 'bootstrap');
    await installCapi(run, 'self');
  });
}

async function createWorkload(run: ClusterRun): Promise<void> {
  await run.operation.inPhase('CreateWorkloadCluster', async () => {
    await keepSpecification(run);
    await makeMachines(run, 'management');
  });
  await writeIntoGit(run);
}

async function makeMachines(run: ClusterRun, on: ClusterPlace): Promise<void> {
  const { input, activities } = run;
  await activities.applyCluster.executeWithOptions({ summary: `say what ${input.name} is` }, [{ input, on }]);
  await awaitMachines(run, on);
}

function writeIntoGit(run: ClusterRun): Promise<void> {
  return plainPhase(run, 'InstallAddOns', run.activities.installAddOns, 'write the cluster into git');
}
