import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { exportDefaults, manifestFiles, warnDeprecated } from '../../options/deprecated-options.ts';
import { exportArtifacts } from '../export/artifacts.ts';
import { listImages } from '../list/images.ts';

interface DownloadArtifactsOptions {
  downloadDir: string;
  bundlesOverride?: string;
  filename?: string;
  dryRun?: boolean;
}

/** The deprecated `sealift download artifacts`, with the flags of EKS Anywhere's command. */
export function downloadArtifactsCommand(context: CommandContext): Command {
  return new Command('artifacts')
    .description('Deprecated: use `sealift export artifacts`.')
    .option('-d, --download-dir <name>', 'the tar is written to NAME.tar', 'eks-anywhere-downloads')
    .option('--bundles-override <file>', 'the Bundles manifest')
    .option('-f, --filename <file>', 'the Bundles or Release manifest')
    .option('--dry-run', 'list what would be fetched')
    .option('-r, --retain-dir', 'has no effect: there is no folder to keep')
    .action((options: DownloadArtifactsOptions) => downloadArtifacts(context, options));
}

async function downloadArtifacts(context: CommandContext, options: DownloadArtifactsOptions): Promise<void> {
  const file = manifestFiles(options, 'download artifacts');
  const files = file.flatMap((name) => ['-f', name]);
  if (options.dryRun === true) {
    warnDeprecated(context, 'download artifacts --dry-run', ['list', 'images', ...files]);
    return listImages(context, { file });
  }
  const output = `${options.downloadDir}.tar`;
  warnDeprecated(context, 'download artifacts', ['export', 'artifacts', '--output', output, ...files]);
  await exportArtifacts(context, { ...exportDefaults, output, file });
}
