import { readFile } from 'node:fs/promises';
import { Context } from '@temporalio/activity';
import type { ClusterOperationInput, ClusterPlace, UpgradeSurvey } from '../../contracts/clusters.ts';
import { applySecrets } from '../../core/clusters/apply.ts';
import { readClusterState } from '../../core/clusters/await.ts';
import { isNetworkCurrent } from '../../core/clusters/cni.ts';
import { findClusterObject } from '../../core/clusters/find-owner.ts';
import { pauseReconcilers, resumeReconcilers, type PauseRequest } from '../../core/clusters/upgrade-pause.ts';
import { isChanged, removeOldTemplates, upgradeNeeded } from '../../core/clusters/upgrade.ts';
import { SealiftError } from '../../core/errors.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';
import { runActivity } from '../lib/run.ts';
import { moveManagement, ownerNow, settledOwner, settleMoves } from './settle.ts';
import { keeperOf, surveyUpgrade, warningTexts } from './survey-upgrade.ts';
import { providerNamed, type ClusterDependencies, type ClusterTools, type Step, type StepOn } from './tools.ts';

/** Steps that bring a cluster to what its specification says now. */
export function upgradeActivities(deps: ClusterDependencies, tools: ClusterTools) {
  return {
    /** Finds all that would go wrong, and keeps both specifications for the phases to come. */
    validateUpgrade: ({ input }: Step) =>
      runActivity('validate', async (hooks): Promise<UpgradeSurvey> => {
        const survey = await surveyUpgrade(input, deps, tools, hooks);
        const { spec, previous, release, throughBootstrap, isUnfinished, bringsLayoutUp } = survey;
        const { kubernetesVersion, content } = release;
        const workspace = deps.workspace(input);
        await workspace.writeValidated({ spec, previous, kubernetesVersion, content });
        if (input.role === 'management' && input.kubeconfig !== undefined) {
          await workspace.writeKubeconfig('self', await readFile(input.kubeconfig, 'utf8'));
        }
        const replacesClusterApi = survey.providerChanges.length + survey.chartChanges.length > 0;
        return { throughBootstrap, replacesClusterApi, isUnfinished, bringsLayoutUp, warnings: warningTexts(survey) };
      }),
    updateSecrets: ({ input, on }: StepOn) =>
      runActivity('update secrets', async (hooks) => {
        const setting = await tools.setting(input, hooks);
        await using cluster = await tools.clusterAt(input, on);
        await applySecrets(setting, cluster, hooks.signal);
      }),
    upgradeNeeded: ({ input, survey }: Step & { survey: UpgradeSurvey }) =>
      runActivity('compare', async (hooks) => {
        const making = await tools.making(input, hooks);
        if (survey.isUnfinished || survey.replacesClusterApi || isChanged(making.previous!, making.spec)) return true;
        await using cluster = await tools.clusterAt(input, keeperOf(input));
        return (await upgradeNeeded(making, cluster)) || !(await isNetworkCurrent(making, cluster));
      }),
    removeOldTemplates: ({ input, on }: StepOn) =>
      runActivity('remove old templates', async (hooks) => {
        await using cluster = await tools.clusterAt(input, on);
        await removeOldTemplates(await tools.making(input, hooks), cluster);
      }),
    pauseReconcile: ({ input }: Step) =>
      runActivity('pause reconcilers', async () => {
        await using keeper = await tools.clusterAt(input, keeperOf(input));
        await pauseReconcilers(keeper, await pauseRequest(input, deps));
      }),
    /** Ends a move that was broken off. @returns who has the cluster now */
    settleMoves: ({ input }: Step) => runActivity('settle moves', (hooks) => settledOwner(input, deps, tools, hooks)),
    resumeReconcile: ({ input }: Step) =>
      runActivity('resume reconcilers', async () => {
        await using keeper = await tools.clusterAt(input, keeperOf(input));
        await resumeReconcilers(keeper, await pauseRequest(input, deps));
      }),
    /**
     * After an upgrade that is given up: what it paused goes on, no move is left half done, and the cluster is back where it
     * belongs. Only when a bootstrap cluster has it in the middle of replacing machines, it stays there until the next upgrade.
     */
    discardUpgrade: ({ input }: Step) =>
      runActivity('undo upgrade', async (hooks) => {
        const owner = input.role === 'management' ? await bringHome(input, deps, tools, hooks) : 'management';
        await using keeper = await tools.clusterAt(input, keeperOf(input));
        await resumeReconcilers(keeper, await pauseRequest(input, deps), { isAway: owner === 'bootstrap' });
      }),
  };
}

async function pauseRequest(input: ClusterOperationInput, deps: ClusterDependencies): Promise<PauseRequest> {
  const { spec, previous } = await deps.workspace(input).readValidated();
  return {
    spec,
    ...(previous === undefined ? {} : { previous }),
    provider: providerNamed(deps.providers, spec.provider),
    operation: Context.current().info.workflowExecution!.workflowId,
  };
}

/** @returns who has the cluster then */
async function bringHome(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<ClusterPlace | 'nobody'> {
  const workspace = deps.workspace(input);
  if ((await workspace.findKubeconfig('bootstrap')) === undefined) return 'self';
  const { provider, spec, context } = await tools.setting(input, hooks);
  const driver = deps.bootstrap(input, provider.capi(spec, context));
  await workspace.writeKubeconfig('bootstrap', await driver.ensure());
  await using bootstrap = await tools.clusterAt(input, 'bootstrap');
  // its webhooks have to answer where there are objects that change
  if ((await findClusterObject(spec.name, bootstrap)) !== undefined) await driver.runProviders?.();
  let owner = await settledOwner(input, deps, tools, hooks);
  if (owner === 'bootstrap' && (await readClusterState(spec.name, bootstrap))?.ready === true) {
    await moveBack(input, deps, tools, hooks);
    owner = await ownerNow(input, deps, tools);
  }
  if (owner !== 'bootstrap' && !input.keepBootstrap) await tools.removeBootstrap(input);
  return owner;
}

/** clusterctl refuses what is being changed: then everything stays where it is. */
async function moveBack(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<void> {
  try {
    await moveManagement(input, { from: 'bootstrap', to: 'self' }, tools, hooks);
  } catch (error) {
    if (!(error instanceof SealiftError) || error.disposition !== 'mendable') throw error;
    await settleMoves(input, deps, tools, hooks);
  }
}
