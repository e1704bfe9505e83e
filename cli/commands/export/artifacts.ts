import { Command, Option } from 'commander';
import { addConfigOption } from '../../options/config-option.ts';
import { addConnectionOptions } from '../../options/registry-options.ts';
import { addRunOptions } from '../../options/operation-options.ts';
import { collectPlatforms, requireOptions } from '../../options/parse.ts';
import { addSourceOptions, requireInput } from '../../options/source-options.ts';
import type { ExportOptions } from '../../options/export-options.ts';
import type { CommandContext } from '../../context.ts';
import { openWhileLoading } from '../../operations/opening.ts';

/** `sealift export artifacts` */
export function exportArtifactsCommand(context: CommandContext): Command {
  const command = new Command('artifacts')
    .description('Fetch everything a distribution needs into one tar, an OCI image layout.')
    .option('-o, --output <file>', 'the tar to write (required)');
  addSourceOptions(addConfigOption(command, context))
    .option('--platform <os/arch>', 'only this platform of multi-platform images; repeatable', collectPlatforms)
    .option('--lock <file>', 'lock file: written when absent, obeyed when present')
    .addOption(
      new Option('--digest-policy <policy>', 'a tag that does not point to the digest its source states')
        .choices(['enforce', 'warn'])
        .default('enforce'),
    )
    .option('--force', 'replace the output file if there is one');
  requireInput(requireOptions(addConnectionOptions(addRunOptions(command)), '--output'));
  return command.action((options: ExportOptions) => exportArtifacts(context, options));
}

/** Runs an export as the options say. Also what the deprecated download commands call. */
export async function exportArtifacts(context: CommandContext, options: ExportOptions): Promise<void> {
  const [opening, { runExport }] = await openWhileLoading(context, () => import('../../operations/run-export.ts'));
  await runExport(context, opening, options);
}
