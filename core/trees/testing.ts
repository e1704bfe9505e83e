import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { BillItem, PackageFormat } from '../../contracts/bill-of-materials.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { billOfMaterialsArtifact, fileArtifact, type Content } from '../bundle/artifacts.ts';
import { buildIndex } from '../bundle/index-json.ts';
import { openBundle, type Bundle } from '../bundle/reader.ts';
import { assemble, content, expectedEntries, plainTar } from '../bundle/testing.ts';
import type { FileTree } from './tree.ts';

const run = promisify(execFile);

export interface SampleFile {
  reference: string;
  bytes: Uint8Array;
  package?: PackageFormat;
  /** an OCI chart instead of a file */
  chart?: true;
}

/** Writes a bundle of these files. @returns its path */
export async function writeFileBundle(path: string, files: SampleFile[]): Promise<string> {
  const metadata = new Map<string, Content>();
  const blobs = new Map<string, Content>();
  const items: BillItem[] = [];
  const note = (map: Map<string, Content>, part: Content): Content => {
    map.set(part.descriptor.digest, part);
    return part;
  };
  for (const file of files) {
    const { reference, chart } = file;
    const type = chart === true ? 'application/vnd.cncf.helm.chart.content.v1.tar+gzip' : 'application/octet-stream';
    const blob = note(blobs, content(type, file.bytes));
    const title = reference.split('/').at(-1)!;
    const artifact = chart === true ? chartArtifact(blob) : fileArtifact({ title, ...blob.descriptor });
    note(metadata, artifact.manifest);
    note(metadata, artifact.config);
    items.push({
      kind: chart === true ? 'chart' : 'file',
      name: title,
      reference,
      digest: artifact.manifest.descriptor.digest,
      destination: `files/${items.length}:v1`,
      origin: 'files.example',
      size: blob.bytes.length,
      source: 'sample',
      ...(file.package === undefined ? {} : { package: file.package }),
    });
  }
  const bill = billOfMaterialsArtifact({
    schemaVersion: 1,
    sources: [{ name: 'sample', selection: {} }],
    platforms: [],
    items,
    skipped: [],
  });
  for (const part of [bill.manifest, bill.config, bill.layer]) note(metadata, part);
  const named = items.map(({ digest, reference }) => ({
    descriptor: metadata.get(digest)!.descriptor,
    refName: reference,
  }));
  const small = [...metadata.values()];
  const large = [...blobs.values()].filter(({ descriptor }) => !metadata.has(descriptor.digest));
  const sample = assemble(buildIndex(named, [], bill.manifest.descriptor), small, large);
  await writeFile(path, plainTar(expectedEntries(sample)));
  return path;
}

/** Writes a bundle of these files and opens it. */
export async function fileBundle(folder: string, files: SampleFile[]): Promise<Bundle> {
  return openBundle(await writeFileBundle(join(folder, 'bundle.tar'), files));
}

/** What `make` makes of a bundle of these files, which lies in `folder`. */
export async function treeOfFiles(
  folder: string,
  make: (bundle: Bundle) => Promise<FileTree>,
  files: SampleFile[],
): Promise<FileTree> {
  const bundle = await fileBundle(folder, files);
  try {
    return await make(bundle);
  } finally {
    await bundle.close();
  }
}

/** A file of a tree that was made, as text. */
export function madeText(tree: FileTree, path: string): string {
  const file = tree.files.get(path);
  if (file?.kind !== 'bytes') throw new Error(`${path} is not among ${[...tree.files.keys()].join(' ')}`);
  return Buffer.from(file.bytes).toString('utf8');
}

function chartArtifact(blob: Content): { manifest: Content; config: Content } {
  const config = content(MediaType.helmConfig, { name: 'chart' });
  const { ociManifest: mediaType } = MediaType;
  const manifest = content(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: config.descriptor,
    layers: [blob.descriptor],
  });
  return { manifest, config };
}

/** A package made by dpkg-deb. @param fields of the control file beside Maintainer and Description; Package, Version and Architecture are required */
export async function buildDeb(
  folder: string,
  fields: Record<string, string>,
  options: { compression?: 'gzip' | 'xz' | 'zstd' | 'none'; files?: Record<string, string> } = {},
): Promise<Uint8Array> {
  const root = join(folder, `deb-${fields['Package']!}-${fields['Architecture']!}-${options.compression ?? 'xz'}`);
  const control = { ...fields, Maintainer: 'Nobody <nobody@example.test>', Description: 'a test\n that says nothing' };
  const lines = Object.entries(control).map(([name, value]) => `${name}: ${value}\n`);
  await writeTree(root, { 'DEBIAN/control': lines.join(''), ...options.files });
  const output = `${root}.deb`;
  const compression = options.compression ?? 'xz';
  // dpkg-deb compresses the control member with gzip or xz alike only when it is told to be uniform
  await run('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--uniform-compression', '-b', root, output], {
    env: { ...process.env, SOURCE_DATE_EPOCH: '0' },
  });
  return readFile(output);
}

/** The smallest wheel: one module that says its version. */
export async function buildWheel(
  folder: string,
  wheel: { name: string; version: string; requires?: string[]; requiresPython?: string },
): Promise<{ name: string; bytes: Uint8Array }> {
  const { name, version, requires = [], requiresPython } = wheel;
  const info = `${name}-${version}.dist-info`;
  const root = join(folder, `wheel-${name}-${version}`);
  const metadata = [
    ...['Metadata-Version: 2.1', `Name: ${name}`, `Version: ${version}`],
    ...(requiresPython === undefined ? [] : [`Requires-Python: ${requiresPython}`]),
    ...requires.map((one) => `Requires-Dist: ${one}`),
  ];
  await writeTree(root, {
    [`${name}.py`]: `version = '${version}'\n`,
    [`${info}/METADATA`]: `${metadata.join('\n')}\n\nRequires-Python: no field, it is in the description\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: [`${name}.py`, ...['METADATA', 'WHEEL', 'RECORD'].map((one) => `${info}/${one}`)]
      .map((path) => `${path},,\n`)
      .join(''),
  });
  const file = `${name}-${version}-py3-none-any.whl`;
  const output = join(folder, file);
  await run('python3', ['-m', 'zipfile', '-c', output, `${name}.py`, info], { cwd: root });
  return { name: file, bytes: await readFile(output) };
}

/** A chart archive with one template. */
export function buildChart(name: string, version: string, metadata = ''): Uint8Array {
  const entries = {
    'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: ${version}\n${metadata}`,
    'templates/configmap.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  chart: {{ .Chart.Version | quote }}\n`,
  };
  return gzipSync(
    plainTar(Object.entries(entries).map(([path, text]) => ({ name: `${name}/${path}`, content: Buffer.from(text) }))),
  );
}

async function writeTree(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}
