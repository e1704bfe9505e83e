import { basename } from 'node:path';
import type { SealiftHost } from '../../contracts/host.ts';
import type { ImportArtifactsInput } from '../../contracts/operations.ts';
import type { ImportOptions, TreeDestinations } from '../options/import-options.ts';
import type { CommandContext } from '../context.ts';
import { parseRegistry, registryOptions } from '../options/registry-options.ts';
import { bundlePath } from '../options/source-options.ts';
import { importInputDigest } from './input-digest.ts';
import type { Opening } from './opening.ts';
import { importOperationId, layOutOperationId } from './operation-ids.ts';
import { runOperation } from './run-operation.ts';
import type { OperationRequest } from './start-operation.ts';

/**
 * Runs `import artifacts`: starts or attaches, watches, prints. A finished import is run again: only that tells whether
 * everything is still in the registry, and it moves nothing that is.
 *
 * @throws CliError InvalidInput, what `bundles.inspect` and runOperation throw
 */
export async function runImport(
  context: CommandContext,
  opening: Opening,
  options: ImportOptions,
  trees: TreeDestinations,
): Promise<void> {
  const { registry } = options;
  const place = registry === undefined ? { host: '', namespace: '' } : parseRegistry(registry);
  await runOperation(context, opening, (machine) => importRequest(context, machine, options, { ...place, ...trees }), {
    detach: options.detach ?? false,
    beforeStart: () => undefined,
  });
}

async function importRequest(
  context: CommandContext,
  machine: SealiftHost,
  options: ImportOptions,
  place: Pick<ImportArtifactsInput, 'host' | 'namespace'> & TreeDestinations,
): Promise<OperationRequest> {
  const { cwd } = context.terminal;
  const path = bundlePath(options.input, cwd);
  const [bundle, hostTaskQueue] = await Promise.all([machine.bundles.inspect(path), machine.workers.hostTaskQueue()]);
  const input: ImportArtifactsInput = {
    input: path,
    bundle: bundle.digest,
    ...place,
    map: options.map ?? {},
    concurrency: options.concurrency,
    onFailure: options.onFailure,
    registry: registryOptions(options, cwd),
    hostTaskQueue,
  };
  const { host, namespace, trees = {} } = place;
  const registry = namespace === '' ? host : `${host}/${namespace}`;
  const folders = Object.values(trees);
  const destination = [...(host === '' ? [] : [registry]), ...folders].join(', ');
  const sources = bundle.billOfMaterials.sources.map(({ name }) => name).join(', ');
  return {
    name: 'import',
    id:
      host === ''
        ? layOutOperationId(bundle.digest, hostTaskQueue, folders)
        : importOperationId(bundle.digest, host, namespace),
    input,
    inputDigest: importInputDigest(input),
    title: `import ${basename(path)} into ${destination}`,
    details: [
      `Bundle: \`${bundle.digest}\``,
      `Input: \`${path}\``,
      ...(host === '' ? [] : [`Registry: \`${registry}\``]),
      ...Object.entries(trees).map(([tree, folder]) => `Folder of ${tree}: \`${folder}\``),
    ].join('\n\n'),
    ...(sources === '' ? {} : { distribution: sources }),
    ...(host === '' ? {} : { registry }),
  };
}
