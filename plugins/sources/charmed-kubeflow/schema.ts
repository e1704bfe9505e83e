import { z } from 'zod';

/**
 * The shapes of Juju bundles and charms, as far as Sealift depends on them. Objects are loose: a field that a newer Juju
 * or charm adds is not an error.
 */

const filled = z.string().min(1, 'must not be empty');
/** Juju's grammar of application and charm names. */
const jujuName = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

const optionValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const application = z.looseObject({
  charm: filled,
  channel: z.string().optional(),
  revision: z.int().optional(),
  options: z.record(z.string(), optionValue).optional(),
  /** a revision at Charmhub, or an image */
  resources: z.record(z.string(), z.union([z.string(), z.int()])).optional(),
});
export type BundleApplication = z.infer<typeof application>;

/** A Juju bundle for Kubernetes: https://documentation.ubuntu.com/juju/latest/reference/bundle/ */
export const bundleShape = z.looseObject({
  bundle: z.literal('kubernetes', 'must be "kubernetes"'),
  name: z.string().regex(jujuName, 'must be a Juju name').optional(),
  applications: z.record(z.string().regex(jujuName, 'must be a Juju name'), application),
});
export type Bundle = z.infer<typeof bundleShape>;

/** metadata.yaml of a charm. */
export const metadataShape = z.looseObject({
  name: z.string().regex(jujuName, 'must be a Juju name'),
  resources: z
    .record(z.string(), z.looseObject({ type: z.string().optional(), 'upstream-source': filled.nullish() }))
    .nullish(),
});

/** config.yaml of a charm: what `juju config` can set. */
export const configShape = z.looseObject({
  options: z
    .record(z.string(), z.looseObject({ type: z.string().optional(), default: optionValue.optional() }))
    .nullish(),
});

/** manifest.yaml of a charm: what it was built for. */
export const manifestShape = z.looseObject({
  bases: z.array(z.looseObject({ name: filled, channel: z.union([z.string(), z.number()]) })).nullish(),
});

export const imageMapShape = z.record(z.string(), z.string().nullable());
export const imageListShape = z.array(filled);

const imageSettingShape = z.discriminatedUnion('form', [
  z.object({ option: z.string(), form: z.literal('reference'), image: z.string() }),
  z.object({ option: z.string(), form: z.literal('list'), images: z.array(z.string()) }),
  z.object({ option: z.string(), form: z.literal('map'), images: z.record(z.string(), z.string()) }),
  z.object({ option: z.string(), form: z.literal('hub'), values: z.record(z.string(), z.string()) }),
]);

/** An option of a charm that names images, with the images it stands for at the origin. */
export type ImageSetting = z.infer<typeof imageSettingShape>;

const carriedCharmShape = z.object({
  /** file name, unique in the bundle */
  file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*\.charm$/, 'must be the name of a charm file'),
});
export type CarriedCharm = z.infer<typeof carriedCharmShape>;

/** `applications.json`, a document that Sealift writes: what the far side needs to know of charms that it cannot open. */
export const deploymentShape = z.object({
  schemaVersion: z.literal(1),
  applications: z.record(
    z.string(),
    z.object({
      charm: carriedCharmShape.optional(),
      charmName: z.string(),
      resources: z.record(z.string(), z.string()),
      settings: z.array(imageSettingShape),
    }),
  ),
  /** charms that no application of the bundle deploys */
  otherCharms: z.array(carriedCharmShape.extend({ name: z.string() })),
  /** images that charms hold in files which no option changes */
  fixedImages: z.array(z.string()),
  jujuVersion: z.string().optional(),
});
export type Deployment = z.infer<typeof deploymentShape>;
