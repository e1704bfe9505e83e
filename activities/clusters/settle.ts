import type { ClusterOperationInput, ClusterPlace } from '../../contracts/clusters.ts';
import { readClusterState } from '../../core/clusters/await.ts';
import { findOwner } from '../../core/clusters/find-owner.ts';
import { moveClusters, settleMove } from '../../core/clusters/move.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';
import type { ClusterDependencies, ClusterTools } from './tools.ts';

/**
 * Makes another cluster the owner of a management cluster, and of all that this one owns. May be repeated.
 * @throws SealiftError those of moveClusters and of the provider
 */
export async function moveManagement(
  input: ClusterOperationInput,
  { from, to }: { from: ClusterPlace; to: ClusterPlace },
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<void> {
  const { provider, spec, context } = await tools.setting(input, hooks);
  await using source = await tools.clusterAt(input, from);
  await using target = await tools.clusterAt(input, to);
  await provider.preMove(spec, source, context);
  await moveClusters(await tools.moveRequest(input, { source, target, from, to }, hooks));
  await provider.postMove(spec, target, context);
}

/**
 * Brings a move of a management cluster that was broken off to where nothing is paused: back to its beginning, or to its end.
 * @throws SealiftError those of settleMove
 */
export async function settleMoves(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<void> {
  const workspace = deps.workspace(input);
  const both = await Promise.all([workspace.findKubeconfig('bootstrap'), workspace.findKubeconfig('self')]);
  if (both.includes(undefined)) return;
  await using bootstrap = await tools.clusterAt(input, 'bootstrap');
  await using self = await tools.clusterAt(input, 'self');
  const there = { source: bootstrap, target: self, from: 'bootstrap', to: 'self' } as const;
  const back = { source: self, target: bootstrap, from: 'self', to: 'bootstrap' } as const;
  for (const move of [there, back]) await settleMove(await tools.moveRequest(input, move, hooks));
}

/** Who has a management cluster, as far as this machine knows. @throws SealiftError those of findOwner */
export async function ownerNow(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
): Promise<ClusterPlace | 'nobody'> {
  const workspace = deps.workspace(input);
  const there = async (place: ClusterPlace) =>
    (await workspace.findKubeconfig(place)) === undefined ? undefined : tools.clusterAt(input, place);
  await using bootstrap = await there('bootstrap');
  await using self = await there('self');
  return await findOwner(input.name, bootstrap, self);
}

/** The same, once no move of it is left broken off. @throws SealiftError those of settleMoves and ownerNow */
export async function settledOwner(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<ClusterPlace | 'nobody'> {
  await settleMoves(input, deps, tools, hooks);
  return ownerNow(input, deps, tools);
}

/**
 * After an operation on a management cluster that is given up: nothing stays paused, and a bootstrap cluster only where it
 * knows of machines, or where it was asked to stay.
 */
export async function settleBootstrap(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  tools: ClusterTools,
  hooks: WorkHooks,
): Promise<void> {
  if (input.role !== 'management') return;
  if ((await deps.workspace(input).findKubeconfig('bootstrap')) !== undefined) {
    await settleMoves(input, deps, tools, hooks);
    await using bootstrap = await tools.clusterAt(input, 'bootstrap');
    if (input.keepBootstrap || (await readClusterState(input.name, bootstrap)) !== undefined) return;
  }
  await tools.removeBootstrap(input);
}
