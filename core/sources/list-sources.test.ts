import { describe, expect, it } from 'vitest';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import type { SourcePlugin, SourceSelection } from '../../contracts/source-plugin.ts';
import { listSources } from './list-sources.ts';

/** Lists the image that each of its files is called, and one document with the content of its last file. */
function source(name: string, destination: string): SourcePlugin {
  return {
    name,
    summary: `the source ${name}`,
    selections: [],
    recognises: () => false,
    async list({ files }, context) {
      const items = files.map((file): SourceItem => ({ kind: 'image', name: file, reference: file, foundAt: name }));
      const content = await context.read(files.at(-1) ?? '');
      return { items, documents: [{ destination, title: 'read.txt', mediaType: 'text/plain', content }] };
    },
  };
}

const plugins: Record<string, SourcePlugin> = {
  one: source('one', 'sealift/shared:v1'),
  two: source('two', 'sealift/shared:v1'),
  three: source('three', 'sealift/three:v1'),
};

function select(name: string, ...files: string[]): SourceSelection {
  return { source: name, files, kubeVersions: [], providers: [] };
}

function listed(...selections: SourceSelection[]) {
  return listSources(selections, {
    sourceNamed: (name) => plugins[name]!,
    read: (location) => Promise.resolve(new TextEncoder().encode(location)),
    warn: (message) => expect.fail(message),
    scratch: '/nowhere',
  });
}

describe('listSources', () => {
  it('has what several sources need once, with the source that stated it first', async () => {
    const { items, documents } = await listed(
      select('two', 'h.test/b:1', 'h.test/a:1'),
      select('one', 'h.test/c:1', 'h.test/a:1'),
      select('three', 'h.test/a:1'),
    );
    expect(items.map(({ reference, source }) => [reference, source])).toEqual([
      ['h.test/a:1', 'two'],
      ['h.test/b:1', 'two'],
      ['h.test/c:1', 'one'],
    ]);
    expect(documents.map(({ destination, source }) => [destination, source])).toEqual([
      ['sealift/shared:v1', 'two'],
      ['sealift/three:v1', 'three'],
    ]);
  });

  it('refuses two documents that want one place with different content, naming both sources', async () => {
    await expect(listed(select('one', 'h.test/a:1'), select('two', 'h.test/b:1'))).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: 'source two', message: expect.stringContaining('of source one'), remedy: expect.any(String) },
    });
  });
});
