import { resolve } from 'node:path';
import { Command } from 'commander';
import type { DiagnosticsReport } from '../../../contracts/clusters.ts';
import { CliError } from '../../cli-error.ts';
import type { CommandContext, ResultDocument } from '../../context.ts';
import { count, printable } from '../../display/format.ts';
import { warnDeprecated } from '../../options/deprecated-options.ts';

interface DiagnosticsOptions {
  filename?: string;
  kubeconfig?: string;
  output?: string;
}

/** `sealift generate diagnostics` */
export function diagnosticsCommand(context: CommandContext): Command {
  return new Command('diagnostics')
    .description(
      'Collect what a cluster, its management cluster and its bootstrap cluster say (objects, conditions, events, logs of ' +
        'controllers) into one archive, without secrets. Changes nothing.',
    )
    .argument('[name]', 'name of the cluster')
    .option('-f, --filename <file>', 'the specification of the cluster, instead of its name')
    .option('--kubeconfig <file>', 'kubeconfig of the management cluster; of a management cluster its own')
    .option('-o, --output <file>', 'the archive to write, a .tar.gz; one in the state folder when absent')
    .action((name: string | undefined, options: DiagnosticsOptions) => generateDiagnostics(context, name, options));
}

/** EKS Anywhere's `generate support-bundle`, deprecated. */
export function supportBundleCommand(context: CommandContext): Command {
  return new Command('support-bundle')
    .description('Deprecated: use `sealift generate diagnostics`.')
    .argument('[name]', 'name of the cluster')
    .option('-f, --filename <file>', 'the specification of the cluster')
    .option('-w, --w-config <file>', 'kubeconfig of the management cluster; of a management cluster its own')
    .option('--bundle-config <file>', 'not needed: what is collected is always the same')
    .option('--since <duration>', 'not needed: of each log the end is collected')
    .option('--since-time <time>', 'not needed: of each log the end is collected')
    .action(async (name: string | undefined, { filename, wConfig }: { filename?: string; wConfig?: string }) => {
      const options: DiagnosticsOptions = {
        ...(filename === undefined ? {} : { filename }),
        ...(wConfig === undefined ? {} : { kubeconfig: wConfig }),
      };
      warnDeprecated(context, 'generate support-bundle', [
        ...['generate', 'diagnostics', ...(name === undefined ? [] : [name])],
        ...Object.entries(options).flatMap(([option, value]) => [`--${option}`, value as string]),
      ]);
      await generateDiagnostics(context, name, options);
    });
}

async function generateDiagnostics(
  context: CommandContext,
  given: string | undefined,
  { filename, kubeconfig, output }: DiagnosticsOptions,
): Promise<void> {
  const { clusters } = await context.host();
  const { cwd } = context.terminal;
  const spec = filename === undefined ? undefined : (await clusters.readSpec(resolve(cwd, filename))).spec;
  const name = given ?? spec?.name;
  if (name === undefined || (spec !== undefined && spec.name !== name)) throw noName(given, filename);
  const report = await clusters.diagnose({
    name,
    ...(spec?.managementCluster === undefined ? {} : { managementCluster: spec.managementCluster }),
    ...(kubeconfig === undefined ? {} : { kubeconfig: resolve(cwd, kubeconfig) }),
    ...(output === undefined ? {} : { output: resolve(cwd, output) }),
  });
  context.result(reportDocument(name, report));
}

function noName(given: string | undefined, filename: string | undefined): CliError {
  return new CliError('InvalidInput', {
    operation: 'read options',
    subject: filename ?? given ?? 'NAME',
    message: filename === undefined ? 'no cluster is named' : 'the file does not say which cluster is meant',
    remedy: 'give the name of the cluster, or its specification with -f',
  });
}

function reportDocument(name: string, { archive, clusters, missing }: DiagnosticsReport): ResultDocument {
  const lines = [
    `Wrote ${archive}`,
    ...clusters.map(({ place, server, answered, objects }) =>
      answered
        ? `  ${place} at ${server}: ${count(objects, 'object')}`
        : `  ${place} at ${server ?? '-'} does not answer`,
    ),
    ...(missing.length === 0 ? [] : [`Not collected: ${missing.length}, see summary.txt in it`]),
    'Secrets are left out; look through it all the same before you give it away.',
  ];
  return {
    text: lines.map((line) => `${printable(line)}\n`).join(''),
    json: { kind: 'diagnostics', cluster: name, archive, clusters, missing },
  };
}
