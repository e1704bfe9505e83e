import { basename } from 'node:path';
import type { SealiftHost } from '../../contracts/host.ts';
import type { ImportArtifactsInput } from '../../contracts/operations.ts';
import type { ImportOptions } from '../options/import-options.ts';
import type { CommandContext } from '../context.ts';
import { parseRegistry, registryOptions } from '../options/registry-options.ts';
import { bundlePath } from '../options/source-options.ts';
import { importInputDigest } from './input-digest.ts';
import type { Opening } from './opening.ts';
import { importOperationId } from './operation-ids.ts';
import { runOperation } from './run-operation.ts';
import type { OperationRequest } from './start-operation.ts';

/**
 * Runs `import artifacts`: starts or attaches, watches, prints. A finished import is run again: only that tells whether
 * everything is still in the registry, and it moves nothing that is.
 *
 * @throws CliError InvalidInput, what `bundles.inspect` and runOperation throw
 */
export async function runImport(context: CommandContext, opening: Opening, options: ImportOptions): Promise<void> {
  const { host, namespace } = parseRegistry(options.registry);
  await runOperation(context, opening, (machine) => importRequest(context, machine, options, { host, namespace }), {
    detach: options.detach ?? false,
    beforeStart: () => undefined,
  });
}

async function importRequest(
  context: CommandContext,
  machine: SealiftHost,
  options: ImportOptions,
  registry: { host: string; namespace: string },
): Promise<OperationRequest> {
  const { cwd } = context.terminal;
  const path = bundlePath(options.input, cwd);
  const [bundle, hostTaskQueue] = await Promise.all([machine.bundles.inspect(path), machine.workers.hostTaskQueue()]);
  const input: ImportArtifactsInput = {
    input: path,
    bundle: bundle.digest,
    ...registry,
    map: options.map ?? {},
    concurrency: options.concurrency,
    onFailure: options.onFailure,
    registry: registryOptions(options, cwd),
    hostTaskQueue,
  };
  const destination = registry.namespace === '' ? registry.host : `${registry.host}/${registry.namespace}`;
  const sources = bundle.billOfMaterials.sources.map(({ name }) => name).join(', ');
  return {
    name: 'import',
    id: importOperationId(bundle.digest, registry.host, registry.namespace),
    input,
    inputDigest: importInputDigest(input),
    title: `import ${basename(path)} into ${destination}`,
    details: [`Bundle: \`${bundle.digest}\``, '', `Input: \`${path}\``, '', `Registry: \`${destination}\``].join('\n'),
    ...(sources === '' ? {} : { distribution: sources }),
    registry: destination,
  };
}
