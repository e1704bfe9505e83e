import { describe, expect, it } from 'vitest';
import type { SourceSelection } from '../../../contracts/source-plugin.ts';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { images } from './index.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const otherDigest = `sha256:${'b'.repeat(64)}`;

function select(...files: string[]): SourceSelection {
  return { source: 'images', files, kubeVersions: [], providers: [] };
}

async function listOf(content: string) {
  return (await images.list(select('/in/list.txt'), memoryContext({ '/in/list.txt': content }))).items;
}

describe('images', () => {
  it('takes one reference a line, without comments, blank lines, white space and carriage returns', async () => {
    const items = await listOf('\uFEFF# all\r\n\r\n  h.test/b:1  # why\r\nh.test/a:1\t#\r\n');
    expect(items).toEqual([
      { kind: 'image', name: 'a', reference: 'h.test/a:1', foundAt: 'list.txt:4' },
      { kind: 'image', name: 'b', reference: 'h.test/b:1', foundAt: 'list.txt:3' },
    ]);
  });

  it('keeps a reference as it was written and pins it by its own digest', async () => {
    const items = await listOf(`nginx\nh.test/a:1@${digest}\nh.test/b@${digest}`);
    expect(items.map((item) => [item.name, item.reference, item.digest])).toEqual([
      ['a', `h.test/a:1@${digest}`, digest],
      ['b', `h.test/b@${digest}`, digest],
      ['nginx', 'nginx', undefined],
    ]);
  });

  it('collapses duplicates in any spelling and in any file, and keeps what either of them knows', async () => {
    const context = memoryContext({
      '/in/1': `nginx:1\nh.test/a:1\n`,
      '/in/2': `docker.io/library/nginx:1\nh.test/a:1@${digest}`,
    });
    const { items, documents } = await images.list(select('/in/1', '/in/2'), context);
    expect(items).toEqual([
      { kind: 'image', name: 'nginx', reference: 'docker.io/library/nginx:1', foundAt: '1:1' },
      { kind: 'image', name: 'a', reference: `h.test/a:1@${digest}`, digest, foundAt: '1:2' },
    ]);
    expect(documents).toEqual([]);
  });

  it('refuses one tag with two digests, naming both places', async () => {
    const listed = listOf(`h.test/a:1@${digest}\n\nh.test/a:1@${otherDigest}`);
    await expect(listed).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: '/in/list.txt:3', message: expect.stringContaining('/in/list.txt:1') },
    });
  });

  it.each([
    ['h.test/a:1\nh.test/a:1#2', 2],
    ['h.test/a:1\n\nhttps://h.test/a', 3],
    [`h.test/a@${digest.slice(0, -1)}`, 1],
  ])('blames the line of %j', async (content, line) => {
    await expect(listOf(content)).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: `/in/list.txt:${line}` },
    });
  });

  it('recognises a list that has a slip in it, and nothing else', () => {
    expect(images.recognises('h.test/a:1\nh.test/b:1\nh.test/C:1\n')).toBe(true);
    expect(images.recognises('# nothing\n')).toBe(false);
    expect(images.recognises('hello\nworld\n')).toBe(false);
    expect(images.recognises('apiVersion: v1\nkind: List\nitems:\n- a/b:1\n')).toBe(false);
    expect(images.recognises('https://h.test/a.tar.gz\n')).toBe(false);
  });
});
