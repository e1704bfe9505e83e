import type { ClusterOperationInput, ClusterPlace } from '../../contracts/clusters.ts';
import type { UpgradePlan } from '../../contracts/upgrade-plan.ts';
import { isNetworkCurrent } from '../../core/clusters/cni.ts';
import { findClusterObject, findOwner, isPaused } from '../../core/clusters/find-owner.ts';
import { isMoveOpen } from '../../core/clusters/move.ts';
import { planRollout } from '../../core/clusters/upgrade-plan.ts';
import { validateUpgrade, type ValidatedUpgrade } from '../../core/clusters/upgrade-validation.ts';
import { isChanged, upgradeNeeded } from '../../core/clusters/upgrade.ts';
import { SealiftError } from '../../core/errors.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../../core/kubernetes/cluster.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';
import { hasNodes, releaseOf, type ClusterDependencies, type ClusterTools } from './tools.ts';

export interface SurveyedUpgrade extends ValidatedUpgrade {
  /** the cluster whose Cluster API has the machines now */
  owner: ClusterPlace;
  throughBootstrap: boolean;
  /** an earlier upgrade was broken off while a bootstrap cluster had the cluster, or in a move */
  isUnfinished: boolean;
}

/** Where the specification is kept, and reconcilers are paused: on the management cluster. */
export function keeperOf({ role }: ClusterOperationInput): ClusterPlace {
  return role === 'management' ? 'self' : 'management';
}

/** Validates an upgrade, and finds out who has the cluster. Changes nothing. @throws as validateUpgrade */
export async function surveyUpgrade(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<SurveyedUpgrade> {
  const workspace = deps.workspace(input);
  if (input.role === 'management' && input.kubeconfig === undefined) {
    if ((await workspace.findKubeconfig('self')) === undefined) throw unknownCluster(input, workspace.path);
  }
  await using keeper = await open(input, keeperOf(input), tools);
  const owner = await ownerOf(input, deps, tools);
  await using owning = await open(input, owner, tools);
  const folders = [workspace.move('self', 'bootstrap'), workspace.move('bootstrap', 'self')];
  const isMoving = (await Promise.all(folders.map(isMoveOpen))).includes(true);
  const context = tools.contextOf(input, hooks);
  const validated = await validateUpgrade({
    ...{ role: input.role, specFile: input.specFile, skip: input.skipValidations },
    ...{ providers: deps.providers, context, keeper, owner: owning, isMoving },
    bootstrapHasNodes: hasNodes(input, deps),
    releaseOf: (spec, provider) => releaseOf(input, { spec }, { provider, context, deps }),
  });
  const isUnfinished = owner === 'bootstrap' || isMoving;
  const needsBootstrap = validated.provider.needsBootstrap('upgrade', validated.spec);
  const throughBootstrap = input.role === 'management' && (isUnfinished || needsBootstrap);
  return { ...validated, owner, throughBootstrap, isUnfinished };
}

/** What an upgrade would do. @throws as surveyUpgrade */
export async function planUpgrade(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<UpgradePlan> {
  const survey = await surveyUpgrade(input, deps, tools, hooks);
  const { spec, previous, provider, release, oldestVersion, throughBootstrap, isUnfinished, bringsLayoutUp } = survey;
  const clusterApi = [...survey.providerChanges, ...survey.chartChanges];
  const kubernetesVersion = { from: oldestVersion, to: release.kubernetesVersion };
  await using owning = await open(input, survey.owner, tools);
  const making = { spec, previous, provider, release, context: tools.contextOf(input, hooks) };
  const needed =
    isUnfinished ||
    bringsLayoutUp ||
    clusterApi.length > 0 ||
    isChanged(previous, spec) ||
    (await upgradeNeeded(making, owning)) ||
    // a workload cluster itself need not answer for its plan
    (input.role === 'management' && !(await isNetworkCurrent(making, owning)));
  const rollout = planRollout(provider, [previous, spec], kubernetesVersion);
  return {
    name: input.name,
    role: input.role,
    provider: provider.name,
    ...{ kubernetesVersion, throughBootstrap, clusterApi, ...rollout, needed },
    warnings: warningTexts(survey),
  };
}

export function warningTexts({ warnings }: ValidatedUpgrade): string[] {
  return warnings.map(({ subject, message }) => `${subject}: ${message}`);
}

/** A management cluster may be reached by its own kubeconfig that is given, before this machine knows one. */
function open(input: ClusterOperationInput, place: ClusterPlace, tools: ClusterTools): Promise<Cluster> {
  const { role, kubeconfig } = input;
  const isGiven = place === 'self' && role === 'management' && kubeconfig !== undefined;
  return isGiven ? openCluster(kubeconfig) : tools.clusterAt(input, place);
}

/** Where the Cluster object is; the management cluster itself where it is nowhere, which validation tells of. */
async function ownerOf(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
): Promise<ClusterPlace> {
  if (input.role === 'workload') return 'management';
  await using self = await open(input, 'self', tools);
  const there = await findClusterObject(input.name, self);
  if (there !== undefined && !isPaused(there)) return 'self';
  const workspace = deps.workspace(input);
  const driver = deps.bootstrap(input, undefined);
  if ((await workspace.findKubeconfig('bootstrap')) === undefined || !(await driver.exists())) return 'self';
  // its processes may have ended with the machine
  await workspace.writeKubeconfig('bootstrap', await driver.ensure());
  await using bootstrap = await tools.clusterAt(input, 'bootstrap');
  return (await findOwner(input.name, bootstrap, self)) === 'bootstrap' ? 'bootstrap' : 'self';
}

function unknownCluster({ name }: ClusterOperationInput, folder: string): SealiftError {
  return new SealiftError('FileMissing', {
    side: 'local',
    operation: 'find kubeconfig',
    subject: name,
    message: `nothing on this machine says how the management cluster is reached (${folder} has no kubeconfig of it)`,
    remedy: 'give its own kubeconfig with --kubeconfig',
  });
}
