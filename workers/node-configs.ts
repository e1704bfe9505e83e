import type { NodeConfigAsked, NodeConfigReport, NodeConfigs } from '../contracts/node-configs.ts';
import type { NodeConfigGenerator, NodeConfigRequest } from '../contracts/source-plugin.ts';
import { openBundle, type Bundle } from '../core/bundle/reader.ts';
import { requestError } from '../core/node-config/request-error.ts';
import { readFromBundle } from '../core/node-config/read-from-bundle.ts';
import { writeTree } from '../core/node-config/write-tree.ts';
import { createRemotes } from '../core/oci/remotes.ts';
import { readLocal } from '../core/sources/read-local.ts';
import { sourceNamed, sources } from '../plugins/sources/index.ts';
import { listFrom } from './source-tools.ts';

interface Machine {
  configDir: string;
  env: NodeJS.ProcessEnv;
}

const noRegistryOptions = { plainHttp: false, insecureSkipTlsVerify: false };

export function generators(): Awaited<ReturnType<NodeConfigs['generators']>> {
  return sources.flatMap(({ name, nodeConfig }) => {
    if (nodeConfig === undefined) return [];
    const { summary, modes, options } = nodeConfig;
    return [{ source: name, summary, modes, options }];
  });
}

/** @throws SealiftError InvalidInput, OutputExists, BundleCorrupt, and those of reading inputs */
export async function writeNodeConfig(
  asked: NodeConfigAsked,
  machine: Machine,
  warn: (message: string) => void,
): Promise<NodeConfigReport> {
  const generator = generatorOf(asked);
  const bundle = asked.input === undefined ? undefined : await openBundle(asked.input);
  const remotes = createRemotes({ side: 'source', registry: noRegistryOptions, pullFrom: asked.pullFrom, ...machine });
  try {
    const request = await requestOf(asked, bundle, machine, warn);
    const read = async (location: string): Promise<Uint8Array> =>
      (await readFromBundle(bundle, location)) ?? remotes.read(location);
    const files = await generator.generate(request, { read, warn });
    return { files: await writeTree(files, { output: asked.output, force: asked.force, bundle }) };
  } finally {
    await Promise.all([remotes.close(), bundle?.close()]);
  }
}

async function requestOf(
  asked: NodeConfigAsked,
  bundle: Bundle | undefined,
  machine: Machine,
  warn: (message: string) => void,
): Promise<NodeConfigRequest> {
  const { mode, selections, pullFrom, registry, options } = asked;
  const listed =
    bundle === undefined
      ? (await listFrom(selections, { pullFrom, registry: noRegistryOptions, ...machine }, warn)).items
      : bundle.billOfMaterials.items;
  const images = listed.filter(({ kind }) => kind === 'image').map(({ reference }) => reference);
  return {
    ...(mode === undefined ? {} : { mode }),
    images: [...new Set(images)].sort(),
    ...(bundle === undefined ? {} : { billOfMaterials: bundle.billOfMaterials }),
    ...(registry === undefined ? {} : { registry: await withCertificates(registry) }),
    options,
  };
}

async function withCertificates({
  caFile,
  ...registry
}: NonNullable<NodeConfigAsked['registry']>): Promise<NonNullable<NodeConfigRequest['registry']>> {
  if (caFile === undefined) return registry;
  const ca = Buffer.from(await readLocal(caFile, 'local')).toString('utf8');
  if (ca.includes('-----BEGIN CERTIFICATE-----')) return { ...registry, ca };
  throw requestError(
    `--ca-file ${caFile}`,
    'it holds no certificate in PEM form',
    'give the file with the certificate',
  );
}

/** The generator that was asked for, with a mode and options that it has. @throws SealiftError InvalidInput */
function generatorOf({ source, mode, options }: NodeConfigAsked): NodeConfigGenerator {
  const { nodeConfig } = sourceNamed(source);
  if (nodeConfig === undefined) {
    const names = generators().map((one) => one.source);
    throw requestError(`--for ${source}`, 'this source needs nothing on its nodes', `use one of: ${names.join(', ')}`);
  }
  const { modes } = nodeConfig;
  if (mode === undefined && modes.length > 0) {
    throw requestError(`--for ${source}`, 'it has several modes', `choose one with --mode: ${modes.join(', ')}`);
  }
  if (mode !== undefined && !modes.includes(mode)) {
    const remedy = modes.length === 0 ? 'leave --mode out' : `use one of: ${modes.join(', ')}`;
    throw requestError(`--mode ${mode}`, `${source} has no such mode`, remedy);
  }
  const known = nodeConfig.options.map(({ name }) => name);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return nodeConfig;
  const remedy = known.length === 0 ? 'leave --option out' : `use one of: ${known.join(', ')}`;
  throw requestError(`--option ${unknown}`, `${source} has no such option`, remedy);
}
