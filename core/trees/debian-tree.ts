import { gzipSync } from 'node:zlib';
import type { Bundle } from '../bundle/reader.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { filesOf, type BundleFile } from './bundle-files.ts';
import { readDebControl, type ControlFields } from './debian-control.ts';
import { TreeBuilder } from './tree-builder.ts';
import type { FileTree } from './tree.ts';

/** Always the same, so that the same bundle gives the same bytes; apt takes any date that does not go back. */
const DATE = 'Thu, 01 Jan 1970 00:00:00 UTC';

/** Names and versions as Debian Policy 5.6.1 and 5.6.12 have them: nothing that could leave the pool. */
const NAME = /^[a-z0-9][a-z0-9+.-]*$/;
const VERSION = /^(?:\d+:)?[A-Za-z0-9][A-Za-z0-9.+~-]*$/;
const ARCHITECTURE = /^[a-z0-9][a-z0-9-]*$/;

/**
 * A flat Debian repository (`deb URL ./`, sources.list(5)): `Packages`, `Packages.gz` and `Release` at the top, packages of
 * every architecture in `pool/`. The fields of `Packages` are those of each package's own control file. Unsigned: see
 * {@link signRelease}.
 *
 * @throws SealiftError BundleCorrupt
 */
export async function debianTree(bundle: Bundle): Promise<FileTree> {
  const tree = new TreeBuilder();
  const stanzas = new Map<string, { file: BundleFile; architecture: string; text: string }>();
  for (const file of await filesOf(bundle, (item) => item.package === 'deb')) {
    const { item, blob } = file;
    await tree.attempt(item.reference, async () => {
      const fields = await readDebControl((start, length) => bundle.readPart(blob.digest, start, length));
      const { key, path, architecture } = identify(fields);
      const other = stanzas.get(key);
      if (other?.file.blob.digest === blob.digest) return;
      // apt takes one name, version and architecture for one package, whatever its content.
      if (other !== undefined)
        throw new Error(`${other.file.item.reference} is another package that calls itself ${key}`);
      const place = tree.addBlob(path, blob, item.reference);
      if (place !== undefined) stanzas.set(key, { file, architecture, text: stanza(fields, place, file) });
    });
  }
  const sorted = [...stanzas].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  const packages = Buffer.from(sorted.map(({ text }) => `${text}\n`).join(''));
  const indexes: [string, Uint8Array][] = [
    ['Packages', packages],
    ['Packages.gz', gzipSync(packages, { level: 9 })],
  ];
  for (const [path, bytes] of indexes) tree.addBytes(path, bytes);
  const architectures = [...new Set(sorted.map(({ architecture }) => architecture))].sort();
  tree.addBytes('Release', release(architectures, indexes));
  return tree.build();
}

function identify(fields: ControlFields): { key: string; path: string; architecture: string } {
  const [name, version, architecture] = [
    field(fields, 'Package', NAME),
    field(fields, 'Version', VERSION),
    field(fields, 'Architecture', ARCHITECTURE),
  ];
  const path = `pool/${name}_${version.replace(/^\d+:/, '')}_${architecture}.deb`;
  return { key: `${name} ${version} ${architecture}`, path, architecture };
}

function field(fields: ControlFields, name: string, form: RegExp): string {
  const value = fields.get(name);
  if (value === undefined) throw new Error(`its control file has no ${name}`);
  if (!form.test(value)) throw new Error(`its control file has the ${name} ${JSON.stringify(value.slice(0, 80))}`);
  return value;
}

/** What an index says of a package beside its own fields (repository format, "Packages Indices"). */
function stanza(fields: ControlFields, path: string, { blob }: BundleFile): string {
  const own = new Set(['Filename', 'Size', 'SHA256', 'MD5sum', 'SHA1', 'SHA512']);
  const lines = [...fields].filter(([name]) => !own.has(name)).map(([name, value]) => `${name}: ${value}`.trimEnd());
  return [...lines, `Filename: ${path}`, `Size: ${blob.size}`, `SHA256: ${hexOf(blob.digest)}`, ''].join('\n');
}

function release(architectures: string[], indexes: [string, Uint8Array][]): string {
  const sums = indexes.map(([path, bytes]) => ` ${hexOf(digestOf(bytes))} ${bytes.length} ${path}`);
  return [
    'Origin: Sealift',
    'Label: Sealift',
    'Suite: sealift',
    'Codename: sealift',
    `Date: ${DATE}`,
    `Architectures: ${architectures.join(' ')}`.trimEnd(),
    'Description: Packages from a Sealift bundle',
    'SHA256:',
    ...sums,
    '',
  ].join('\n');
}
