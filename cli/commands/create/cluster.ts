import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { openWhileLoading } from '../../operations/opening.ts';
import { addClusterOptions, addOvaOption, type ClusterOptions } from '../../options/cluster-options.ts';
import { requireOptions } from '../../options/parse.ts';

/** `sealift create cluster` */
export function createClusterCommand(context: CommandContext): Command {
  const command = new Command('cluster').description(
    'Create a cluster: a management cluster, or with --kubeconfig a workload cluster of the one that it leads to.',
  );
  requireOptions(addOvaOption(addClusterOptions(command)), '--filename');
  return command.action(async (options: ClusterOptions) => {
    const load = () => import('../../operations/run-cluster.ts');
    if (options.dryRun === true) return (await load()).planCluster(context, 'create-cluster', options);
    const [opening, { runCluster }] = await openWhileLoading(context, load);
    await runCluster(context, opening, 'create-cluster', options);
  });
}
