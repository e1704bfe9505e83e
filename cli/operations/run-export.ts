import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { SealiftHost } from '../../contracts/host.ts';
import type { ExportArtifactsInput, OperationResult } from '../../contracts/operations.ts';
import { CliError } from '../cli-error.ts';
import type { ExportOptions } from '../options/export-options.ts';
import type { CommandContext } from '../context.ts';
import { registryOptions } from '../options/registry-options.ts';
import { sourceSelections } from '../options/source-options.ts';
import { exportInputDigest } from './input-digest.ts';
import type { Opening } from './opening.ts';
import { exportOperationId } from './operation-ids.ts';
import { runOperation } from './run-operation.ts';
import type { OperationRequest } from './start-operation.ts';

/** Runs `export artifacts`: starts or attaches, watches, prints. @throws CliError OutputExists, InvalidInput and what runOperation throws */
export async function runExport(context: CommandContext, opening: Opening, options: ExportOptions): Promise<void> {
  const output = resolve(context.terminal.cwd, options.output);
  await runOperation(context, opening, (host) => exportRequest(context, host, options, output), {
    detach: options.detach ?? false,
    beforeStart: (finished) => reusableResult(finished, output, options.force ?? false),
  });
}

async function exportRequest(
  context: CommandContext,
  host: SealiftHost,
  options: ExportOptions,
  output: string,
): Promise<OperationRequest> {
  const { cwd } = context.terminal;
  const [selections, hostTaskQueue] = await Promise.all([
    sourceSelections(options, host.sources, cwd),
    host.workers.hostTaskQueue(),
  ]);
  const input: ExportArtifactsInput = {
    output,
    selections,
    platforms: options.platform ?? [],
    pullFrom: options.pullFrom ?? {},
    ...(options.lock === undefined ? {} : { lockFile: resolve(cwd, options.lock) }),
    digestPolicy: options.digestPolicy,
    concurrency: options.concurrency,
    force: options.force ?? false,
    onFailure: options.onFailure,
    registry: registryOptions(options, cwd),
    hostTaskQueue,
  };
  const sources = selections.map(({ source }) => source).join(', ');
  const files = selections.flatMap((selection) => selection.files);
  return {
    name: 'export',
    id: exportOperationId(hostTaskQueue, output),
    input,
    inputDigest: await exportInputDigest(input),
    title: `export ${sources} to ${basename(output)}`,
    details: [`Output: \`${output}\``, '', ...files.map((file) => `- \`${file}\``).slice(0, 50)].join('\n'),
    distribution: sources,
  };
}

/** The last result, when the file it speaks of is still there. @throws CliError OutputExists when another file is */
async function reusableResult(
  finished: OperationResult | undefined,
  output: string,
  force: boolean,
): Promise<OperationResult | undefined> {
  if (force) return undefined;
  const found = await stat(output).catch(() => undefined);
  if (found === undefined) return undefined;
  if (finished?.kind === 'export' && found.isFile() && found.size === finished.size) return finished;
  throw new CliError('OutputExists', {
    operation: 'export',
    subject: output,
    message: 'there is a file already, and it is not the result of the same export',
    remedy: 'choose another --output, or replace it with --force',
  });
}
