import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import type { ExportArtifactsInput } from '../../contracts/operations.ts';
import { fileArtifact } from '../bundle/artifacts.ts';
import { SealiftError } from '../errors.ts';
import { findAttached, type AttachedManifest } from '../oci/attached.ts';
import { parseReference, type Reference } from '../oci/reference.ts';
import type { RegistryClient } from '../oci/registry/client.ts';
import { fileOrigin, type Remotes } from '../oci/remotes.ts';
import { downloadBlob } from '../transfer/download.ts';
import type { MoverPool } from '../transfer/pool.ts';
import { ItemGraph } from './item-graph.ts';
import type { LockedItem } from './lock-file.ts';
import type { BlobFrom, ResolvedItem } from './plan-types.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';

export interface ResolveTools {
  remotes: Remotes;
  folder: WorkFolder;
  pool: MoverPool;
  signal: AbortSignal;
  options: Pick<ExportArtifactsInput, 'platforms' | 'digestPolicy'>;
}

/** What an image or chart is: its manifests fetched into the work folder, its blobs described. @throws SealiftError of the source side */
export async function resolveImage(
  tools: ResolveTools,
  item: SourceItem,
  locked: LockedItem | undefined,
): Promise<ResolvedItem> {
  const reference = parseReference(item.reference);
  const client = await tools.remotes.registry(reference.host);
  const warnings: string[] = [];
  const wanted = locked?.digest ?? item.digest ?? reference.digest;
  if (item.digest !== undefined && reference.tag !== undefined) {
    await checkTag(client, reference, item, tools.options.digestPolicy, warnings);
  }
  const origin = await client.fetchManifest(reference.repository, wanted ?? reference.tag ?? 'latest');
  const from: BlobFrom = { kind: 'registry', host: reference.host, repository: reference.repository };
  const graph = new ItemGraph(tools.folder, reference, {
    manifest: (digest) => client.fetchManifest(reference.repository, digest),
    blob: () => from,
  });
  const root = await graph.addRoot(origin, tools.options.platforms);
  const subjects = graph.manifests.map(({ digest }) => digest);
  const attached: ResolvedItem['attached'] = [];
  const found =
    locked === undefined
      ? await findAttached(client, reference.repository, subjects)
      : await fetchLocked(client, reference.repository, locked);
  for (const { descriptor, bytes, tag } of found) {
    await graph.add(descriptor, bytes);
    attached.push({ descriptor, ...(tag === undefined ? {} : { tag }) });
  }
  const changed = root.digest === origin.descriptor.digest ? {} : { originDigest: origin.descriptor.digest };
  return {
    root,
    lock: origin.descriptor.digest,
    ...changed,
    manifests: graph.manifests,
    blobs: graph.blobs,
    attached,
    warnings,
  };
}

/** Exactly what came along when the lock was made: what was attached since would make another bundle. */
async function fetchLocked(
  client: RegistryClient,
  repository: string,
  { attached }: LockedItem,
): Promise<Omit<AttachedManifest, 'subject'>[]> {
  const found: Omit<AttachedManifest, 'subject'>[] = [];
  for (const { digest, tag } of attached) {
    const fetched = await client.fetchManifest(repository, digest);
    found.push({ ...fetched, ...(tag === undefined ? {} : { tag }) });
  }
  return found;
}

async function checkTag(
  client: RegistryClient,
  reference: Reference,
  item: SourceItem,
  policy: 'enforce' | 'warn',
  warnings: string[],
): Promise<void> {
  const subject = `${reference.host}/${reference.repository}:${reference.tag!}`;
  const found = await client.headManifest(reference.repository, reference.tag!);
  if (found?.digest === item.digest) return;
  if (found === undefined) {
    warnings.push(`${subject}: the tag is gone; pulled by the digest that the source states`);
    return;
  }
  const message = `the source states ${item.digest!} (${item.foundAt}), the tag points to ${found.digest}`;
  if (policy === 'warn') {
    warnings.push(`${subject}: ${message}; pulled by the stated digest`);
    return;
  }
  throw new SealiftError('TagMoved', {
    side: 'source',
    operation: 'compare tag',
    subject,
    message,
    remedy:
      'find out who moved the tag; --digest-policy warn takes the stated digest and goes on, skip leaves the image out',
  });
}

/** What a file is: its size and digest; fetched right away only when its source states no sha256. @throws SealiftError of the source side */
export async function resolveFile(
  tools: ResolveTools,
  item: SourceItem,
  locked: LockedItem | undefined,
): Promise<ResolvedItem> {
  const stated =
    item.checksums?.sha256 === undefined ? undefined : (`sha256:${item.checksums.sha256.toLowerCase()}` as const);
  const url = tools.remotes.file(item.reference);
  const local = url.startsWith('file:') ? fileURLToPath(url) : undefined;
  const size = local === undefined ? await tools.remotes.fileSize(item.reference) : await localSize(local);
  const known = stated ?? locked?.digest;
  const blob =
    known === undefined
      ? await fetchUnknown(tools, item, { url, local, size })
      : { digest: known, size, from: undefined };
  const from =
    blob.from ??
    (local === undefined
      ? { kind: 'url' as const, url: item.reference }
      : { kind: 'span' as const, path: local, offset: 0 });
  const title = decodeURIComponent(new URL(item.reference).pathname.split('/').at(-1) ?? 'file');
  const mediaType = /\.ya?ml$/.test(title) ? 'application/yaml' : 'application/octet-stream';
  return wrapFile(tools.folder, { title, mediaType, digest: blob.digest, size: blob.size, from: [from] });
}

/** A file as an OCI artifact, its manifest and config in the work folder. */
export async function wrapFile(
  folder: WorkFolder,
  file: { title: string; mediaType: string; digest: Digest; size: number; from: BlobFrom[] },
): Promise<ResolvedItem> {
  const { title, mediaType, digest, size } = file;
  const { manifest, config } = fileArtifact({ title, mediaType, digest, size });
  await folder.writeBlob(manifest.bytes);
  await folder.writeBlob(config.bytes);
  return {
    root: manifest.descriptor,
    lock: digest,
    manifests: [manifest.descriptor, config.descriptor],
    blobs: [{ mediaType, digest, size, from: file.from }],
    attached: [],
    warnings: [],
  };
}

async function localSize(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true) return found.size;
  throw new SealiftError('FileMissing', {
    side: 'source',
    operation: 'read file',
    subject: path,
    message: 'there is no such file',
    remedy: 'put the file there and retry, or skip it',
  });
}

/** Nobody says what the digest is: the file is brought into the work folder once, and copied from there. */
async function fetchUnknown(
  tools: ResolveTools,
  item: SourceItem,
  file: { url: string; local: string | undefined; size: number },
): Promise<{ digest: Digest; size: number; from: BlobFrom }> {
  const { folder, pool, signal } = tools;
  const path = file.local ?? (await folder.spoolPath(item.reference));
  let digest: Digest;
  if (file.local === undefined) {
    const origin = await fileOrigin(tools.remotes, item.reference);
    const prefix = await folder.fileSize(path);
    const hooks = { signal, onProgress: () => undefined };
    digest = (await downloadBlob(pool, origin, { size: file.size, to: { path, offset: 0 }, prefix }, hooks)).digest;
  } else {
    const outcome = await pool.run({ kind: 'hash', from: { path, offset: 0 }, size: file.size }, { signal });
    signal.throwIfAborted();
    if (outcome.kind !== 'done') throw new Error(`cannot hash ${path}`);
    digest = outcome.digest!;
  }
  if (item.checksums?.sha512 !== undefined) await checkSha512(path, item.checksums.sha512, item);
  return { digest, size: file.size, from: { kind: 'span', path, offset: 0 } };
}

async function checkSha512(path: string, expected: string, item: SourceItem): Promise<void> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(path), hash);
  const found = hash.digest('hex');
  if (found === expected.toLowerCase()) return;
  throw new SealiftError('DigestMismatch', {
    side: 'source',
    operation: 'check sha512 of',
    subject: item.reference,
    message: `the source states ${expected} (${item.foundAt}), the file has ${found}`,
    remedy: 'the origin serves another file than its manifest promises: check the origin or a proxy on the way',
  });
}
