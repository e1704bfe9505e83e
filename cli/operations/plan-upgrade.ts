import type { UpgradePlan } from '../../contracts/upgrade-plan.ts';
import { OperationFailedError } from '../cli-error.ts';
import type { CommandContext, OutputFormat, ResultDocument } from '../context.ts';
import { count, printable } from '../display/format.ts';
import type { ClusterOptions } from '../options/cluster-options.ts';
import { clusterRequest } from './run-cluster.ts';

/** Says what an upgrade would do, and does nothing. @throws OperationFailedError with every finding */
export async function planUpgrade(
  context: CommandContext,
  options: ClusterOptions,
  format: OutputFormat,
): Promise<void> {
  const host = await context.host();
  const { input } = await clusterRequest(context, host, 'upgrade-cluster', options);
  const { plan, problems } = await host.clusters.planUpgrade(input);
  if (plan === undefined) throw new OperationFailedError(problems);
  const document = planDocument(plan);
  const json = `${JSON.stringify(document.json, undefined, 2)}\n`;
  context.result(format === 'json' ? { ...document, text: json } : document);
}

function planDocument(plan: UpgradePlan): ResultDocument {
  const { name, role, provider, kubernetesVersion, needed, throughBootstrap, clusterApi, rolls, scales, warnings } =
    plan;
  const { from, to } = kubernetesVersion;
  const versions = from === to ? `Kubernetes ${to}` : `Kubernetes ${from} to ${to}`;
  const lines = [
    `${needed ? 'Upgrade of' : 'Nothing to upgrade in'} ${role} cluster ${name} (${provider}, ${versions})`,
    ...clusterApi.map(({ subject, from: before, to: after }) => `  Cluster API, ${subject}: ${before} to ${after}`),
    ...rolls.map(
      ({ subject, machines, reason }, index) =>
        `  ${index + 1}. ${subject}: ${count(machines, 'machine')} replaced one by one (${reason})`,
    ),
    ...scales.map(({ subject, from: before, to: after }) => `  ${subject}: ${before} to ${count(after, 'machine')}`),
    ...(needed && throughBootstrap ? ['  A bootstrap cluster does it, and has the management cluster meanwhile.'] : []),
    ...warnings.map((warning) => `Warning: ${warning}`),
  ];
  return { text: lines.map((line) => `${printable(line)}\n`).join(''), json: { kind: 'upgrade-plan', ...plan } };
}
