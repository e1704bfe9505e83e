import type { Digest } from './descriptor.ts';

/** What a thing is, and so how it is fetched and where it lands: OCI content by reference, a file by URL. */
export type ItemKind = 'image' | 'chart' | 'manifest' | 'file';

/** What a file is a package of: which repository on the far side it belongs to. */
export type PackageFormat = 'snap' | 'charm' | 'deb' | 'python' | 'helm';

export interface Checksums {
  sha256?: string;
  sha512?: string;
}

/** An image in a tar on this machine, as `docker save`, `podman save`, `skopeo copy` or `crane pull` write it. */
export interface ArchivedImage {
  /** what the archive calls it: `host/path:tag`, or `host/path@digest` where it has no tag */
  name: string;
  /** absolute path of an uncompressed tar, which stays until the export ends */
  path: string;
  /** where the image's own tar lies in it, in bytes: an archive may hold a tar for each image */
  offset: number;
  size: number;
  /** the operator's file, and the entry in it, for errors: `/data/images.tar.gz/app.tar` */
  shownAs: string;
}

/** One thing a distribution needs, as its source plugin states it. Nothing has been fetched yet. */
export interface SourceItem {
  kind: ItemKind;
  /** the name its source gives it, e.g. `kube-rbac-proxy`; for people, not unique */
  name: string;
  /** images and charts: the full reference `host/path:tag[@digest]`; manifests and files: an absolute http(s) or file URL */
  reference: string;
  /** images and charts: the digest the source states; the content is pulled by it */
  digest?: Digest;
  /** images: its bytes are here, and no registry is asked */
  archive?: ArchivedImage;
  /** files and manifests: the hex checksums the source states */
  checksums?: Checksums;
  /** files: what they are a package of */
  package?: PackageFormat;
  /** `os/arch[/variant]` the source says it has; informational */
  platforms?: string[];
  /** where in the source it was found, e.g. `versionsBundles[1.30].cilium.operator` (first one when duplicates collapse) */
  foundAt: string;
}

/** The small files that a source read (its own manifests): carried in the bundle so that the far side needs nothing else. */
export interface SourceDocument {
  /** repository and tag it gets on the far side, below the registry: e.g. `sealift/eks-anywhere/bundles:bundles-1` */
  destination: string;
  /** file name, e.g. `bundle-release.yaml` */
  title: string;
  mediaType: string;
  content: Uint8Array;
}

export interface SourceContents {
  items: SourceItem[];
  documents: SourceDocument[];
}

/** One line of the bill of materials in a bundle: an item with what it turned out to be. */
export interface BillItem {
  kind: ItemKind | 'document' | 'bill-of-materials';
  name: string;
  /** the original reference or URL, unchanged by --pull-from */
  reference: string;
  /** the digest of the root manifest in the bundle; import pushes exactly this */
  digest: Digest;
  /** the digest at the origin, when --platform made the bundle's another one */
  originDigest?: Digest;
  /** `repository:tag` below REGISTRY[/NAMESPACE] */
  destination: string;
  /** the origin host that --map NAMESPACEs apply to; empty for Sealift's own documents */
  origin: string;
  /** bytes of its whole closure (shared blobs counted in each) */
  size: number;
  source: string;
  platforms?: string[];
  checksums?: Checksums;
  package?: PackageFormat;
  /** digests of referrers and tag-attached signatures that came along, with the tag they go under on the far side */
  attached?: { digest: Digest; tag?: string }[];
}

/** An item the operator chose to leave out (`sealift skip`). */
export interface SkippedItem {
  reference: string;
  reason: string;
}

export interface BillOfMaterials {
  schemaVersion: 1;
  /** sources and what was selected from each, e.g. `{ name: 'eks-anywhere', selection: { kubeVersions: ['1.30'] } }` */
  sources: { name: string; selection: Record<string, string[]> }[];
  platforms: string[];
  items: BillItem[];
  skipped: SkippedItem[];
}
