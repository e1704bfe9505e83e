import type { BillItem, BillOfMaterials } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { billOfMaterialsLayer, readBillOfMaterials } from '../bundle/artifacts.ts';
import { maxJsonSize } from '../bundle/bounded-json.ts';
import type { Closure } from '../bundle/closure.ts';
import type { ReadableBundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import { parseManifest, type ParsedManifest } from '../oci/manifest.ts';
import { registryOrigin, type Remotes } from '../oci/remotes.ts';
import type { FetchedManifest } from '../oci/registry/manifests.ts';
import type { RegistryClient } from '../oci/registry/client.ts';
import { placeDestination, splitDestination, type DestinationRules } from '../oci/rewrite.ts';
import { Limiter } from '../transfer/concurrency.ts';
import { downloadBlob } from '../transfer/download.ts';
import { MoverPool } from '../transfer/pool.ts';
import { BILL_REPOSITORY } from './targets.ts';

/** As a document of a bundle may have at most. */
const MAX_SMALL = 32 * 1024 * 1024;
/** Bills of materials that are read at once. */
const WIDTH = 4;

/** A registry that bundles were imported into. */
export interface ImportedRegistry {
  remotes: Remotes;
  /** `host[:port]` */
  host: string;
  /** where the import put things */
  rules: DestinationRules;
}

/** A bundle as it lies in a registry. */
export interface ImportedBundle extends ReadableBundle {
  /** Writes a blob of any size into a file that is there, proven. @throws SealiftError as `read`; DiskFull, PathUnwritable */
  save(digest: Digest, path: string, signal: AbortSignal): Promise<void>;
}

/**
 * Every bundle that was imported into a registry, by the bills of materials that imports leave there, in no order.
 *
 * @returns none when nothing was imported
 * @throws SealiftError those of a RegistryClient; BundleCorrupt when a bill is none
 */
export async function importedBundles(registry: ImportedRegistry): Promise<ImportedBundle[]> {
  const { client, repository } = await billsOf(registry);
  const limiter = new Limiter(WIDTH);
  const tags = await client.listTags(repository);
  const found = await Promise.all(tags.map((tag) => limiter.run(() => openImported(registry, tag))));
  // an import of the same content tags it under another name
  return [...new Map(found.map((bundle) => [bundle.identity, bundle])).values()];
}

/**
 * One of them.
 * @param bill tag or digest of its bill of materials
 * @throws SealiftError as importedBundles; ManifestMissing
 */
export async function openImported(registry: ImportedRegistry, bill: string): Promise<ImportedBundle> {
  const { client, repository } = await billsOf(registry);
  const { bytes, descriptor } = await client.fetchManifest(repository, bill);
  const layer = await client.fetchBlob(repository, billOfMaterialsLayer(bytes).digest, maxJsonSize);
  return new RegistryBundle(registry, client, descriptor.digest, readBillOfMaterials(bytes, layer));
}

async function billsOf({ remotes, host, rules }: ImportedRegistry): Promise<{
  client: RegistryClient;
  repository: string;
}> {
  const client = await remotes.registry(host);
  return { client, repository: splitDestination(placeDestination(`${BILL_REPOSITORY}:all`, '', rules)).repository };
}

interface Place {
  repository: string;
  /** undefined for a manifest whose parent did not say it: a root */
  size: number | undefined;
  isManifest: boolean;
}

class RegistryBundle implements ImportedBundle {
  readonly path: string;
  readonly identity: Digest;
  readonly billOfMaterials: BillOfMaterials;
  readonly #registry: ImportedRegistry;
  readonly #client: RegistryClient;
  readonly #places = new Map<Digest, Place>();
  /** small blobs that are read in parts */
  readonly #small = new Map<Digest, Promise<Uint8Array>>();

  constructor(registry: ImportedRegistry, client: RegistryClient, identity: Digest, bill: BillOfMaterials) {
    const { namespace } = registry.rules;
    this.path = namespace === '' ? registry.host : `${registry.host}/${namespace}`;
    this.identity = identity;
    this.billOfMaterials = bill;
    this.#registry = registry;
    this.#client = client;
    for (const item of bill.items) {
      const repository = this.#repositoryOf(item);
      for (const digest of [item.digest, ...(item.attached ?? []).map((attached) => attached.digest)]) {
        this.#places.set(digest, { repository, size: undefined, isManifest: true });
      }
    }
  }

  locate(digest: Digest): { offset: number; size: number } | undefined {
    const size = this.#places.get(digest)?.size;
    return size === undefined ? undefined : { offset: 0, size };
  }

  async read(digest: Digest, max = maxJsonSize): Promise<Uint8Array> {
    const { isManifest, repository } = this.#placeOf(digest);
    return isManifest ? (await this.#manifest(digest)).bytes : this.#client.fetchBlob(repository, digest, max);
  }

  async readPart(digest: Digest, start: number, length: number): Promise<Uint8Array> {
    let whole = this.#small.get(digest);
    if (whole === undefined) {
      whole = this.read(digest, MAX_SMALL);
      this.#small.set(digest, whole);
      whole.catch(() => this.#small.delete(digest));
    }
    return (await whole).subarray(start, start + length);
  }

  async closure(root: Digest): Promise<Closure> {
    const manifests = new Map<Digest, Descriptor>();
    const blobs = new Map<Digest, Descriptor>();
    const visit = async (digest: Digest): Promise<void> => {
      if (manifests.has(digest)) return;
      const { descriptor, parsed } = await this.#manifest(digest);
      for (const child of parsed.children) await visit(child.digest);
      for (const blob of parsed.blobs) blobs.set(blob.digest, blob);
      manifests.set(digest, descriptor);
    };
    await visit(root);
    return { manifests: [...manifests.values()], blobs: [...blobs.values()] };
  }

  async save(digest: Digest, path: string, signal: AbortSignal): Promise<void> {
    const { repository, size } = this.#placeOf(digest);
    const { remotes, host } = this.#registry;
    const origin = await registryOrigin(remotes, host, repository, digest);
    const pool = new MoverPool(1);
    try {
      const blob = { digest, size: size ?? 0, to: { path, offset: 0 }, prefix: 0 };
      await downloadBlob(pool, origin, blob, { signal, onProgress: () => undefined });
    } finally {
      await pool.close();
    }
  }

  /** What is read of a registry is open as long as its remotes are. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#small.values());
    this.#small.clear();
  }

  async #manifest(digest: Digest): Promise<FetchedManifest & { parsed: ParsedManifest }> {
    const { repository } = this.#placeOf(digest);
    const fetched = await this.#client.fetchManifest(repository, digest);
    const { descriptor, bytes } = fetched;
    const parsed = parseManifest(bytes, descriptor.mediaType);
    this.#places.set(digest, { repository, size: descriptor.size, isManifest: true });
    this.#know(parsed.children, repository, true);
    this.#know(parsed.blobs, repository, false);
    return { ...fetched, parsed };
  }

  #know(descriptors: readonly Descriptor[], repository: string, isManifest: boolean): void {
    for (const { digest, size } of descriptors) {
      if (!this.#places.has(digest)) this.#places.set(digest, { repository, size, isManifest });
    }
  }

  #repositoryOf({ destination, origin }: BillItem): string {
    return splitDestination(placeDestination(destination, origin, this.#registry.rules)).repository;
  }

  #placeOf(digest: Digest): Place {
    const place = this.#places.get(digest);
    if (place !== undefined) return place;
    throw new SealiftError('ContentMissing', {
      side: 'destination',
      operation: 'read registry',
      subject: `${this.path}@${digest}`,
      message: 'the bill of materials of what was imported there does not name it',
      remedy: 'import a bundle that has it (`sealift import artifacts`)',
    });
  }
}
