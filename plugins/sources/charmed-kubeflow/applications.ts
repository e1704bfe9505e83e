import type { InputPosition } from '../../../core/sources/input-error.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import type { Charm } from './charm.ts';
import { charmFileName } from './juju-download.ts';
import { imageSettings, type FoundSetting } from './image-settings.ts';
import type { GivenBundle } from './inputs.ts';
import type { BundleApplication } from './schema.ts';

/** An image of a deployment, where it stands, and what it is there. */
export interface FoundImage {
  image: string;
  position: InputPosition;
}

/** An application with the charm that deploys it, as far as that is there. */
export interface Application {
  name: string;
  charmName: string;
  charm?: Charm;
  /** images of its containers by resource */
  resources: Map<string, FoundImage>;
  settings: FoundSetting[];
}

/** The charm's own name in `mysql-k8s`, `ch:mysql-k8s`, `ch:amd64/jammy/mysql-k8s-99` and `./mysql-k8s_r127.charm`. */
export function charmNameOf(text: string): string {
  const last =
    text
      .replace(/^(ch|local|cs):/, '')
      .split('/')
      .at(-1) ?? text;
  return last.replace(/(_[^_]*)?\.charm$/, '').replace(/-\d+$/, '');
}

/**
 * Puts the applications of a bundle and the charms together.
 * @throws SealiftError InvalidInput when two charms could be meant, or a setting is not what it should be
 */
export function applicationsOf(
  bundle: GivenBundle,
  charms: readonly Charm[],
  warn: (message: string) => void,
): Application[] {
  return Object.entries(bundle.content.applications).map(([name, application]) => {
    const charm = charmFor(bundle, name, application, charms);
    const at = (...path: string[]): InputPosition => bundle.document.positionOf(['applications', name, ...path]);
    const charmName = charm?.name ?? charmNameOf(application.charm);
    if (charm === undefined) return { name, charmName, resources: new Map(), settings: [] };
    return { name, charmName, charm, ...imagesOfCharm(charm, application, at, warn) };
  });
}

/** What a charm deploys when nothing is set. @throws SealiftError InvalidInput */
export function imagesOfCharm(
  charm: Charm,
  application: Pick<BundleApplication, 'options' | 'resources'>,
  at: (...path: string[]) => InputPosition,
  warn: (message: string) => void,
): Pick<Application, 'resources' | 'settings'> {
  const given = { options: application.options ?? {}, positionOf: (option: string) => at('options', option) };
  return {
    resources: resourcesOf(charm, application.resources ?? {}, at, warn),
    settings: imageSettings(charm, given, warn),
  };
}

function resourcesOf(
  charm: Charm,
  stated: NonNullable<BundleApplication['resources']>,
  at: (...path: string[]) => InputPosition,
  warn: (message: string) => void,
): Map<string, FoundImage> {
  const found = new Map<string, FoundImage>();
  for (const [resource, declared] of Object.entries(charm.metadata.content.resources ?? {})) {
    if (declared.type !== 'oci-image') continue;
    const own = stated[resource];
    const upstream = declared['upstream-source'];
    if (typeof own === 'string') {
      found.set(resource, { image: own, position: at('resources', resource) });
    } else if (upstream !== undefined && upstream !== null) {
      const position = charm.metadata.document.positionOf(['resources', resource, 'upstream-source']);
      found.set(resource, { image: upstream, position });
    } else {
      warn(
        `${charm.file}: it does not say which image its resource ${resource} is (no upstream-source); ` +
          `state it in the bundle (applications.*.resources.${resource})`,
      );
    }
  }
  return found;
}

function charmFor(
  bundle: GivenBundle,
  name: string,
  { charm, channel, revision }: BundleApplication,
  charms: readonly Charm[],
): Charm | undefined {
  const wanted = charmNameOf(charm);
  const named = charms.filter((candidate) => candidate.name === wanted);
  const exact = named.filter(({ file }) => file === charmFileName({ name: wanted, channel, revision }));
  const fitting = exact.length > 0 ? exact : named;
  if (new Set(fitting.map(({ sha256 }) => sha256)).size > 1) {
    const files = fitting.map(({ path }) => path).join(', ');
    throw inputError(bundle.document.positionOf(['applications', name, 'charm']), `several charms fit: ${files}`, {
      remedy: 'leave one of them, or state the revision in the bundle and name the file NAME_rREVISION.charm',
    });
  }
  return fitting[0];
}
