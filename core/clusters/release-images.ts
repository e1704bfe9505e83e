import type { BillItem, BillOfMaterials } from '../../contracts/bill-of-materials.ts';
import type { Digest } from '../../contracts/descriptor.ts';

/** An image that clusters of one Kubernetes version may need. */
export interface ReleaseImage {
  /** as the release names it, e.g. `public.ecr.aws/eks-distro/etcd-io/etcd:v3.5.21-eks-1-34-8` */
  reference: string;
  /** in the bundle; absent when the export left it out */
  item?: BillItem;
  /** what its tag may point to in a registry: as in the bundle, or as upstream has it */
  digests: Digest[];
}

/**
 * The images that blocks of a release name, each once. What an export's selection did not take is left out; what an operator
 * skipped is not.
 * @param blocks of `Bundles` or of an EKS Distro release: every object with a `uri` that is no URL, wherever it stands
 */
export function releaseImages({ items, skipped }: BillOfMaterials, blocks: unknown): ReleaseImage[] {
  const carried = new Map(items.filter(({ kind }) => kind === 'image').map((item) => [item.reference, item]));
  const left = new Set(skipped.map(({ reference }) => reference));
  const named = new Map(namedImages(blocks).map((one) => [one.uri, one]));
  return [...named.values()].flatMap(({ uri, digest }): ReleaseImage[] => {
    const item = carried.get(uri);
    if (item === undefined && !left.has(uri)) return [];
    const digests = [item?.digest, item?.originDigest, digest].filter((known) => known !== undefined);
    return [{ reference: uri, ...(item === undefined ? {} : { item }), digests: [...new Set(digests)] }];
  });
}

// a chart is known by its key
function namedImages(value: unknown, key = ''): { uri: string; digest?: Digest }[] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.entries(value).flatMap(([name, field]) => namedImages(field, name));
  const { uri, imageDigest } = value as { uri?: unknown; imageDigest?: unknown };
  if (typeof uri !== 'string' || uri === '' || uri.includes('://') || /chart$/i.test(key)) return below;
  return [{ uri, ...(typeof imageDigest === 'string' ? { digest: imageDigest as Digest } : {}) }, ...below];
}
