import { readFile } from 'node:fs/promises';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { ClusterOperationInput, DeletionSurvey } from '../../contracts/clusters.ts';
import { readClusterState } from '../../core/clusters/await.ts';
import { meansFindings } from '../../core/clusters/check-means.ts';
import { refuseAlive, refuseLeftovers, refuseNeeded, resumeForDeletion } from '../../core/clusters/delete-checks.ts';
import { readSpecToDelete, removeKeptSpec, withdrawSpec } from '../../core/clusters/delete-spec.ts';
import { clusterObjects, deleteCluster } from '../../core/clusters/delete.ts';
import { refuseNewer } from '../../core/clusters/layout.ts';
import { isMoveOpen } from '../../core/clusters/move.ts';
import { keptClusters, readKeptSpec } from '../../core/clusters/read-kept-spec.ts';
import { refuseProblems } from '../../core/clusters/validate.ts';
import { isErrorType, SealiftError } from '../../core/errors.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';
import { runActivity } from '../lib/run.ts';
import { moveManagement, ownerNow, settleBootstrap, settledOwner } from './settle.ts';
import { keeperOf } from './survey-upgrade.ts';
import {
  hasNodes,
  providerNamed,
  releaseOf,
  waiting,
  type ClusterDependencies,
  type ClusterTools,
  type Step,
  type StepOn,
} from './tools.ts';

/** Steps that end a cluster, however far it came. */
export function deletionActivities(deps: ClusterDependencies, tools: ClusterTools) {
  return {
    /** Finds out who has the cluster's machines, and all that forbids to delete it; brings to rest what was broken off. */
    surveyDeletion: ({ input }: Step) =>
      runActivity('look for what there is to delete', (hooks) => survey(input, deps, tools, hooks)),
    /** Makes the bootstrap cluster the owner of a management cluster, which then is none any more. */
    handOver: ({ input }: Step) =>
      runActivity('hand over to bootstrap cluster', async (hooks) => {
        if ((await ownerNow(input, deps, tools)) === 'bootstrap') return;
        await using self = await tools.clusterAt(input, 'self');
        await refuseNeeded(input.name, self);
        // what a move that was broken off has paused is its own
        const isMoving = await isMoveOpen(deps.workspace(input).move('self', 'bootstrap'));
        if (!isMoving) await resumeForDeletion(input.name, self);
        await moveManagement(input, { from: 'self', to: 'bootstrap' }, tools, hooks);
      }),
    deleteMachines: ({ input, on }: StepOn) =>
      runActivity('delete machines', async (hooks) => {
        const { provider, spec, context, workspace } = await tools.setting(input, hooks);
        if (on === 'bootstrap') {
          // its machines go now: from here on nobody may ask it whether it owns itself
          await workspace.dropKubeconfig('self');
          await deps.bootstrap(input, provider.capi(spec, context)).runProviders?.();
        }
        await using cluster = await tools.clusterAt(input, on);
        await resumeForDeletion(input.name, cluster);
        await provider.preDelete(spec, cluster, context);
        const { name, timeouts } = input;
        await deleteCluster({ name, timeouts, report: machinesLeft(hooks), signal: hooks.signal }, cluster);
      }),
    /** Asks the infrastructure whether anything is left of the cluster. @param on where it was deleted, if there was anything */
    confirmDeleted: ({ input, on }: Step & Partial<StepOn>) =>
      runActivity('look for what is left', async (hooks) => {
        const { provider, spec, context } = await tools.setting(input, hooks);
        const place = on ?? (input.role === 'workload' ? 'management' : undefined);
        await using management = place === undefined ? undefined : await tools.clusterAt(input, place);
        await refuseLeftovers(provider, spec, context, management);
      }),
    /** Takes the specification out of git, and then off the management cluster, where git would bring it back. */
    cleanUpGit: ({ input }: Step) =>
      runActivity('take out of git', async ({ signal }) => {
        const workspace = deps.workspace(input);
        const { spec } = await workspace.readValidated();
        await withdrawSpec(spec, { env: deps.environment, scratch: workspace.scratch, signal });
        if (input.role === 'management') return;
        await using management = await tools.clusterAt(input, 'management');
        await removeKeptSpec(input.name, management);
      }),
    /** Removes what this machine keeps of the cluster: kubeconfigs, copies of objects. */
    forgetCluster: ({ input }: Step) =>
      runActivity('forget cluster', async () => {
        const workspace = deps.workspace(input);
        await (input.keepBootstrap && input.role === 'management'
          ? workspace.dropKubeconfig('self')
          : workspace.remove());
      }),
    /** After a deletion that is given up: nothing stays paused, and a bootstrap cluster only where it knows of machines. */
    discardDelete: ({ input }: Step) =>
      runActivity('discard delete', (hooks) => settleBootstrap(input, deps, tools, hooks)),
  };
}

async function survey(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<DeletionSurvey> {
  const { name, role } = input;
  const workspace = deps.workspace(input);
  if (role === 'management') await recall(input, deps);
  await refuseNewerKeeper(input, deps, tools);
  const found =
    role === 'management' ? await settledOwner(input, deps, tools, hooks) : await managerOf(input, deps, tools);
  const place = found === 'nobody' ? undefined : found;
  await using owner = place === undefined ? undefined : await tools.clusterAt(input, place);
  const spec = await specOf(input, deps, owner);
  const provider = providerNamed(deps.providers, spec.provider);
  const state = owner === undefined ? undefined : await readClusterState(name, owner);
  const version = state?.machines.find((machine) => machine.role === 'control-plane')?.version;
  const kubernetesVersion = version ?? spec.cluster.spec.kubernetesVersion;
  const context = tools.contextOf(input, hooks);
  const needsBootstrap = found === 'self' && provider.needsBootstrap('delete', spec);
  if (owner !== undefined) {
    const asked = { spec, operation: 'delete', skip: input.skipValidations } as const;
    refuseProblems(await provider.preflight(asked, context));
    if (role === 'management') await refuseNeeded(name, owner);
    await resumeForDeletion(name, owner);
  }
  const { bundle, registry } = input.content;
  if (needsBootstrap && bundle === undefined && registry === undefined) throw noContent(name);
  if (needsBootstrap) {
    const managed = { ...spec, role };
    const release = await releaseOf(input, { spec: managed }, { provider, context, deps });
    const means = {
      spec: managed,
      provider,
      release,
      context,
      usesClusterctl: true,
      bootstrapHasNodes: hasNodes(input, deps),
    };
    refuseProblems(await meansFindings({ ...means, operation: 'delete', skip: input.skipValidations }));
  }
  await workspace.writeValidated({ spec: { ...spec, role }, kubernetesVersion });
  return { owner: found, needsBootstrap, provider: spec.provider, kubernetesVersion };
}

/** Before anything is brought to rest. A cluster that does not answer keeps nothing that its bootstrap cluster would need. */
async function refuseNewerKeeper(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
): Promise<void> {
  const workspace = deps.workspace(input);
  const keeper = keeperOf(input);
  if (keeper === 'self' && (await workspace.findKubeconfig('self')) === undefined) return;
  await using cluster = await tools.clusterAt(input, keeper);
  const hasOther = keeper === 'self' && (await workspace.findKubeconfig('bootstrap')) !== undefined;
  await refuseNewer(cluster, 'validate').catch((error: unknown) => {
    if (!hasOther || !isErrorType(error, 'ClusterUnreachable')) throw error;
  });
}

/** The kubeconfigs by which a management cluster and its bootstrap cluster are reached from here, as far as they are there. */
async function recall(input: ClusterOperationInput, deps: ClusterDependencies): Promise<void> {
  const workspace = deps.workspace(input);
  if ((await workspace.findKubeconfig('bootstrap')) !== undefined) {
    // its processes may have ended with the machine; one that was given as a kubeconfig then is reached by that alone
    const driver = deps.bootstrap(input, undefined);
    if (await driver.exists()) await workspace.writeKubeconfig('bootstrap', await driver.ensure());
  } else if (input.kubeconfig !== undefined) {
    await workspace.writeKubeconfig('self', await readFile(input.kubeconfig, 'utf8'));
  }
}

/** A workload cluster belongs to its management cluster, as long as that knows anything of it. */
async function managerOf(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
): Promise<DeletionSurvey['owner']> {
  await using management = await tools.clusterAt(input, 'management');
  const kept = (await keptClusters(management)).some(({ metadata }) => metadata.name === input.name);
  if (kept || (await clusterObjects(input.name, management)).length > 0) return 'management';
  if ((await deps.workspace(input).findKubeconfig('self')) !== undefined) {
    await using self = await tools.clusterAt(input, 'self');
    await refuseAlive(input.name, self, management);
  }
  return 'nobody';
}

/** The file that was given; else what the owner keeps; else what this machine has gone by before. */
async function specOf(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  owner: Parameters<typeof readKeptSpec>[1] | undefined,
): Promise<ClusterSpec> {
  if (input.specFile !== '') return readSpecToDelete(input.specFile, deps.providers);
  const kept = owner === undefined ? undefined : await readKeptSpec(input.name, owner, deps.providers);
  const spec = kept ?? (await deps.workspace(input).findValidated())?.spec;
  if (spec !== undefined) return spec;
  throw new SealiftError('InvalidInput', {
    side: 'cluster',
    operation: 'read specification',
    subject: `Cluster ${input.name}`,
    message: 'neither its management cluster nor this machine knows its specification',
    remedy: 'give the file with -f',
  });
}

function machinesLeft({ report }: WorkHooks): Parameters<typeof deleteCluster>[0]['report'] {
  return ({ machines, of, detail }) =>
    report({ ...waiting(detail), unit: 'machine', itemsDone: of - machines, itemsTotal: of });
}

function noContent(name: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'delete cluster',
    subject: '--bundle',
    message: `${name} runs on the machines that are to be deleted: a bootstrap cluster has to take over first, and its Cluster API comes from a bundle or a registry`,
    remedy:
      'add --bundle with the tar that the cluster was created or upgraded from, or --registry with where that was imported to',
  });
}
