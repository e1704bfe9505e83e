import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { exportDefaults, manifestFiles, warnDeprecated } from '../../options/deprecated-options.ts';
import { requireOptions } from '../../options/parse.ts';
import { exportArtifacts } from '../export/artifacts.ts';

interface DownloadImagesOptions {
  output: string;
  bundlesOverride?: string;
  filename?: string;
  insecure?: boolean;
}

/** The deprecated `sealift download images`, with the flags of EKS Anywhere's command. */
export function downloadImagesCommand(context: CommandContext): Command {
  const command = new Command('images')
    .description('Deprecated: use `sealift export artifacts`.')
    .option('-o, --output <file>', 'the tar to write (required)')
    .option('--bundles-override <file>', 'the Bundles manifest')
    .option('-f, --filename <file>', 'the Bundles or Release manifest')
    .option('--include-packages', 'has no effect, as in EKS Anywhere')
    .option('--insecure', 'accept any certificate');
  return requireOptions(command, '--output').action((options: DownloadImagesOptions) =>
    downloadImages(context, options),
  );
}

async function downloadImages(context: CommandContext, options: DownloadImagesOptions): Promise<void> {
  const { output, insecure = false } = options;
  const file = manifestFiles(options, 'download images');
  const flags = insecure ? ['--insecure-skip-tls-verify'] : [];
  warnDeprecated(context, 'download images', [
    'export',
    'artifacts',
    '--output',
    output,
    ...file.flatMap((name) => ['-f', name]),
    ...flags,
  ]);
  await exportArtifacts(context, { ...exportDefaults, output, file, insecureSkipTlsVerify: insecure });
}
