import { z } from 'zod';

/**
 * The shapes of the manifests that EKS Anywhere and EKS Distro publish, as far as Sealift depends on them. Objects are
 * loose: a field that a newer release adds is not an error, and the blocks inside are found by walking (blocks.ts).
 */

export const EKS_ANYWHERE_GROUP = 'anywhere.eks.amazonaws.com';
export const EKS_DISTRO_GROUP = 'distro.eks.amazonaws.com';

const filled = z.string().min(1, 'must not be empty');
// Names become tags on the far side, so they follow the distribution spec's grammar of a tag.
const tagName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, 'must be usable as a tag');

export const envelopeShape = z.looseObject({ apiVersion: filled, kind: filled });

/** `kind: Bundles`: what one EKS Anywhere release consists of, per Kubernetes version. */
export const bundlesShape = z.looseObject({
  metadata: z.looseObject({ name: tagName }),
  spec: z.looseObject({
    number: z.int(),
    versionsBundles: z
      .array(
        z.looseObject({
          kubeVersion: filled,
          eksD: z.looseObject({ name: tagName, manifestUrl: filled }),
        }),
      )
      .min(1, 'lists no Kubernetes version'),
  }),
});
export type Bundles = z.infer<typeof bundlesShape>;

/** `kind: Release` of EKS Anywhere: its versions, and where the Bundles of each are. */
export const releaseShape = z.looseObject({
  spec: z.looseObject({
    latestVersion: filled,
    releases: z.array(z.looseObject({ version: filled, number: z.int(), bundleManifestUrl: filled })),
  }),
});
export type Release = z.infer<typeof releaseShape>;

const uri = z.string();
const digest = z.string();

const asset = z.looseObject({
  name: filled,
  os: z.string().optional(),
  arch: z.array(z.string()).optional(),
  image: z.looseObject({ uri, imageDigest: digest.optional() }).optional(),
  archive: z.looseObject({ uri, sha256: digest.optional(), sha512: digest.optional() }).optional(),
});

/** `kind: Release` of EKS Distro (distro.eks.amazonaws.com/v1alpha1): the components of one Kubernetes build. */
export const eksDistroShape = z.looseObject({
  metadata: z.looseObject({ name: tagName }),
  status: z.looseObject({
    components: z.array(z.looseObject({ name: filled, assets: z.array(asset).optional() })),
  }),
});
export type EksDistro = z.infer<typeof eksDistroShape>;

/** An image, chart, manifest or archive: whatever has a `uri`. Which of them it is, its shape and place tell (blocks.ts). */
export const blockShape = z.looseObject({
  uri,
  name: z.string().optional(),
  description: z.string().optional(),
  os: z.string().optional(),
  arch: z.array(z.string()).optional(),
  imageDigest: digest.optional(),
  sha256: digest.optional(),
  sha512: digest.optional(),
});
export type Block = z.infer<typeof blockShape>;
