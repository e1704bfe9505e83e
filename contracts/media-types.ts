/** Media types of the OCI image spec v1.1 and their Docker schema 2 equivalents. */
export const MediaType = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  helmConfig: 'application/vnd.cncf.helm.config.v1+json',
  /** artifactType of the artifact that wraps one file (a manifest, an archive) fetched by URL. */
  file: 'application/vnd.sealift.file.v1',
  /** artifactType of the artifact that holds a bundle's bill of materials. */
  billOfMaterials: 'application/vnd.sealift.bill-of-materials.v1+json',
} as const;

export const Annotation = {
  refName: 'org.opencontainers.image.ref.name',
  title: 'org.opencontainers.image.title',
  /** The name `ctr images import` gives the image (containerd). */
  containerdName: 'io.containerd.image.name',
} as const;
