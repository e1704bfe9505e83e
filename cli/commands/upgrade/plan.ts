import { Command, Option } from 'commander';
import type { CommandContext, OutputFormat } from '../../context.ts';
import { addClusterOptions, type ClusterOptions } from '../../options/cluster-options.ts';
import { requireOptions } from '../../options/parse.ts';

/** `sealift upgrade plan cluster` */
export function upgradePlanCommand(context: CommandContext): Command {
  const cluster = new Command('cluster').description(
    'Say what an upgrade would replace, in which order, and what would change in number. Asks the management cluster and the ' +
      'infrastructure, refuses what an upgrade would refuse, and changes nothing.',
  );
  cluster.addOption(new Option('-o, --output <format>', 'the same as --output-format').choices(['text', 'json']));
  requireOptions(addClusterOptions(cluster), '--filename');
  cluster.action(async ({ output, ...options }: ClusterOptions & { output?: OutputFormat }) => {
    const { planUpgrade } = await import('../../operations/plan-upgrade.ts');
    await planUpgrade(context, options, output ?? context.outputFormat);
  });
  return new Command('plan').description('Say what an upgrade would do.').addCommand(cluster);
}
