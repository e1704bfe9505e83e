import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProviderProgram } from '../../contracts/provider-plugin.ts';
import type { FindBinary } from './binaries.ts';
import { ensureControlPlane, hasControlPlane, stopControlPlane } from './control-plane.ts';
import type { BootstrapDriver } from './driver.ts';
import { clusterApiPrograms, ensureProviders, stopProviders } from './provider-processes.ts';

export interface ProcessesOptions {
  folder: string;
  findBinary: FindBinary;
  /** those of the infrastructure provider, by the name of their image */
  programs: Record<string, ProviderProgram>;
}

/** A bootstrap cluster of plain processes on loopback: no containers, ready in seconds. They outlive the worker. */
export function processesDriver({ folder, findBinary, programs }: ProcessesOptions): BootstrapDriver {
  const controlPlane = { folder: join(folder, 'control-plane'), findBinary };
  const providers = join(folder, 'providers');
  return {
    async ensure() {
      const { kubeconfig } = await ensureControlPlane(controlPlane);
      return readFile(kubeconfig, 'utf8');
    },
    exists: () => hasControlPlane(controlPlane.folder),
    async runProviders() {
      const { kubeconfig, url, ca } = await ensureControlPlane(controlPlane);
      const all = { ...clusterApiPrograms, ...programs };
      await ensureProviders({ folder: providers, kubeconfig, server: { url, ca }, programs: all, findBinary });
    },
    async remove() {
      await stopProviders(providers);
      await stopControlPlane(controlPlane.folder, { remove: true });
    },
  };
}
