import type { SourceSelection } from '../../../contracts/source-plugin.ts';
import { selectionError } from '../../../core/sources/selection.ts';
import type { Inputs } from './inputs.ts';

/** The infrastructures EKS Anywhere knows, by the names Sealift uses. */
export const providers = ['cloudstack', 'docker', 'nutanix', 'snow', 'tinkerbell', 'vsphere'] as const;
export type Provider = (typeof providers)[number];

const aliases = new Map<string, Provider>([
  ['baremetal', 'tinkerbell'],
  ['bare-metal', 'tinkerbell'],
]);

/**
 * The blocks of a versionsBundle that only one infrastructure uses; everything else is common. haproxy is the load
 * balancer that Cluster API puts in front of clusters made of Docker containers, kindnetd a network that EKS Anywhere
 * accepts for Docker only; OVAs are vSphere templates, raw images are written to bare metal.
 */
const owners = new Map<string, Provider>([
  ['cloudStack', 'cloudstack'],
  ['docker', 'docker'],
  ['haproxy', 'docker'],
  ['kindnetd', 'docker'],
  ['nutanix', 'nutanix'],
  ['snow', 'snow'],
  ['tinkerbell', 'tinkerbell'],
  ['eksD.raw', 'tinkerbell'],
  ['vSphere', 'vsphere'],
  ['eksD.ova', 'vsphere'],
]);

/** What of a Bundles manifest was asked for; an absent set means everything. */
export interface Wanted {
  kubeVersions?: ReadonlySet<string>;
  providers?: ReadonlySet<Provider>;
}

/**
 * Checks a selection against what the input has.
 * @throws SealiftError InvalidInput that lists what there is
 */
export function wantedOf(selection: SourceSelection, inputs: Inputs): Wanted {
  const available = new Set(
    inputs.bundles.flatMap(({ content }) =>
      content.spec.versionsBundles.map((bundle) => kubeVersion(bundle.kubeVersion)),
    ),
  );
  const kubeVersions = selection.kubeVersions.map((asked) => {
    const version = kubeVersion(asked);
    if (available.has(version)) return version;
    throw unknownValue(selection, 'Kubernetes version', asked, [...available]);
  });
  const wantedProviders = selection.providers.map((asked) => {
    const name = asked.toLowerCase();
    const provider = aliases.get(name) ?? providers.find((known) => known === name);
    if (provider !== undefined) return provider;
    throw unknownValue(selection, 'provider', asked, [...providers, ...aliases.keys()]);
  });
  return {
    ...(kubeVersions.length === 0 ? {} : { kubeVersions: new Set(kubeVersions) }),
    ...(wantedProviders.length === 0 ? {} : { providers: new Set(wantedProviders) }),
  };
}

/** `v1.30` and `1-30` as `1.30`: the spellings of tags, of EKS Distro channels, and of Bundles. */
export function kubeVersion(text: string): string {
  return text.replace(/^v/, '').replace('-', '.');
}

/** Whether the block at this path of a versionsBundle, e.g. `['eksD', 'ova']`, is wanted. */
export function wantsBlock(wanted: Wanted, path: readonly PropertyKey[]): boolean {
  const owner = ownerOf(path);
  return owner === undefined || wanted.providers === undefined || wanted.providers.has(owner);
}

/** The one infrastructure that uses what stands at this path of a versionsBundle; undefined for what is common. */
export function ownerOf(path: readonly PropertyKey[]): Provider | undefined {
  return owners.get(String(path[0])) ?? owners.get(path.slice(0, 2).map(String).join('.'));
}

function unknownValue(selection: SourceSelection, what: string, asked: string, available: string[]): Error {
  return selectionError(selection, `there is no ${what} ${asked}`, `choose from: ${available.join(', ')}`);
}
