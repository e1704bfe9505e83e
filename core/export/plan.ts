import type { BillItem, BillOfMaterials, SkippedItem } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import type { ExportArtifactsInput } from '../../contracts/operations.ts';
import { billOfMaterialsArtifact } from '../bundle/artifacts.ts';
import { buildIndex, type IndexItem } from '../bundle/index-json.ts';
import { digestOf } from '../oci/digest.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { destinationOf, fileDestination } from '../oci/rewrite.ts';
import { bySizeDescending, cutBatches } from '../transfer/batches.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { forEachItem } from '../transfer/failures.ts';
import { ProgressMeter, type WorkHooks } from '../transfer/progress.ts';
import { loadContents, type Contents } from './contents.ts';
import { bundleReferences, publicName } from './local-names.ts';
import { readLockFile, writeLockFile, type LockedItem } from './lock-file.ts';
import type { ExportPlan, PlannedBlob, ResolvedItem } from './plan-types.ts';
import type { OpenBundles } from './open-bundles.ts';
import { previousPlan, storePlan } from './plan-store.ts';
import { salvagePrevious } from './salvage.ts';
import { resolveArchived } from './resolve-archived.ts';
import { resolveFile, resolveImage, wrapFile, type ResolveTools } from './resolve-item.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';

const RESOLVED = 'resolved.jsonl';
/** A blob that many images share is remembered at this many of them: enough to get around one that is broken. */
const OTHER_ORIGINS = 3;
const noRules = { namespace: '', map: {} };

type Item = Contents['items'][number];

/**
 * Resolves every item (those that an earlier try resolved are not asked for again) and lays down what the bundle will be.
 * @param skip references or blob digests that the operator leaves out
 * @throws ItemsFailed when some items can't be resolved; the others are kept
 */
export async function makePlan(
  input: ExportArtifactsInput,
  skip: readonly string[],
  tools: Omit<ResolveTools, 'signal' | 'options'> & { bundles: OpenBundles },
  limiter: Limiter,
  hooks: WorkHooks,
): Promise<ExportPlan> {
  const { folder } = tools;
  const contents = await loadContents(folder);
  const lock = input.lockFile === undefined ? undefined : await readLockFile(input.lockFile);
  const wanted = contents.items.filter(({ reference }) => !skip.includes(reference));
  const resolved = await resolveAll(wanted, lock, { ...tools, signal: hooks.signal, options: input }, limiter, hooks);
  const kept = wanted.filter(
    ({ reference }) => !resolved.get(reference)!.blobs.some(({ digest }) => skip.includes(digest)),
  );
  const left = contents.items.filter((item) => !kept.includes(item));
  const skipped = left.map(({ reference }): SkippedItem => ({
    reference: publicName(reference),
    reason: 'skipped by the operator',
  }));
  const plan = await layDown(input, contents, kept, resolved, skipped, folder);
  if (input.lockFile !== undefined && lock === undefined) {
    await writeLockFile(
      input.lockFile,
      new Map(kept.map(({ reference }) => [reference, lockedItem(resolved.get(reference)!)])),
    );
  }
  const previous = await previousPlan(folder);
  if (previous !== undefined && previous.planDigest !== plan.planDigest) {
    await salvagePrevious(input.output, folder, previous, plan, tools.bundles);
  }
  // The same plan again keeps the places that it knows: they may be on this machine.
  if (previous?.planDigest === plan.planDigest) return previous;
  await storePlan(folder, plan);
  return plan;
}

async function resolveAll(
  items: Item[],
  lock: ReadonlyMap<string, LockedItem> | undefined,
  tools: ResolveTools,
  limiter: Limiter,
  hooks: WorkHooks,
): Promise<Map<string, ResolvedItem>> {
  const { folder } = tools;
  const known = new Map(await folder.readLines<[string, ResolvedItem]>(RESOLVED));
  const resolved = new Map<string, ResolvedItem>();
  const meter = new ProgressMeter(hooks, { bytes: 0, items: items.length });
  const side = { side: 'source', operation: 'resolve' } as const;
  await forEachItem(
    items,
    limiter,
    { ...side, signal: hooks.signal, id: ({ reference }) => reference },
    async (item) => {
      const { reference } = item;
      const key = resolvedKey(item);
      let result = known.get(key);
      if (result === undefined) {
        meter.update(reference, reference, 0, 0);
        result = await resolverOf(item)(tools, item, lock?.get(reference)).finally(() => meter.drop(reference));
        await folder.append(RESOLVED, [key, result]);
      }
      resolved.set(reference, result);
      meter.finish(reference, 0);
    },
  );
  return resolved;
}

/** What was found in a registry says nothing of an archive, nor one archive of another. */
function resolvedKey({ reference, archive }: Item): string {
  return archive === undefined ? reference : `${reference} in ${archive.path} at ${archive.offset}`;
}

function resolverOf({ kind, archive }: Item): typeof resolveImage {
  if (archive !== undefined) return resolveArchived;
  return kind === 'image' || kind === 'chart' ? resolveImage : resolveFile;
}

async function layDown(
  input: ExportArtifactsInput,
  contents: Contents,
  kept: Item[],
  resolved: Map<string, ResolvedItem>,
  skipped: SkippedItem[],
  folder: WorkFolder,
): Promise<ExportPlan> {
  const parts = new PlanParts();
  const names = bundleReferences(
    kept.map(({ reference }) => ({ reference, digest: resolved.get(reference)!.root.digest })),
  );
  const named = new Set<string>();
  for (const item of kept) {
    const name = names.get(item.reference)!;
    // the same file from two folders
    if (named.has(name)) continue;
    named.add(name);
    parts.addItem({ ...item, reference: name }, resolved.get(item.reference)!);
  }
  for (const document of contents.documents) await parts.addDocument(document, folder);
  const bill: BillOfMaterials = {
    schemaVersion: 1,
    sources: contents.sources,
    platforms: [...input.platforms].sort(),
    items: parts.bill.sort((a, b) => (a.destination < b.destination ? -1 : a.destination > b.destination ? 1 : 0)),
    skipped,
  };
  const artifact = billOfMaterialsArtifact(bill);
  for (const { descriptor, bytes } of [artifact.manifest, artifact.config, artifact.layer]) {
    await folder.writeBlob(bytes);
    parts.metadata.set(descriptor.digest, descriptor);
  }
  const index = buildIndex(parts.index, parts.attached, artifact.manifest.descriptor);
  const planDigest = digestOf(index);
  await folder.writeBlob(index);
  const blobs = bySizeDescending([...parts.blobs.values()].filter(({ digest }) => !parts.metadata.has(digest)));
  return {
    planDigest,
    metadata: [...parts.metadata.values()],
    blobs,
    batches: cutBatches(blobs.map(({ size }) => size)),
    images: kept.filter(({ kind }) => kind === 'image').length,
    charts: kept.filter(({ kind }) => kind === 'chart').length,
    files: kept.filter(({ kind }) => kind === 'manifest' || kind === 'file').length,
    skipped,
    warnings: [...contents.warnings, ...kept.flatMap(({ reference }) => resolved.get(reference)!.warnings)],
  };
}

/** What adds up to a bundle. */
class PlanParts {
  readonly bill: BillItem[] = [];
  readonly index: IndexItem[] = [];
  readonly attached: Descriptor[] = [];
  readonly metadata = new Map<Digest, Descriptor>();
  readonly blobs = new Map<Digest, PlannedBlob>();

  addItem(item: Item, resolved: ResolvedItem): void {
    const oci = item.kind === 'image' || item.kind === 'chart';
    const reference = oci ? parseReference(item.reference) : undefined;
    const destination = reference === undefined ? fileDestination(item.reference) : destinationOf(reference, noRules);
    const origin = reference?.host ?? new URL(item.reference).host;
    this.#add(resolved);
    const name = reference === undefined ? destination : formatReference(reference);
    this.index.push({
      descriptor: resolved.root,
      refName: name,
      ...(item.kind === 'image' ? { imageName: name } : {}),
    });
    this.attached.push(...resolved.attached.map(({ descriptor }) => descriptor));
    this.bill.push({
      kind: item.kind,
      name: item.name,
      reference: item.reference,
      digest: resolved.root.digest,
      ...(resolved.originDigest === undefined ? {} : { originDigest: resolved.originDigest }),
      destination,
      origin,
      size: closureSize(resolved),
      source: item.source,
      ...(item.platforms === undefined ? {} : { platforms: item.platforms }),
      ...(item.checksums === undefined ? {} : { checksums: item.checksums }),
      ...(item.package === undefined ? {} : { package: item.package }),
      ...(resolved.attached.length === 0 ? {} : { attached: resolved.attached.map(attachedLine) }),
    });
  }

  async addDocument(document: Contents['documents'][number], folder: WorkFolder): Promise<void> {
    const { title, mediaType, digest, size, destination, source } = document;
    const wrapped = await wrapFile(folder, { title, mediaType, digest, size, from: [] });
    this.#add(wrapped);
    this.metadata.set(digest, { mediaType, digest, size });
    this.index.push({ descriptor: wrapped.root, refName: destination });
    const line = { digest: wrapped.root.digest, destination, origin: '', size: closureSize(wrapped), source };
    this.bill.push({ kind: 'document', name: title, reference: destination, ...line });
  }

  #add(resolved: ResolvedItem): void {
    for (const manifest of resolved.manifests) this.metadata.set(manifest.digest, manifest);
    for (const blob of resolved.blobs) {
      const known = this.blobs.get(blob.digest);
      if (known === undefined) this.blobs.set(blob.digest, { ...blob, from: [...blob.from] });
      else if (known.from.length < OTHER_ORIGINS) known.from.push(...blob.from);
    }
  }
}

function attachedLine({ descriptor, tag }: ResolvedItem['attached'][number]): { digest: Digest; tag?: string } {
  return { digest: descriptor.digest, ...(tag === undefined ? {} : { tag }) };
}

function lockedItem({ lock, attached }: ResolvedItem): LockedItem {
  return { digest: lock, attached: attached.map(attachedLine) };
}

function closureSize({ manifests, blobs }: ResolvedItem): number {
  return [...manifests, ...blobs].reduce((sum, { size }) => sum + size, 0);
}
