import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { plainTar, temporaryFolders } from '../bundle/testing.ts';
import { normalizedProject, pythonTree } from './python-tree.ts';
import { buildWheel, madeText as text, treeOfFiles, type SampleFile } from './testing.ts';
import type { FileTree } from './tree.ts';

const folder = temporaryFolders(afterEach);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const sha256 = (of: Uint8Array): string => createHash('sha256').update(of).digest('hex');

async function indexOf(files: Omit<SampleFile, 'package'>[]): Promise<FileTree> {
  const python = files.map((file) => ({ ...file, package: 'python' as const }));
  return treeOfFiles(await folder(), pythonTree, python);
}

describe('a Python index', () => {
  const wheel = bytes('a wheel');

  it('has a page a project, with names normalised and digests stated', async () => {
    const tree = await indexOf([
      { reference: 'https://py.example/Foo.Bar-1.0-py3-none-any.whl', bytes: wheel },
      { reference: 'https://py.example/foo_bar-0.9+local.1.tar.gz', bytes: bytes('sdist') },
      { reference: 'https://py.example/python-dateutil-2.8.2.tar.gz', bytes: bytes('other') },
    ]);
    expect(text(tree, 'simple/index.html')).toContain('<a href="foo-bar/">foo-bar</a>');
    const page = text(tree, 'simple/foo-bar/index.html');
    expect(page).toContain(`<a href="../../packages/Foo.Bar-1.0-py3-none-any.whl#sha256=${sha256(wheel)}">`);
    expect(page).toContain('href="../../packages/foo_bar-0.9%2Blocal.1.tar.gz#sha256=');
    expect(JSON.parse(text(tree, 'simple/foo-bar/index.json'))).toMatchObject({
      meta: { 'api-version': '1.1' },
      name: 'foo-bar',
      versions: ['0.9+local.1', '1.0'],
      files: [{ filename: 'Foo.Bar-1.0-py3-none-any.whl', hashes: { sha256: sha256(wheel) }, size: 7 }, {}],
    });
    expect(JSON.parse(text(tree, 'simple/index.json'))).toMatchObject({
      projects: [{ name: 'foo-bar' }, { name: 'python-dateutil' }],
    });
    expect(tree.files.get('packages/Foo.Bar-1.0-py3-none-any.whl')).toMatchObject({ kind: 'blob', size: 7 });
  });

  it('offers one file of a name, and says which names it does not understand', async () => {
    const tree = await indexOf([
      { reference: 'https://a.example/foo-1.0.tar.bz2', bytes: bytes('one') },
      { reference: 'https://b.example/foo-1.0.tar.bz2', bytes: bytes('another') },
      { reference: 'https://b.example/<script>.whl', bytes: bytes('odd') },
    ]);
    expect([...tree.files.keys()].filter((path) => path.startsWith('packages/'))).toHaveLength(1);
    expect(tree.warnings).toEqual([
      expect.stringContaining("<script>.whl: left out, its name is no wheel's"),
      expect.stringContaining('https://a.example/foo-1.0.tar.bz2 has the same name'),
    ]);
  });

  it.each([
    ['Foo', 'foo'],
    ['ruamel.yaml', 'ruamel-yaml'],
    ['a_-.b', 'a-b'],
  ])('normalises %s to %s', (name, normalized) => {
    expect(normalizedProject(name)).toBe(normalized);
  });

  it('says of wheels and sdists for which Python they are', async () => {
    const at = await folder();
    const wheels = [
      await buildWheel(at, { name: 'foo', version: '1.0', requiresPython: '>=3.8, <4' }),
      await buildWheel(at, { name: 'foo', version: '0.9' }),
    ];
    const tree = await indexOf([
      ...wheels.map((wheel) => ({ reference: `https://py.example/${wheel.name}`, bytes: wheel.bytes })),
      { reference: 'https://py.example/foo-2.0.tar.gz', bytes: sdist('foo-2.0', '>=3.10') },
      { reference: 'https://py.example/foo-0.1.tar.gz', bytes: sdist('foo-0.1', 'UNKNOWN') },
    ]);
    expect(tree.warnings).toEqual([]);
    const { files } = JSON.parse(text(tree, 'simple/foo/index.json')) as { files: Record<string, unknown>[] };
    expect(files.map((file) => [file['filename'], file['requires-python']])).toEqual([
      ['foo-0.1.tar.gz', undefined],
      ['foo-0.9-py3-none-any.whl', undefined],
      ['foo-1.0-py3-none-any.whl', '>=3.8, <4'],
      ['foo-2.0.tar.gz', '>=3.10'],
    ]);
    const page = text(tree, 'simple/foo/index.html');
    expect(page.match(/ data-requires-python="[^"]*">[^<]*/g)).toEqual([
      ' data-requires-python="&gt;=3.8, &lt;4">foo-1.0-py3-none-any.whl',
      ' data-requires-python="&gt;=3.10">foo-2.0.tar.gz',
    ]);
  });

  it.each([
    ['a wheel that is no zip', 'foo-1.0-py3-none-any.whl', bytes('a wheel'), /end of central directory/i],
    ['a wheel without metadata', 'foo-1.0-py3-none-any.whl', emptyZip(), /without METADATA/],
    ['an sdist that is not compressed', 'foo-1.0.tar.gz', bytes('an sdist'), /incorrect header check/],
    [
      'an sdist that is cut',
      'foo-1.0.tar.gz',
      sdist('x', '>=3', randomBytes(9000)).subarray(0, 4000),
      /unexpected end/,
    ],
    ['a requirement that is none', 'foo-1.0.tar.gz', sdist('foo-1.0', '"><script>'), /its metadata has .*<script>/],
    ['metadata that is too long', 'foo-1.0.tar.gz', sdist('foo-1.0', ' '.repeat(5_000_000)), /more than 4194304 bytes/],
    ['an sdist that unpacks to a lot', 'foo-1.0.tar.gz', gzipSync(paddedTar(300_000_000)), /within its first/],
  ])('offers %s, and says that it could not be read', async (_what, name, broken, warning) => {
    const tree = await indexOf([{ reference: `https://py.example/${name}`, bytes: broken }]);
    expect(tree.warnings).toEqual([expect.stringMatching(warning)]);
    expect(tree.warnings[0]).toContain(`https://py.example/${name}: for which Python it is can't be read: `);
    const page = text(tree, 'simple/foo/index.html');
    expect(page).toContain(name);
    expect(page).not.toContain('data-requires-python');
  });
});

/** An sdist with its metadata last, as hatch and poetry write it. */
function sdist(root: string, requiresPython: string, before = bytes('import this\n')): Uint8Array {
  const metadata = `Metadata-Version: 2.1\nName: foo\nRequires-Python: ${requiresPython}\n\nRequires-Python: <3\n`;
  return gzipSync(
    plainTar([
      { name: `${root}/deeper/PKG-INFO`, content: bytes('Requires-Python: <2\n') },
      { name: `${root}/foo.py`, content: before },
      { name: `${root}/PKG-INFO`, content: bytes(metadata) },
    ]),
  );
}

/** A tar whose only file goes on for so many bytes. */
function paddedTar(size: number): Uint8Array {
  return plainTar([{ name: 'foo-1.0/zeros', content: Buffer.alloc(size) }]);
}

/** The end of a central directory (APPNOTE 6.3, 4.3.16) that lists nothing. */
function emptyZip(): Uint8Array {
  return Buffer.concat([bytes('PK\u0005\u0006'), Buffer.alloc(18)]);
}
