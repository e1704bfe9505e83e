import { join } from 'node:path';
import { findOnMachine } from '../../core/bootstrap/binaries.ts';
import { ensureControlPlane } from '../../core/bootstrap/control-plane.ts';
import {
  clusterApiPrograms,
  ensureProviders,
  type ProviderProcess,
  type ProviderProgram,
} from '../../core/bootstrap/provider-processes.ts';
import { createClusterctl, type Clusterctl, type WantedProvider } from '../../core/cluster-api/clusterctl.ts';
import { programs as tinkerbellPrograms } from '../../plugins/providers/tinkerbell/index.ts';
import { requireTool, toolsFolder } from '../helpers/paths.ts';

/** All that a process needs to make, or find, a management cluster of a lab; plain data. */
export interface ManagementClusterSettings {
  /** its own */
  folder: string;
  /** clusterctl.yaml */
  repository: string;
  providers: WantedProvider[];
  /** socket of the in-memory cloud */
  cloud: string;
}

/** How an API server is reached. */
export interface ApiServerPlace {
  /** of an administrator */
  kubeconfig: string;
  url: string;
  /** PEM */
  ca: string;
}

export interface ManagementCluster extends ApiServerPlace {
  folder: string;
  providers: ProviderProcess[];
}

export const findLabBinary = findOnMachine([toolsFolder]);

export function labPrograms(cloud: string): Record<string, ProviderProgram> {
  const inMemory = { binary: 'in-memory-infrastructure', env: { IN_MEMORY_CLOUD: cloud } };
  const capv = { 'cluster-api-vsphere-controller': { binary: 'capv' } };
  return { ...clusterApiPrograms, 'capd-manager': inMemory, ...capv, ...tinkerbellPrograms };
}

export async function labClusterctl({ folder, repository }: ManagementClusterSettings): Promise<Clusterctl> {
  return createClusterctl({
    command: await requireTool('clusterctl'),
    config: repository,
    home: join(folder, 'clusterctl'),
    // the user that CAPV has for clusters without one: there are none
    variables: { VSPHERE_USERNAME: '', VSPHERE_PASSWORD: '' },
  });
}

/**
 * Control plane, Cluster API, providers running: made from nothing, or found and mended.
 * @param place an API server that is there already; one of its own when absent
 */
export async function ensureManagementCluster(
  settings: ManagementClusterSettings,
  place?: ApiServerPlace,
): Promise<ManagementCluster> {
  const { folder, providers, cloud } = settings;
  const own = (): ReturnType<typeof ensureControlPlane> =>
    ensureControlPlane({ folder: controlPlaneFolder(folder), findBinary: findLabBinary, durable: false });
  const { kubeconfig, url, ca } = place ?? (await own());
  await (await labClusterctl(settings)).init(kubeconfig, providers);
  const running = await ensureProviders({
    folder: providersFolder(folder),
    kubeconfig,
    server: { url, ca },
    programs: labPrograms(cloud),
    findBinary: findLabBinary,
  });
  return { folder, kubeconfig, url, ca, providers: running };
}

export function controlPlaneFolder(folder: string): string {
  return join(folder, 'control-plane');
}

export function providersFolder(folder: string): string {
  return join(folder, 'providers');
}
