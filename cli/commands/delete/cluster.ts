import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { openWhileLoading } from '../../operations/opening.ts';
import type { DeleteClusterOptions } from '../../operations/run-delete-cluster.ts';
import { addClusterOptions } from '../../options/cluster-options.ts';

/** `sealift delete cluster` */
export function deleteClusterCommand(context: CommandContext): Command {
  const command = new Command('cluster')
    .description(
      'Delete a cluster and all that is left of it: machines, files in git, the bootstrap cluster. Needs --kubeconfig with the ' +
        'management cluster of a workload cluster, and --bundle for a management cluster.',
    )
    .argument('[name]', 'name of the cluster');
  addClusterOptions(command, 'the specification of the cluster, instead of its name');
  return command.action(async (name: string | undefined, options: DeleteClusterOptions) => {
    const load = () => import('../../operations/run-delete-cluster.ts');
    if (options.dryRun === true) return (await load()).planDeleteCluster(context, name, options);
    const [opening, { runDeleteCluster }] = await openWhileLoading(context, load);
    await runDeleteCluster(context, opening, name, options);
  });
}
