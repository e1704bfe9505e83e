import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProviderRelease, ProviderType } from '../../core/cluster-api/repository.ts';
import { projectRoot } from '../helpers/paths.ts';

const providers: { type: ProviderType; name: string; file: string }[] = [
  { type: 'CoreProvider', name: 'cluster-api', file: 'core-components.yaml' },
  { type: 'BootstrapProvider', name: 'kubeadm', file: 'bootstrap-components.yaml' },
  { type: 'ControlPlaneProvider', name: 'kubeadm', file: 'control-plane-components.yaml' },
];
const infrastructureFile = 'infrastructure-components.yaml';

/** clusterctl's names; "docker" is what it calls the provider that has the in-memory backend */
export type LabInfrastructure = 'docker' | 'vsphere' | 'tinkerbell';

export interface WantedReleases {
  /** docker when absent */
  infrastructure?: LabInfrastructure;
  /** the version that the others say they are, of the same minor; their own when absent */
  called?: string;
}

/** The pinned Cluster API and one infrastructure provider, the last of them, as `make setup` leaves them in .cache. */
export async function clusterApiReleases(wanted: WantedReleases = {}): Promise<ProviderRelease[]> {
  const { infrastructure = 'docker', called } = wanted;
  const own = await readReleases(join(projectRoot, '.cache', 'cluster-api'), called);
  const others = join(projectRoot, '.cache', 'cluster-api-providers', infrastructure);
  const ofInfrastructure = infrastructure === 'docker' ? own : await readReleases(others);
  const infrastructureRelease = await ofInfrastructure(infrastructureFile);
  return [
    ...(await Promise.all(providers.map(async ({ type, name, file }) => ({ type, name, ...(await own(file)) })))),
    { type: 'InfrastructureProvider', name: infrastructure, ...infrastructureRelease },
  ];
}

type ReadRelease = (file: string) => Promise<Pick<ProviderRelease, 'version' | 'metadata' | 'components'>>;

async function readReleases(root: string, called?: string): Promise<ReadRelease> {
  const [version] = await readdir(root).catch(() => []);
  if (version === undefined) throw new Error(`there is nothing in ${root}: run \`make setup\``);
  const read = (file: string): Promise<Uint8Array> => readFile(join(root, version, file));
  const metadata = await read('metadata.yaml');
  return async (file) => {
    const components = await read(file);
    if (called === undefined) return { version, metadata, components };
    const text = Buffer.from(components).toString('utf8').replaceAll(`:${version}`, `:${called}`);
    return { version: called, metadata, components: Buffer.from(text) };
  };
}
