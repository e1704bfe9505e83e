import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Bundle } from '../bundle/reader.ts';
import { plainTar, temporaryFolders } from '../bundle/testing.ts';
import { charmsTree } from './charms-tree.ts';
import { debianTree } from './debian-tree.ts';
import { filesTree } from './files-tree.ts';
import { helmTree } from './helm-tree.ts';
import { buildChart, buildDeb, madeText as text, treeOfFiles, type SampleFile } from './testing.ts';
import type { FileTree } from './tree.ts';

const folder = temporaryFolders(afterEach);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const sha256 = (of: Uint8Array): string => createHash('sha256').update(of).digest('hex');

async function treeOf(make: (bundle: Bundle) => Promise<FileTree>, files: SampleFile[]): Promise<FileTree> {
  return treeOfFiles(await folder(), make, files);
}

describe('files', () => {
  it('lie under the host and path of their URL', async () => {
    const tree = await treeOf(filesTree, [
      { reference: 'https://dl.example/release/v1/kubectl', bytes: bytes('kubectl') },
      { reference: 'http://other.example:8080/a%20b/c%2Fd?x=1', bytes: bytes('odd') },
      { reference: 'file:///home/me/k8s.snap', bytes: bytes('snap'), package: 'snap' },
    ]);
    expect([...tree.files.keys()]).toEqual([
      'dl.example/release/v1/kubectl',
      'local/k8s.snap',
      'other.example:8080/a b/c%2Fd',
    ]);
    expect(tree.files.get('local/k8s.snap')).toEqual({
      kind: 'blob',
      digest: `sha256:${sha256(bytes('snap'))}`,
      size: 4,
    });
    expect(tree.warnings).toEqual([]);
  });

  it('of the same name lie beside each other, and of the same content only once', async () => {
    const tree = await treeOf(filesTree, [
      { reference: 'file:///a/x.snap', bytes: bytes('one') },
      { reference: 'file:///b/x.snap', bytes: bytes('two') },
      { reference: 'file:///c/x.snap', bytes: bytes('one') },
    ]);
    expect([...tree.files.keys()]).toEqual(['local/x.snap', `local/x.snap-${sha256(bytes('two')).slice(0, 12)}`]);
    expect(tree.warnings).toEqual([expect.stringContaining('file:///b/x.snap: local/x.snap is taken')]);
  });

  it('are not a file and a folder at once', async () => {
    const tree = await treeOf(filesTree, [
      { reference: 'https://a.example/x', bytes: bytes('file') },
      { reference: 'https://a.example/x/y', bytes: bytes('below') },
    ]);
    expect([...tree.files.keys()]).toEqual(['a.example/x']);
    expect(tree.warnings).toEqual([expect.stringContaining('https://a.example/x/y: left out')]);
  });

  it('never leave their folder', async () => {
    const references = [
      'https://a.example/..%2f..%2fetc/passwd',
      'file:///%2e%2e',
      'https://a.example/%00',
      'https://a.example/',
    ];
    const tree = await treeOf(
      filesTree,
      references.map((reference) => ({ reference, bytes: bytes(reference) })),
    );
    expect([...tree.files.keys()]).toEqual(['a.example/%00', 'a.example/..%2f..%2fetc/passwd']);
    expect(tree.warnings).toEqual([
      expect.stringContaining('file:///%2e%2e: left out'),
      expect.stringContaining('https://a.example/: left out'),
    ]);
  });
});

describe('charms', () => {
  it('lie side by side', async () => {
    const tree = await treeOf(charmsTree, [
      { reference: 'file:///charms/a.charm', bytes: bytes('a'), package: 'charm' },
      { reference: 'https://x.example/other', bytes: bytes('b') },
    ]);
    expect([...tree.files.keys()]).toEqual(['a.charm']);
  });
});

describe('a Helm repository', () => {
  const chart = buildChart('demo', '1.2.3', 'description: a demo\nappVersion: "7"\n');

  it('lists charts of files and of OCI artifacts', async () => {
    const other = buildChart('other', '0.1.0+build.5');
    const tree = await treeOf(helmTree, [
      { reference: 'https://charts.example/demo-1.2.3.tgz', bytes: chart, package: 'helm' },
      { reference: 'oci.example/charts/other:0.1.0_build.5', bytes: other, chart: true },
    ]);
    expect(parse(text(tree, 'index.yaml'))).toEqual({
      apiVersion: 'v1',
      generated: '1970-01-01T00:00:00Z',
      entries: {
        demo: [
          {
            ...{ apiVersion: 'v2', name: 'demo', version: '1.2.3', description: 'a demo', appVersion: '7' },
            ...{ created: '1970-01-01T00:00:00Z', digest: sha256(chart), urls: ['charts/demo-1.2.3.tgz'] },
          },
        ],
        other: [expect.objectContaining({ version: '0.1.0+build.5', urls: ['charts/other-0.1.0%2Bbuild.5.tgz'] })],
      },
    });
    expect(tree.files.get('charts/other-0.1.0+build.5.tgz')).toMatchObject({ kind: 'blob', size: other.length });
  });

  it.each([
    ['no archive', bytes('text'), 'it is damaged'],
    ['an archive without Chart.yaml', gzipSync(plainTar([{ name: 'demo/x', content: bytes('') }])), 'no Chart.yaml'],
    ['a name that leads elsewhere', buildChart('..', '1.0.0'), 'its Chart.yaml: name'],
    ['no version', buildChart('demo', '"../1"'), 'its Chart.yaml: version'],
    [
      'another chart of that name and version',
      buildChart('demo', '1.2.3', 'icon: other\n'),
      'is another chart demo-1.2.3',
    ],
  ])('leaves out %s with a warning', async (_name, broken, warning) => {
    const tree = await treeOf(helmTree, [
      { reference: 'https://charts.example/a.tgz', bytes: chart, package: 'helm' },
      { reference: 'https://charts.example/b.tgz', bytes: broken, package: 'helm' },
    ]);
    expect([...tree.files.keys()]).toEqual(['charts/demo-1.2.3.tgz', 'index.yaml']);
    expect(tree.warnings).toEqual([expect.stringContaining(warning)]);
    expect(tree.warnings[0]).toContain('https://charts.example/b.tgz: ');
  });
});

describe('a Debian repository', () => {
  it.each(['gzip', 'xz', 'zstd', 'none'] as const)('takes its fields from packages with %s', async (compression) => {
    const fields = { Package: 'hello', Version: '1:2.0-1~x', Architecture: 'all', Depends: 'libc6 (>= 2)' };
    const deb = await buildDeb(await folder(), fields, { compression });
    const tree = await treeOf(debianTree, [
      { reference: 'https://deb.example/hello_1%3a2.0-1~x_all.deb', bytes: deb, package: 'deb' },
    ]);
    expect(tree.warnings).toEqual([]);
    const packages = text(tree, 'Packages');
    expect(packages).toBe(
      [
        'Package: hello',
        'Version: 1:2.0-1~x',
        'Architecture: all',
        'Depends: libc6 (>= 2)',
        'Maintainer: Nobody <nobody@example.test>',
        'Description: a test',
        ' that says nothing',
        'Filename: pool/hello_2.0-1~x_all.deb',
        `Size: ${deb.length}`,
        `SHA256: ${sha256(deb)}`,
        '\n',
      ].join('\n'),
    );
    const zipped = tree.files.get('Packages.gz');
    expect(zipped?.kind === 'bytes' && gunzipSync(zipped.bytes).toString()).toBe(packages);
    const release = text(tree, 'Release');
    expect(release).toContain('Architectures: all\n');
    expect(release).toContain(` ${sha256(bytes(packages))} ${packages.length} Packages\n`);
    expect(release).not.toContain('MD5Sum');
  });

  it('leaves out what is no package, and of two that call themselves the same one', async () => {
    const at = await folder();
    const deb = await buildDeb(at, { Package: 'hello', Version: '1', Architecture: 'all' });
    const twin = await buildDeb(at, { Package: 'hello', Version: '1', Architecture: 'all' }, { compression: 'gzip' });
    const evil = await buildDeb(at, { Package: 'evil', Version: '1', Architecture: 'all' });
    const tree = await treeOf(debianTree, [
      { reference: 'https://deb.example/a.deb', bytes: deb, package: 'deb' },
      { reference: 'https://deb.example/b.deb', bytes: twin, package: 'deb' },
      { reference: 'https://deb.example/c.deb', bytes: bytes('no package'), package: 'deb' },
      { reference: 'https://deb.example/d.deb', bytes: evil.subarray(0, 140), package: 'deb' },
    ]);
    expect([...tree.files.keys()]).toEqual(['Packages', 'Packages.gz', 'Release', 'pool/hello_1_all.deb']);
    expect(tree.warnings).toEqual([
      expect.stringContaining('a.deb is another package that calls itself hello 1 all'),
      expect.stringContaining('it does not begin as an ar archive'),
      expect.stringContaining('it ends within control.tar'),
    ]);
  });

  it.each([
    ['a name with a path', 'Package: ../evil\nVersion: 1\nArchitecture: all\n', 'the Package "../evil"'],
    ['no version', 'Package: evil\nArchitecture: all\n', 'no Version'],
    ['a field twice', 'Package: a\nPackage: b\n', 'the field Package twice'],
    ['a second stanza', 'Package: a\nVersion: 1\nArchitecture: all\n\nPackage: b\n', 'a line that is no field'],
  ])('leaves out a package with %s', async (_name, control, warning) => {
    const tree = await treeOf(debianTree, [
      { reference: 'https://deb.example/evil.deb', bytes: debWith(control), package: 'deb' },
    ]);
    expect(tree.warnings).toEqual([expect.stringContaining(warning)]);
    expect(text(tree, 'Packages')).toBe('');
  });

  it('does not unpack a bomb', async () => {
    const bomb = arWith('control.tar.gz', gzipSync(Buffer.alloc(80 * 1024 * 1024)));
    const tree = await treeOf(debianTree, [{ reference: 'https://deb.example/bomb.deb', bytes: bomb, package: 'deb' }]);
    expect(tree.warnings).toEqual([expect.stringContaining('unpacks to more than')]);
  });
});

function debWith(control: string): Uint8Array {
  return arWith('control.tar', plainTar([{ name: './control', content: bytes(control) }]));
}

function arWith(name: string, member: Uint8Array): Uint8Array {
  const header = (of: string, size: number): string =>
    `${of.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(size).padEnd(10)}\`\n`;
  const version = '2.0\n';
  return Buffer.concat([
    Buffer.from(`!<arch>\n${header('debian-binary', version.length)}${version}${header(name, member.length)}`),
    member,
  ]);
}
