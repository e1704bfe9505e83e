import { parse, stringify } from 'yaml';
import { z } from 'zod';
import type { Bundle } from '../bundle/reader.ts';
import { hexOf } from '../oci/digest.ts';
import { chartArchives, filesOf, type BundleFile } from './bundle-files.ts';
import { decompress } from './decompress.ts';
import { readTarEntry } from './tar-entries.ts';
import { TreeBuilder } from './tree-builder.ts';
import type { FileTree } from './tree.ts';

/** Helm itself refuses archives that unpack to more than 100 MiB, and files in them of more than 5 MiB. */
const MAX_ARCHIVE = 32 * 1024 * 1024;
const MAX_UNPACKED = 100 * 1024 * 1024;
const MAX_METADATA = 5 * 1024 * 1024;

/** Always the same, so that the same bundle gives the same bytes. */
const CREATED = '1970-01-01T00:00:00Z';

/** A chart's name and version may stand in a file name: letters, digits and what SemVer 2 has. */
const chartShape = z.looseObject({
  apiVersion: z.string().default('v1'),
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  version: z.string().regex(/^v?\d[A-Za-z0-9.+-]*$/),
});

type Chart = z.infer<typeof chartShape>;

/**
 * A Helm repository: `index.yaml` with what each chart's own Chart.yaml says, archives in `charts/`, their URLs relative.
 * Charts of the bundle that came as OCI artifacts are in it too.
 *
 * @throws SealiftError BundleCorrupt
 */
export async function helmTree(bundle: Bundle): Promise<FileTree> {
  const tree = new TreeBuilder();
  const found = new Map<string, { chart: Chart; file: BundleFile }>();
  const files = await filesOf(bundle, (item) => item.package === 'helm');
  for (const file of [...files, ...(await chartArchives(bundle))]) {
    const { item, blob } = file;
    await tree.attempt(item.reference, async () => {
      const chart = await readChart(bundle, file);
      const key = `${chart.name}-${chart.version}`;
      const other = found.get(key);
      if (other?.file.blob.digest === blob.digest) return;
      if (other !== undefined) throw new Error(`${other.file.item.reference} is another chart ${key}`);
      tree.addBlob(`charts/${key}.tgz`, blob, item.reference);
      found.set(key, { chart, file });
    });
  }
  tree.addBytes('index.yaml', index([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)));
  return tree.build();
}

async function readChart(bundle: Bundle, { blob }: BundleFile): Promise<Chart> {
  if (blob.size > MAX_ARCHIVE) throw new Error(`it has ${blob.size} bytes, more than the ${MAX_ARCHIVE} of a chart`);
  const tar = await decompress(await bundle.read(blob.digest, MAX_ARCHIVE), 'gzip', MAX_UNPACKED);
  const text = await readTarEntry(tar, (path) => /^(?:\.\/)?[^/]+\/Chart\.yaml$/.test(path), MAX_METADATA);
  if (text === undefined) throw new Error('it holds no Chart.yaml');
  const parsed = chartShape.safeParse(parse(new TextDecoder().decode(text)));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`its Chart.yaml: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`);
}

/** The index of a chart repository (Helm, "The Chart Repository Guide"). */
function index(charts: { chart: Chart; file: BundleFile }[]): string {
  const entries = new Map<string, object[]>();
  for (const { chart, file } of charts) {
    const { name, version } = chart;
    const url = `charts/${encodeURIComponent(`${name}-${version}.tgz`)}`;
    const entry = { ...chart, created: CREATED, digest: hexOf(file.blob.digest), urls: [url] };
    entries.set(name, [...(entries.get(name) ?? []), entry]);
  }
  return stringify({ apiVersion: 'v1', entries, generated: CREATED }, { sortMapEntries: true });
}
