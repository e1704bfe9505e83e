import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProviderRelease, ProviderType } from '../../core/cluster-api/repository.ts';
import { projectRoot } from '../helpers/paths.ts';

const providers: { type: ProviderType; name: string; file: string }[] = [
  { type: 'CoreProvider', name: 'cluster-api', file: 'core-components.yaml' },
  { type: 'BootstrapProvider', name: 'kubeadm', file: 'bootstrap-components.yaml' },
  { type: 'ControlPlaneProvider', name: 'kubeadm', file: 'control-plane-components.yaml' },
  // CAPD's manifest: "docker" is what clusterctl calls the provider that has the in-memory backend
  { type: 'InfrastructureProvider', name: 'docker', file: 'infrastructure-components.yaml' },
];

/**
 * The pinned Cluster API with its in-memory provider, as `make setup` leaves it in .cache/cluster-api.
 * @param called the version that they say they are, of the same minor; their own when absent
 */
export async function clusterApiReleases(called?: string): Promise<ProviderRelease[]> {
  const root = join(projectRoot, '.cache', 'cluster-api');
  const [version] = await readdir(root).catch(() => []);
  if (version === undefined) throw new Error(`there is nothing in ${root}: run \`make setup\``);
  const read = (file: string): Promise<Uint8Array> => readFile(join(root, version, file));
  const metadata = await read('metadata.yaml');
  return Promise.all(
    providers.map(async ({ type, name, file }) => {
      const components = await read(file);
      const release = { type, name, version, metadata, components };
      if (called === undefined) return release;
      const text = Buffer.from(components).toString('utf8').replaceAll(`:${version}`, `:${called}`);
      return { ...release, version: called, components: Buffer.from(text) };
    }),
  );
}
