import { resolve } from 'node:path';
import { Command } from 'commander';
import type { NodeConfigAsked, NodeConfigReport } from '../../../contracts/node-configs.ts';
import { CliError } from '../../cli-error.ts';
import type { CommandContext, ResultDocument } from '../../context.ts';
import { count, formatBytes, printable, table } from '../../display/format.ts';
import { collectLists, requireOptions } from '../../options/parse.ts';
import { addMapOption, parseRegistry } from '../../options/registry-options.ts';
import {
  addSourceOptions,
  bundlePath,
  ownOptions,
  sourceSelections,
  type SourceOptions,
} from '../../options/source-options.ts';

interface NodeConfigOptions extends SourceOptions {
  for: string;
  mode?: string;
  output: string;
  input?: string;
  registry?: string;
  plainHttp?: boolean;
  caFile?: string;
  map?: Record<string, string>;
  option?: Record<string, string[]>;
  force?: boolean;
}

/** `sealift generate node-config` */
export function nodeConfigCommand(context: CommandContext): Command {
  const command = new Command('node-config')
    .description("Write what a distribution's nodes need on the far side: configuration, images, packages, a script.")
    .option('--for <source>', 'the distribution (required)')
    .option('--mode <mode>', 'how nodes get their images, for a distribution that has several ways')
    .option('-o, --output <folder>', 'the folder to write (required)')
    .option('-i, --input <file>', 'the bundle with the images')
    .option('-r, --registry <host[:port][/prefix]>', 'the registry that nodes pull from')
    .option('--plain-http', 'nodes speak HTTP to it, not HTTPS')
    .option('--ca-file <file>', 'PEM file with the certificate authority of the registry, for the nodes')
    .option('--option <name=value>', 'an option of this distribution (docs/node-config.md); repeatable', collectLists)
    .option('--force', 'replace an earlier result');
  requireOptions(addSourceOptions(addMapOption(command), { required: false }), '--for', '--output');
  return command.action((options: NodeConfigOptions) => generateNodeConfig(context, options));
}

async function generateNodeConfig(context: CommandContext, options: NodeConfigOptions): Promise<void> {
  const { nodeConfigs, sources } = await context.host();
  const { cwd } = context.terminal;
  if (options.input !== undefined && options.file !== undefined) {
    throw new CliError('InvalidInput', {
      operation: 'generate node configuration',
      subject: '--input and --file',
      message: 'images come from a bundle or from lists, not from both',
      remedy: 'give one of the two',
    });
  }
  const declared = (await nodeConfigs.generators()).find(({ source }) => source === options.for)?.options;
  const asked: NodeConfigAsked = {
    source: options.for,
    ...(options.mode === undefined ? {} : { mode: options.mode }),
    output: resolve(cwd, options.output),
    force: options.force ?? false,
    ...(options.input === undefined ? {} : { input: bundlePath(options.input, cwd) }),
    selections: await sourceSelections(options, sources, cwd),
    pullFrom: options.pullFrom ?? {},
    ...registryAsked(options, cwd),
    options: ownOptions(options.option ?? {}, declared, cwd),
  };
  const report = await nodeConfigs.write(asked, (message) => context.status().note(`Warning: ${message}`));
  context.result(reportDocument(asked, report));
}

function registryAsked(options: NodeConfigOptions, cwd: string): Pick<NodeConfigAsked, 'registry'> {
  if (options.registry === undefined) return {};
  const { host, namespace } = parseRegistry(options.registry);
  return {
    registry: {
      ...{ host, prefix: namespace, plainHttp: options.plainHttp ?? false, map: options.map ?? {} },
      ...(options.caFile === undefined ? {} : { caFile: resolve(cwd, options.caFile) }),
    },
  };
}

function reportDocument({ source, mode, output }: NodeConfigAsked, { files }: NodeConfigReport): ResultDocument {
  const what = mode === undefined ? source : `${source}, mode ${mode}`;
  const rows = files.map(({ path, size }) => [`  ${printable(path)}`, formatBytes(size)]);
  return {
    text: `Wrote ${count(files.length, 'file')} for ${what}, to ${printable(output)}:\n${table(rows)}`,
    json: { kind: 'node-config', source, ...(mode === undefined ? {} : { mode }), output, files },
  };
}
