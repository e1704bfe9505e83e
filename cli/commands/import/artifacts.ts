import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { openWhileLoading } from '../../operations/opening.ts';
import { addTreeOptions, treeOptions, type ImportOptions } from '../../options/import-options.ts';
import { addRunOptions } from '../../options/operation-options.ts';
import { requireOptions } from '../../options/parse.ts';
import { addConnectionOptions, addMapOption } from '../../options/registry-options.ts';

/** `sealift import artifacts` */
export function importArtifactsCommand(context: CommandContext): Command {
  const command = new Command('artifacts')
    .description('Push a bundle into a registry, lay its files out in folders, or both.')
    .option('-i, --input <file>', 'the tar that `sealift export artifacts` wrote (required)')
    .option('-r, --registry <host[:port][/namespace]>', 'the registry to push into');
  requireOptions(addTreeOptions(addConnectionOptions(addRunOptions(addMapOption(command)))), '--input');
  return command.action((options: ImportOptions) => importArtifacts(context, options));
}

/** Runs an import as the options say. Also what the deprecated import commands call. */
export async function importArtifacts(context: CommandContext, options: ImportOptions): Promise<void> {
  const trees = treeOptions(options, context.terminal.cwd);
  const [opening, { runImport }] = await openWhileLoading(context, () => import('../../operations/run-import.ts'));
  await runImport(context, opening, options, trees);
}
