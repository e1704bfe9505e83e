import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { openWhileLoading } from '../../operations/opening.ts';
import { addClusterOptions, addOvaOption, type ClusterOptions } from '../../options/cluster-options.ts';
import { requireOptions } from '../../options/parse.ts';

/** `sealift upgrade cluster` */
export function upgradeClusterCommand(context: CommandContext): Command {
  const command = new Command('cluster').description(
    'Bring a cluster to what its specification says now: its Kubernetes version, its machines, how many there are. A workload ' +
      'cluster is upgraded by the management cluster that --kubeconfig leads to; a management cluster that another machine made ' +
      'is found by its own.',
  );
  requireOptions(addOvaOption(addClusterOptions(command)), '--filename');
  return command.action(async (options: ClusterOptions) => {
    const load = () => import('../../operations/run-cluster.ts');
    if (options.dryRun === true) return (await load()).planCluster(context, 'upgrade-cluster', options);
    const [opening, { runCluster }] = await openWhileLoading(context, load);
    await runCluster(context, opening, 'upgrade-cluster', options);
  });
}
