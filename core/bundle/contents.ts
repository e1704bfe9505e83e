import { z } from 'zod';
import type { BillItem } from '../../contracts/bill-of-materials.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import type { BundleContents, BundleItem, ContentSum } from '../../contracts/host.ts';
import { parseManifest } from '../oci/manifest.ts';
import { formatPlatform } from '../oci/platform.ts';
import { parseBoundedJson } from './bounded-json.ts';
import type { Bundle } from './reader.ts';

/** What is for every platform: files, charts, signatures. */
const ANY_PLATFORM = 'any';

/**
 * What is in a bundle and what it weighs. Bytes are those of manifests and blobs; in every sum each is counted once, however
 * many items need it.
 *
 * @throws SealiftError BundleCorrupt, ManifestInvalid
 */
export async function bundleContents(bundle: Bundle): Promise<BundleContents> {
  const { sources, platforms, items, skipped } = bundle.billOfMaterials;
  const weighed = await Promise.all(items.map((item) => weigh(bundle, item)));
  const users = new Map<Digest, number>();
  for (const { all } of weighed) for (const digest of all.keys()) users.set(digest, (users.get(digest) ?? 0) + 1);
  const listed = weighed.map(({ item, all, byPlatform }): BundleItem => {
    const shared = [...all].filter(([digest]) => users.get(digest)! > 1);
    const { kind, name, reference, digest, origin, source, package: format } = item;
    return {
      ...{ kind, name, reference, digest, origin, source },
      ...(format === undefined ? {} : { package: format }),
      platforms: [...byPlatform.keys()].filter((platform) => platform !== ANY_PLATFORM).sort(),
      size: total(all),
      sharedBytes: total(new Map(shared)),
    };
  });
  const everything = merge(weighed.map(({ all }) => all));
  return {
    ...{ digest: bundle.identity, size: bundle.size, sources, platforms, skipped },
    items: listed,
    blobs: everything.size,
    bytes: total(everything),
    bySource: sums(weighed.map(({ item, all }) => [item.source, all])),
    byPlatform: sums(weighed.flatMap(({ byPlatform }) => [...byPlatform])),
    byPackage: sums(weighed.flatMap(({ item, all }) => (item.package === undefined ? [] : [[item.package, all]]))),
  };
}

type Sizes = Map<Digest, number>;

interface Weighed {
  item: BillItem;
  all: Sizes;
  byPlatform: Map<string, Sizes>;
}

async function weigh(bundle: Bundle, item: BillItem): Promise<Weighed> {
  const attached = await Promise.all((item.attached ?? []).map(({ digest }) => sizesOf(bundle, digest)));
  const all = merge([await sizesOf(bundle, item.digest), ...attached]);
  const byPlatform = new Map<string, Sizes>();
  const root = parseManifest(await bundle.read(item.digest));
  if (root.kind === 'manifest') {
    byPlatform.set(item.kind === 'image' ? await platformOf(bundle, root.blobs[0]?.digest) : ANY_PLATFORM, all);
    return { item, all, byPlatform };
  }
  for (const { digest, platform } of root.children) {
    // BuildKit's attestations say unknown/unknown
    const known = platform !== undefined && platform.os !== 'unknown';
    const name = known ? formatPlatform(platform) : ANY_PLATFORM;
    byPlatform.set(name, merge([byPlatform.get(name) ?? new Map<Digest, number>(), await sizesOf(bundle, digest)]));
  }
  return { item, all, byPlatform };
}

async function sizesOf(bundle: Bundle, root: Digest): Promise<Sizes> {
  const { manifests, blobs } = await bundle.closure(root);
  // the root's own descriptor is known by its place alone
  return new Map([...manifests, ...blobs].map(({ digest }) => [digest, bundle.locate(digest)!.size]));
}

const configShape = z.object({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().exactOptional(),
});

/** What an image's config says it runs on (image-spec v1.1, config.md). */
async function platformOf(bundle: Bundle, config: Digest | undefined): Promise<string> {
  if (config === undefined) return ANY_PLATFORM;
  try {
    return formatPlatform(configShape.parse(parseBoundedJson(await bundle.read(config))));
  } catch {
    // a config of another kind: artifacts may have any
    return ANY_PLATFORM;
  }
}

function sums(parts: [name: string, sizes: Sizes][]): ContentSum[] {
  const groups = new Map<string, Sizes[]>();
  for (const [name, sizes] of parts) groups.set(name, [...(groups.get(name) ?? []), sizes]);
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, sizes]) => ({ name, items: sizes.length, bytes: total(merge(sizes)) }));
}

function merge(maps: Sizes[]): Sizes {
  return new Map(maps.flatMap((sizes) => [...sizes]));
}

function total(sizes: Sizes): number {
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
