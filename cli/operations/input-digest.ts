import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { ClusterOperationInput } from '../../contracts/clusters.ts';
import type { ExportArtifactsInput, ImportArtifactsInput, OperationName } from '../../contracts/operations.ts';

/**
 * What tells two exports to the same output apart: everything asked for, and the content of the local input files, but not
 * how it is carried out.
 *
 * @returns hex sha256 of canonical JSON (sorted keys, no white space)
 */
export async function exportInputDigest(input: ExportArtifactsInput): Promise<string> {
  const { concurrency: _c, force: _f, onFailure: _o, hostTaskQueue: _h, ...asked } = input;
  const files = input.selections.flatMap((selection) => selection.files);
  return digestOf({ ...asked, contents: await Promise.all(files.map(contentDigest)) });
}

/** What tells two imports of one bundle to one registry apart. Where the bundle lies does not matter: its digest is in the input. */
export function importInputDigest(input: ImportArtifactsInput): string {
  const { concurrency: _c, onFailure: _o, hostTaskQueue: _h, input: _i, ...asked } = input;
  return digestOf(asked);
}

/** What tells two operations on one cluster apart: also which one it is, since they share a name, and what the specification says. */
export async function clusterInputDigest(name: OperationName, input: ClusterOperationInput): Promise<string> {
  const { onFailure: _o, hostTaskQueue: _h, specFile, content, ...asked } = input;
  return digestOf({
    operation: name,
    ...asked,
    content: content.bundle?.digest ?? content.registry,
    specification: await contentDigest(specFile),
  });
}

async function contentDigest(file: string): Promise<string> {
  if (/^https?:/.test(file)) return '';
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
    return hash.digest('hex');
  } catch {
    // an unreadable file is the source plugin's to complain about, and a folder is not looked into
    return '';
  }
}

function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entry]) => [key, sorted(entry)]));
}
