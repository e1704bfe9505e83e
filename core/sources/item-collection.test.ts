import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import { createItemCollection, itemsOfSources } from './item-collection.ts';

const digest: Digest = `sha256:${'a'.repeat(64)}`;
const otherDigest: Digest = `sha256:${'b'.repeat(64)}`;

function collect(items: readonly SourceItem[]): SourceItem[] {
  const collection = createItemCollection();
  items.forEach((item, index) => collection.add(item, { file: 'f', line: index + 1 }));
  return collection.items();
}

function image(reference: string, fields: Partial<SourceItem> = {}): SourceItem {
  return { kind: 'image', name: 'x', reference, foundAt: 'x', ...fields };
}

function file(reference: string, fields: Partial<SourceItem> = {}): SourceItem {
  return { kind: 'file', name: 'x', reference, foundAt: 'x', ...fields };
}

describe('an item collection', () => {
  it('is the same whatever the order, and has everything once', () => {
    const item = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('h.test/', '', 'docker.io/'),
          fc.constantFrom('a/b', 'c'),
          fc.constantFrom(':1', ':2', ''),
        )
        .map(([host, path, tag]) => image(`${host}${path}${tag}`)),
      fc.constantFrom('https://h.test/a', 'https://h.test/b').map((url) => file(url)),
    );
    fc.assert(
      fc.property(fc.array(item), fc.func(fc.nat()), (items, rank) => {
        const shuffled = items
          .map((entry, index) => ({ entry, key: rank(index) }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry);
        const collected = collect(items);
        expect(collect(shuffled)).toEqual(collected);
        expect(collect([...items, ...items])).toEqual(collected);
      }),
    );
  });

  it('puts together what duplicates know', () => {
    const url = 'https://h.test/a';
    expect(
      collect([
        image('h.test/a:1', { platforms: ['linux/arm64'], foundAt: 'first' }),
        image('h.test/a:1', { platforms: ['linux/amd64'], digest, foundAt: 'second' }),
        file(url, { checksums: { sha256: 'aa' } }),
        file(url, { checksums: { sha256: 'aa', sha512: 'bb' } }),
      ]),
    ).toEqual([
      file(url, { checksums: { sha256: 'aa', sha512: 'bb' } }),
      image('h.test/a:1', { platforms: ['linux/amd64', 'linux/arm64'], digest, foundAt: 'first' }),
    ]);
  });

  it.each([
    [image('h.test/a:1', { digest }), image('h.test/a:1', { digest: otherDigest })],
    [image('h.test/a:1', { digest }), image(`h.test/a:1@${otherDigest}`, { digest: otherDigest })],
    [
      file('https://h.test/a', { checksums: { sha512: 'aa' } }),
      file('https://h.test/a', { checksums: { sha512: 'bb' } }),
    ],
  ])('refuses a contradiction, naming both places', (a, b) => {
    expect(() => collect([a, b])).toThrow(
      expect.objectContaining({
        type: 'InvalidInput',
        problem: expect.objectContaining({ subject: 'f:2', message: expect.stringContaining('at f:1') }),
      }),
    );
  });

  it('keeps two digests of one repository apart when there is no tag', () => {
    const references = [`h.test/a@${digest}`, `h.test/a@${otherDigest}`];
    expect(collect(references.map((reference) => image(reference))).map((item) => item.reference)).toEqual(references);
  });
});

describe('itemsOfSources', () => {
  it('has once what several sources list, under the first, with what any of them knows', () => {
    const items = itemsOfSources([
      { source: 'a', items: [image('nginx:1'), image('h.test/only:1')] },
      { source: 'b', items: [image('docker.io/library/nginx:1', { digest })] },
    ]);
    expect(items).toEqual([
      { ...image('docker.io/library/nginx:1', { digest }), source: 'a' },
      { ...image('h.test/only:1'), source: 'a' },
    ]);
  });

  it('refuses what they contradict each other about, naming both', () => {
    const listed = [digest, otherDigest].map((stated, index) => ({
      source: `s${index}`,
      items: [image('h.test/a:1', { digest: stated })],
    }));
    expect(() => itemsOfSources(listed)).toThrow(/source s1.* at source s0/);
  });
});
