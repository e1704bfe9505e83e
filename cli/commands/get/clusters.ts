import { resolve } from 'node:path';
import { Command } from 'commander';
import type { ListedCluster } from '../../../contracts/clusters.ts';
import type { CommandContext, ResultDocument } from '../../context.ts';
import { printable, table } from '../../display/format.ts';

/** `sealift get clusters` */
export function getClustersCommand(context: CommandContext): Command {
  return new Command('clusters')
    .description('List the clusters of a management cluster, or of all management clusters that this machine has made.')
    .option('--kubeconfig <file>', 'kubeconfig of the management cluster')
    .action(async ({ kubeconfig }: { kubeconfig?: string }) => {
      const { clusters } = await context.host();
      const path = kubeconfig === undefined ? undefined : resolve(context.terminal.cwd, kubeconfig);
      context.result(clustersDocument(await clusters.list(path)));
    });
}

function clustersDocument(clusters: readonly ListedCluster[]): ResultDocument {
  const json = {
    kind: 'clusters',
    clusters: clusters.map(({ role = null, provider = null, kubernetesVersion = null, problem = null, ...rest }) => ({
      ...{ ...rest, role, provider, kubernetesVersion, problem },
    })),
  };
  if (clusters.length === 0) return { text: 'No clusters.\n', json };
  const rows = clusters.map(({ name, role, provider, kubernetesVersion, machines, paused, problem }) => [
    ...[name, role ?? '-', provider ?? '-', kubernetesVersion ?? '-', `${machines.ready} of ${machines.desired}`],
    ...[paused ? 'yes' : 'no', printable(problem ?? '')],
  ]);
  return { text: table([['NAME', 'ROLE', 'PROVIDER', 'KUBERNETES', 'MACHINES', 'PAUSED', 'PROBLEM'], ...rows]), json };
}
