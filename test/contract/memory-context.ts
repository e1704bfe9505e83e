import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { SourceContext } from '../../contracts/source-plugin.ts';
import { SealiftError } from '../../core/errors.ts';
import { listImagesIn } from '../../core/image-archive/list-images.ts';
import { readKubeconfig } from '../../core/kubernetes/kubeconfig.ts';
import { readArchiveEntry } from '../../core/sources/archive-entry.ts';

/** A SourceContext over a table of locations, which also remembers what a plugin did with it. */
export interface MemoryContext extends SourceContext {
  reads: string[];
  warnings: string[];
}

/** The locations exist nowhere but here, so a plugin that reads around its context fails. */
export function memoryContext(documents: Record<string, string | Uint8Array>): MemoryContext {
  const reads: string[] = [];
  const warnings: string[] = [];
  async function read(location: string): Promise<Uint8Array> {
    reads.push(location);
    const content = documents[location];
    if (content !== undefined) return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    throw new SealiftError('FileMissing', {
      side: 'source',
      operation: 'read',
      subject: location,
      message: 'there is no such document in this test',
    });
  }
  async function onDisk<T>(location: string, use: (path: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'sealift-memory-'));
    try {
      const path = join(folder, basename(location));
      await writeFile(path, await read(location));
      return await use(path);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  const scratch = (): Promise<never> => Promise.reject(new Error('this test gives no scratch folder'));
  const run = (): Promise<undefined> => Promise.resolve(undefined);
  return {
    reads,
    warnings,
    read,
    warn: (message) => warnings.push(message),
    names: (location) => {
      const below = Object.keys(documents).filter((path) => dirname(path) === location);
      return Promise.resolve(below.length === 0 ? undefined : below.map((path) => basename(path)).sort());
    },
    readEntry: (archive, entry) => onDisk(archive, (path) => readArchiveEntry(path, entry)),
    images: (archive) =>
      onDisk(archive, (path) =>
        listImagesIn(path, {
          scratch,
          warn: (message) => warnings.push(message),
          hash: () => Promise.resolve('archive'),
        }),
      ),
    hash: async (location, algorithm) =>
      createHash(algorithm)
        .update(await read(location))
        .digest('hex'),
    size: async (location) => (await read(location)).length,
    scratch,
    run,
    // the collections are documents by their URL, as `kubectl get --raw` prints them; one that is absent is empty
    kubernetes: async (kubeconfig, name) => {
      const { server } = await readKubeconfig(kubeconfig, name, { read, run });
      return { server, list: (path) => Promise.resolve(listItems(documents[server + path])) };
    },
  };
}

/** The objects of a list that an API server has answered with. */
export function listItems(document: string | Uint8Array | undefined): unknown[] {
  if (document === undefined) return [];
  const text = typeof document === 'string' ? document : new TextDecoder().decode(document);
  return (JSON.parse(text) as { items: unknown[] }).items;
}
