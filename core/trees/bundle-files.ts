import { z } from 'zod';
import type { BillItem } from '../../contracts/bill-of-materials.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import { parseBoundedJson } from '../bundle/bounded-json.ts';
import { corruptBundle } from '../bundle/bundle-error.ts';
import type { ReadableBundle } from '../bundle/reader.ts';
import { isDigest } from '../oci/digest.ts';

/** Where a chart's archive is in its OCI artifact (Helm, "Use OCI-based registries"). */
const CHART_LAYER = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

/** A file of the bundle: the layer of the artifact that wraps it. */
export interface BundleFile {
  item: BillItem;
  /** file name, from the last segment of its URL */
  name: string;
  blob: { digest: Digest; size: number };
}

/** The files that a filter picks, sorted by URL. @throws SealiftError BundleCorrupt when an artifact wraps no file */
export async function filesOf(bundle: ReadableBundle, wanted: (item: BillItem) => boolean): Promise<BundleFile[]> {
  const items = bundle.billOfMaterials.items
    .filter((item) => (item.kind === 'file' || item.kind === 'manifest') && wanted(item))
    .sort((a, b) => (a.reference < b.reference ? -1 : 1));
  const files: BundleFile[] = [];
  for (const item of items) {
    const [blob] = await layersOf(bundle, item);
    if (blob === undefined) throw noFile(bundle, item, 'its artifact has no layer');
    files.push({ item, name: pathSegments(item.reference).at(-1) ?? item.name, blob });
  }
  return files;
}

/** The archives of the charts that came as OCI artifacts. Sorted by reference; what holds no chart is left out. */
export async function chartArchives(bundle: ReadableBundle): Promise<BundleFile[]> {
  const charts = bundle.billOfMaterials.items
    .filter(({ kind }) => kind === 'chart')
    .sort((a, b) => (a.reference < b.reference ? -1 : 1));
  const archives: BundleFile[] = [];
  for (const item of charts) {
    const layer = (await layersOf(bundle, item)).find(({ mediaType }) => mediaType === CHART_LAYER);
    if (layer !== undefined) archives.push({ item, name: `${item.name}.tgz`, blob: layer });
  }
  return archives;
}

/**
 * The path of a URL as decoded segments, without empty ones. A segment that would decode to something with a slash or a
 * control character stays as it is.
 */
export function pathSegments(url: string): string[] {
  return new URL(url).pathname
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => {
      try {
        const decoded = decodeURIComponent(segment);
        return /[/\\\u0000-\u001f\u007f]/.test(decoded) ? segment : decoded;
      } catch {
        return segment;
      }
    });
}

const manifestShape = z.object({
  layers: z
    .array(
      z.object({
        mediaType: z.string(),
        digest: z.custom<Digest>(isDigest, 'not a sha256 digest'),
        size: z.number().int().nonnegative(),
      }),
    )
    .default([]),
});

async function layersOf(bundle: ReadableBundle, item: BillItem): Promise<z.infer<typeof manifestShape>['layers']> {
  const bytes = await bundle.read(item.digest);
  let value: unknown;
  try {
    value = parseBoundedJson(bytes);
  } catch (error) {
    throw noFile(bundle, item, (error as Error).message);
  }
  const parsed = manifestShape.safeParse(value);
  if (!parsed.success) throw noFile(bundle, item, parsed.error.issues[0]?.message ?? 'it is not a manifest');
  for (const { digest, size } of parsed.data.layers) {
    const span = bundle.locate(digest);
    if (span?.size !== size) throw noFile(bundle, item, `its layer ${digest} is missing or has another size`);
  }
  return parsed.data.layers;
}

function noFile(bundle: ReadableBundle, item: BillItem, message: string): Error {
  const offset = bundle.locate(item.digest)?.offset ?? 0;
  return corruptBundle({ path: bundle.path, entry: item.digest, offset }, `${item.reference}: ${message}`);
}
