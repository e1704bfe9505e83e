import { readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { DIGEST_PATTERN } from '../../contracts/descriptor.ts';
import type { SourceContents, SourceItem } from '../../contracts/bill-of-materials.ts';
import type { SourcePlugin, SourceSelection } from '../../contracts/source-plugin.ts';
import { SealiftError } from '../../core/errors.ts';
import { parseReference } from '../../core/oci/reference.ts';
import { listItems, memoryContext, type MemoryContext } from './memory-context.ts';

/**
 * The rules every source plugin keeps, run over its own fixtures:
 * `fixtures/valid/` are input files that belong together, `fixtures/invalid/` are input files that are each refused,
 * `fixtures/served/` is what its URLs lead to, by the last segment of the URL, and collections of a cluster (`pods.json`).
 */
export function sourceConformance(plugin: SourcePlugin, folder: string): void {
  const valid = fixtures(folder, 'valid');
  const invalid = fixtures(folder, 'invalid');
  const served = fixtures(folder, 'served');
  const select = (fields: Partial<SourceSelection> = {}): SourceSelection => ({
    source: plugin.name,
    files: Object.keys(valid),
    kubeVersions: [],
    providers: [],
    ...fields,
  });
  const context = (): MemoryContext => servingContext({ ...valid, ...invalid }, served);

  it('has a README and fixtures, and says what it is', () => {
    const names = readdirSync(folder);
    expect(names).toEqual(expect.arrayContaining(['README.md', 'schema.ts', expect.stringMatching(/\.test\.ts$/)]));
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toMatch(new RegExp(`^# ${plugin.name}\n`));
    expect(Object.keys(valid), 'files in fixtures/valid').not.toEqual([]);
    expect(Object.keys(invalid), 'files in fixtures/invalid').not.toEqual([]);
    expect(plugin.summary).toMatch(/^[^\n]{10,120}$/);
  });

  it('recognises its own fixtures', () => {
    const unknown = Object.keys(valid).filter((file) => !plugin.recognises(new TextDecoder().decode(valid[file])));
    expect(unknown, 'files that it does not recognise').toEqual([]);
  });

  it('lists the same inputs the same way twice, whatever the order of the files', async () => {
    const first = await plugin.list(select(), context());
    const again = await plugin.list(select(), context());
    expect(again.items, 'items of a second time').toEqual(first.items);
    expect(readable(again.documents), 'documents of a second time').toEqual(readable(first.documents));
    const reversed = await plugin.list(select({ files: Object.keys(valid).reverse() }), context());
    expect(readable(reversed.documents), 'documents of the files in reverse').toEqual(readable(first.documents));
    expect(reversed.items.map(identity), 'items of the files in reverse').toEqual(first.items.map(identity));
    const keys = first.items.map(sortKey);
    expect(keys, 'items by kind and reference').toEqual([...keys].sort());
  });

  it('states no duplicates, and only what can be fetched', async () => {
    const { items, documents } = await plugin.list(select(), context());
    expect(items).not.toEqual([]);
    expect(new Set(items.map(identity)).size).toBe(items.length);
    expect(new Set(documents.map((document) => document.destination)).size).toBe(documents.length);
    for (const item of items) checkItem(item);
    checkDocuments(documents);
  });

  it('reads only through its context', async () => {
    const connect = vi.spyOn(Socket.prototype, 'connect').mockImplementation(() => {
      throw new Error('a source plugin opened a connection by itself');
    });
    try {
      const used = context();
      await plugin.list(select(), used);
      expect(used.reads, 'what was read through the context').toEqual(expect.arrayContaining(Object.keys(valid)));
      expect(connect).not.toHaveBeenCalled();
    } finally {
      connect.mockRestore();
    }
  });

  it.each(Object.keys(invalid))('refuses %s, naming file and line', async (file) => {
    const error = await failure(plugin.list(select({ files: [file] }), context()), file);
    expect(error.type).toBe('InvalidInput');
    expect(error.problem.subject).toMatch(new RegExp(`^${escaped(file)}:[1-9][0-9]*(:[1-9][0-9]*)?$`));
    expect(error.problem.remedy).not.toBe('');
  });

  it('refuses what cannot be selected, and having no input', async () => {
    const asked: Partial<SourceSelection>[] = [
      { kubeVersions: ['0.0'] },
      { providers: ['no-such-provider'] },
      { release: 'no-such-release' },
      { files: [] },
      { options: { 'no-such-option': ['x'] } },
    ];
    for (const fields of asked) {
      const error = await failure(plugin.list(select(fields), context()), JSON.stringify(fields));
      expect(error.type, JSON.stringify(fields)).toBe('InvalidInput');
      expect(error.problem.remedy, JSON.stringify(fields)).not.toBe('');
    }
  });

  it('passes on what its context throws', async () => {
    const error = await failure(plugin.list(select({ files: ['/valid/absent'] }), context()), 'a missing file');
    expect(error.type).toBe('FileMissing');
  });
}

function fixtures(folder: string, name: string): Record<string, Uint8Array> {
  const names = readdirSync(join(folder, 'fixtures'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && basename(entry.parentPath) === name)
    .map((entry) => entry.name);
  // The paths exist nowhere, so that a plugin that opens files by itself fails.
  return Object.fromEntries(
    names
      .sort()
      .map((file) => [`/${name}/${file}`, new Uint8Array(readFileSync(join(folder, 'fixtures', name, file)))]),
  );
}

function servingContext(given: Record<string, Uint8Array>, served: Record<string, Uint8Array>): MemoryContext {
  const context = memoryContext(given);
  const upstream = memoryContext(served);
  return {
    ...context,
    read: (location) =>
      /^https?:/.test(location) ? upstream.read(`/served/${basename(location)}`) : context.read(location),
    kubernetes: async (kubeconfig, name) => ({
      ...(await context.kubernetes(kubeconfig, name)),
      list: (path) => Promise.resolve(listItems(served[`/served/${basename(path)}.json`])),
    }),
  };
}

function checkItem(item: SourceItem): void {
  expect(item.name).not.toBe('');
  expect(item.foundAt).not.toBe('');
  if (item.digest !== undefined) expect(item.digest).toMatch(DIGEST_PATTERN);
  if (item.archive !== undefined) expect(item.kind).toBe('image');
  if (item.kind === 'image' || item.kind === 'chart') {
    expect(() => parseReference(item.reference)).not.toThrow();
    expect(item.checksums).toBeUndefined();
  } else {
    expect(['http:', 'https:', 'file:']).toContain(new URL(item.reference).protocol);
    expect(item.digest).toBeUndefined();
  }
}

function checkDocuments(documents: SourceContents['documents']): void {
  for (const document of documents) {
    expect(() => parseReference(`registry.test/${document.destination}`)).not.toThrow();
    expect(document.title).toMatch(/^[^/]+$/);
    expect(document.content.length).toBeGreaterThan(0);
  }
}

async function failure(listing: Promise<unknown>, asked: string): Promise<SealiftError> {
  let thrown: unknown;
  try {
    await listing;
  } catch (error) {
    thrown = error;
  }
  if (thrown instanceof SealiftError) return thrown;
  if (thrown === undefined) expect.fail(`${asked} was accepted`);
  throw new Error(`${asked} was refused with something else than a SealiftError`, { cause: thrown });
}

/** Text in place of bytes, which a red test would print one by one. */
function readable(documents: SourceContents['documents']): unknown[] {
  return documents.map((document) => ({ ...document, content: Buffer.from(document.content).toString('latin1') }));
}

function identity(item: SourceItem): string {
  if (item.kind === 'manifest' || item.kind === 'file') return item.reference;
  const { host, repository, tag, digest } = parseReference(item.reference);
  return `${host}/${repository}:${tag ?? digest}`;
}

function sortKey(item: SourceItem): string {
  return `${item.kind} ${item.reference}`;
}

function escaped(text: string): string {
  return text.replaceAll('.', '\\.');
}
