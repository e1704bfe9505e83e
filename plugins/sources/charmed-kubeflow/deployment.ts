import { createHash } from 'node:crypto';
import type { SourceDocument } from '../../../contracts/bill-of-materials.ts';
import { canonicalJson } from '../../../core/canonical-json.ts';
import type { Application } from './applications.ts';
import type { GivenBundle } from './inputs.ts';
import type { CarriedCharm, Deployment } from './schema.ts';

export const BUNDLE_REPOSITORY = 'sealift/charmed-kubeflow/bundles';
export const APPLICATIONS_REPOSITORY = 'sealift/charmed-kubeflow/applications';
const TAG_HASH = 12;

/** The bundle as it was read, and what the far side must know of the charms without opening them. */
export function deploymentDocuments(
  bundle: GivenBundle,
  applications: readonly Application[],
  others: readonly Application[],
  jujuVersion: string | undefined,
): SourceDocument[] {
  const name = bundle.content.name ?? 'bundle';
  const deployment = new TextEncoder().encode(canonicalJson(deploymentOf(applications, others, jujuVersion)));
  // Every release of the bundle has the same name, so the content is part of the tag.
  const tag = (content: Uint8Array): string =>
    `${name}-${createHash('sha256').update(content).digest('hex').slice(0, TAG_HASH)}`;
  return [
    {
      destination: `${APPLICATIONS_REPOSITORY}:${tag(deployment)}`,
      title: 'applications.json',
      mediaType: 'application/json',
      content: deployment,
    },
    {
      destination: `${BUNDLE_REPOSITORY}:${tag(bundle.bytes)}`,
      title: 'bundle.yaml',
      mediaType: 'application/yaml',
      content: bundle.bytes,
    },
  ];
}

function deploymentOf(
  applications: readonly Application[],
  others: readonly Application[],
  jujuVersion: string | undefined,
): Deployment {
  const all = [...applications, ...others];
  return {
    schemaVersion: 1,
    applications: Object.fromEntries(
      applications.map((application) => {
        const { name, charmName, resources, settings } = application;
        const charm = carriedCharm(application);
        return [
          name,
          {
            ...(charm === undefined ? {} : { charm }),
            charmName,
            resources: Object.fromEntries([...resources].map(([resource, { image }]) => [resource, image])),
            settings: settings.map(({ setting }) => setting),
          },
        ];
      }),
    ),
    otherCharms: others.flatMap((other) => {
      const charm = carriedCharm(other);
      return charm === undefined ? [] : [{ ...charm, name: other.name }];
    }),
    fixedImages: [...new Set(all.flatMap(({ charm }) => (charm?.fixed ?? []).map(({ image }) => image)))].sort(),
    ...(jujuVersion === undefined ? {} : { jujuVersion }),
  };
}

function carriedCharm({ charm }: Application): CarriedCharm | undefined {
  return charm === undefined ? undefined : { file: charm.file };
}
