import { Command, Option } from 'commander';
import type { VerifyProgress, VerifyReport } from '../../../contracts/host.ts';
import { OperationFailedError } from '../../cli-error.ts';
import type { CommandContext, ResultDocument } from '../../context.ts';
import { count, formatBytes } from '../../display/format.ts';
import { emptyProgress, type ProgressView } from '../../display/status/progress-view.ts';
import { positiveInteger, requireOptions } from '../../options/parse.ts';
import { bundlePath } from '../../options/source-options.ts';
import {
  addConnectionOptions,
  addMapOption,
  parseRegistry,
  registryOptions,
  type DestinationOptions,
} from '../../options/registry-options.ts';

interface VerifyOptions extends Partial<DestinationOptions> {
  input: string;
  concurrency: number;
}

/** `sealift verify artifacts` */
export function verifyArtifactsCommand(context: CommandContext): Command {
  const command = new Command('artifacts')
    .description('Check every digest in a bundle and, with --registry, every digest in the registry.')
    .option('-i, --input <file>', 'the tar to check (required)')
    .option('-r, --registry <host[:port][/namespace]>', 'the registry it was imported into')
    .addOption(
      new Option('--concurrency <n>', 'how many things are checked at once').default(4).argParser(positiveInteger),
    );
  requireOptions(addConnectionOptions(addMapOption(command)), '--input');
  return command.action((options: VerifyOptions) => verifyArtifacts(context, options));
}

async function verifyArtifacts(context: CommandContext, options: VerifyOptions): Promise<void> {
  const { cwd } = context.terminal;
  const place = options.registry === undefined ? undefined : parseRegistry(options.registry);
  const { bundles } = await context.host();
  const report = await bundles.verify(
    bundlePath(options.input, cwd),
    {
      concurrency: options.concurrency,
      ...(place === undefined
        ? {}
        : { destination: { ...place, map: options.map ?? {}, registry: registryOptions(options, cwd) } }),
    },
    (progress) => context.status().progress(verifyProgress(progress)),
  );
  if (report.problems.length > 0) throw new OperationFailedError(report.problems);
  context.result(reportDocument(report));
}

function verifyProgress(progress: VerifyProgress): ProgressView {
  return {
    ...emptyProgress,
    phase: 'verifying',
    bytesDone: progress.bytesDone,
    bytesTotal: progress.bytesTotal,
    itemsDone: progress.blobsDone,
    itemsTotal: progress.blobsTotal,
  };
}

function reportDocument(report: VerifyReport): ResultDocument {
  const lines = [
    `Bundle: ${report.digest}, ${formatBytes(report.size)}`,
    `${count(report.blobs, 'blob')}, ${formatBytes(report.bytes)}: every digest is right`,
  ];
  if (report.registry !== undefined) {
    const { name, images, blobs, bytes } = report.registry;
    lines.push(
      `${name}: ${count(images, 'item')}, ${count(blobs, 'blob')}, ${formatBytes(bytes)}: every digest is right`,
    );
  }
  return { text: `${lines.join('\n')}\n`, json: { kind: 'verify', ...report } };
}
