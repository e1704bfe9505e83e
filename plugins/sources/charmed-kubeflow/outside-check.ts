import { parse } from 'yaml';
import { SealiftError } from '../../../core/errors.ts';
import type { Bundle } from './schema.ts';

interface Merged {
  applications: Record<
    string,
    { charm?: string; options?: Record<string, unknown>; resources?: Record<string, unknown> }
  >;
}

/**
 * Reads what was generated as Juju will, bundle and overlay merged, and refuses it when anything is fetched from elsewhere:
 * a charm that is no local file, or an image that is not below the private registry.
 * @param images every image the bundle carries, as it is named at its origin
 * @throws SealiftError InvalidInput with the whole list
 */
export function refuseOutside(
  bundle: Bundle,
  overlay: string,
  registryHost: string,
  images: ReadonlySet<string>,
): void {
  const { applications } = parse(overlay) as Merged;
  const outside: string[] = [];
  for (const [name, given] of Object.entries(bundle.applications)) {
    const laid = applications[name] ?? {};
    const charm = laid.charm ?? given.charm;
    if (!charm.startsWith('./')) outside.push(`${name}: charm ${charm}`);
    for (const part of ['options', 'resources'] as const) {
      for (const [key, value] of Object.entries({ ...given[part], ...laid[part] })) {
        for (const image of foreignImages(value, registryHost, images))
          outside.push(`${name}: ${part}.${key} ${image}`);
      }
    }
  }
  if (outside.length === 0) return;
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'check deployment',
    subject: 'overlay-airgap.yaml',
    message: `these would be fetched from outside ${registryHost}: ${outside.join('; ')}`,
    remedy: 'export again with the charms that are missing, or set the options in the bundle; then generate again',
  });
}

function foreignImages(value: unknown, registryHost: string, images: ReadonlySet<string>): string[] {
  if (typeof value !== 'string') return [];
  return value
    .split(/[\s"',[\]{}]+/)
    .map((word) => word.replace(/:$/, ''))
    .filter((word) => images.has(word) || hostOf(word) !== undefined)
    .filter((word) => !word.startsWith(`${registryHost}/`));
}

/** The registry of a word that is written as a full image reference, by the rule that tells hosts from paths. */
function hostOf(word: string): string | undefined {
  return /^((?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?|localhost(?::\d+)?|[a-z0-9-]+:\d+))\/[a-z0-9._/-]+[:@]/.exec(
    word,
  )?.[1];
}
