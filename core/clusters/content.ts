import { open } from 'node:fs/promises';
import type { BillOfMaterials } from '../../contracts/bill-of-materials.ts';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { ContentSource } from '../../contracts/clusters.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import type { RegistryOptions } from '../../contracts/run-options.ts';
import { copyBlob } from '../bundle/copy-blob.ts';
import { openBundle, type Bundle, type ReadableBundle } from '../bundle/reader.ts';
import { isErrorType, SealiftError } from '../errors.ts';
import { importedBundles, openImported } from '../import/imported-bundle.ts';
import { checkIdentity } from '../import/targets.ts';
import { createRemotes } from '../oci/remotes.ts';
import { mirrorHost } from './spec/defaults.ts';

/** What clusters are made of, in a bundle or in the registry that one was imported into. */
export interface ReleaseContent extends ReadableBundle {
  /** Writes a blob of any size into a file that is there, proven. @throws SealiftError as `read`; DiskFull, PathUnwritable */
  save(digest: Digest, path: string, signal: AbortSignal): Promise<void>;
}

/** Contents that are open, the one to be preferred first. */
export interface ReleaseContents extends AsyncDisposable {
  all: ReleaseContent[];
}

export interface ContentOptions {
  /** whose registry mirror says where images of an origin are */
  spec: ClusterSpec;
  /** of several bundles in a registry only this one */
  identity?: Digest;
  /** how the registry is reached */
  registry: RegistryOptions;
  configDir: string;
  env: Record<string, string | undefined>;
}

/**
 * Opens what an operation makes clusters of: its bundle; or all bundles that were imported into its registry, those of the
 * newest release first.
 * @throws SealiftError BundleCorrupt when the file is another bundle now; FileMissing; ContentMissing when nothing was
 * imported; InvalidInput when neither is given; those of a RegistryClient
 */
export async function openContents(source: ContentSource, options: ContentOptions): Promise<ReleaseContents> {
  const { bundle, registry } = source;
  if (bundle !== undefined) return ofBundle(bundle);
  if (registry !== undefined) return ofRegistry(registry, options);
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'open content',
    subject: options.spec.name,
    message: 'there is neither a bundle nor a registry to make anything from',
    remedy: 'give --bundle, or --registry',
  });
}

/** What the first content says that does not lack it. @throws the first content's ContentMissing when all do; what `read` throws */
export async function firstThatHas<T>(
  contents: readonly ReleaseContent[],
  read: (content: ReleaseContent) => Promise<T>,
): Promise<T> {
  let missing: unknown;
  for (const content of contents) {
    try {
      return await read(content);
    } catch (error) {
      if (!isErrorType(error, 'ContentMissing')) throw error;
      missing ??= error;
    }
  }
  throw missing;
}

async function ofBundle({ path, digest }: { path: string; digest: Digest }): Promise<ReleaseContents> {
  const bundle = await openBundle(path);
  const close = (): Promise<void> => bundle.close();
  try {
    checkIdentity(bundle, digest);
  } catch (error) {
    await close();
    throw error;
  }
  return { all: [{ ...bundle, save: (blob, file) => saveBlob(bundle, blob, file) }], [Symbol.asyncDispose]: close };
}

async function saveBlob(bundle: Bundle, digest: Digest, path: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await copyBlob(bundle, digest, (bytes) => file.writeFile(bytes));
  } finally {
    await file.close();
  }
}

async function ofRegistry(
  { host, namespace }: { host: string; namespace: string },
  { spec, identity, registry, configDir, env }: ContentOptions,
): Promise<ReleaseContents> {
  const remotes = createRemotes({ side: 'destination', registry, pullFrom: {}, configDir, env });
  const close = (): Promise<void> => remotes.close();
  try {
    const at = { remotes, host, rules: { namespace, map: mappedOrigins(spec, host) } };
    const found = identity === undefined ? await importedBundles(at) : [await openImported(at, identity)];
    if (found.length === 0) throw nothingImported(namespace === '' ? host : `${host}/${namespace}`);
    return { all: found.sort(newestFirst), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where an import with --map has put images, when the registry is the cluster's mirror. */
function mappedOrigins({ cluster }: ClusterSpec, host: string): Record<string, string> {
  const mirror = cluster.spec.registryMirrorConfiguration;
  if (mirror === undefined || ![mirror.endpoint, mirrorHost(mirror)].includes(host)) return {};
  return Object.fromEntries((mirror.ociNamespaces ?? []).map(({ registry, namespace }) => [registry, namespace]));
}

function newestFirst(a: ReadableBundle, b: ReadableBundle): number {
  const [left, right] = [a, b].map(({ billOfMaterials }) => releaseNumber(billOfMaterials));
  return right! - left! || b.billOfMaterials.items.length - a.billOfMaterials.items.length;
}

/** The number of EKS Anywhere's newest release in it: 45 of `bundles-45`. */
function releaseNumber({ items }: BillOfMaterials): number {
  const numbers = items.map(({ destination }) =>
    Number(/^sealift\/eks-anywhere\/bundles:bundles-(\d+)$/.exec(destination)?.[1] ?? -1),
  );
  return Math.max(-1, ...numbers);
}

function nothingImported(location: string): SealiftError {
  return new SealiftError('ContentMissing', {
    side: 'destination',
    operation: 'open content',
    subject: location,
    message: 'no bundle was imported there',
    remedy: 'import one (`sealift import artifacts`), or name the namespace that it was imported into',
  });
}
