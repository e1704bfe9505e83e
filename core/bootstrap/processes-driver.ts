import { access, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProviderProgram } from '../../contracts/provider-plugin.ts';
import type { FindBinary } from './binaries.ts';
import { ensureControlPlane, findControlPlane, hasControlPlane, stopControlPlane } from './control-plane.ts';
import { daemonLives } from './daemon.ts';
import type { BootstrapDriver } from './driver.ts';
import { withFolderLock } from './folder-lock.ts';
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
  const runProviders = async (): Promise<string> => {
    const { kubeconfig, url, ca } = await ensureControlPlane(controlPlane);
    const all = { ...clusterApiPrograms, ...programs };
    await ensureProviders({ folder: providers, kubeconfig, server: { url, ca }, programs: all, findBinary });
    return kubeconfig;
  };
  return {
    async ensure() {
      const { kubeconfig } = await ensureControlPlane(controlPlane);
      return readFile(kubeconfig, 'utf8');
    },
    exists: () => hasControlPlane(controlPlane.folder),
    async runProviders() {
      await runProviders();
    },
    async attend() {
      if (!(await hasControlPlane(controlPlane.folder))) return undefined;
      const started = await startedProviders(providers);
      if ((await findControlPlane(controlPlane.folder)) !== undefined && (await allLive(providers, started))) {
        return undefined;
      }
      return withFolderLock(folder, async () => {
        // somebody may have removed it since
        if (!(await hasControlPlane(controlPlane.folder))) return undefined;
        const { kubeconfig } = await ensureControlPlane(controlPlane);
        if (started.length > 0) await runProviders();
        return readFile(kubeconfig, 'utf8');
      });
    },
    async remove() {
      if (!(await isThere(folder))) return;
      // nobody may start again what ends here
      await withFolderLock(folder, async () => {
        await stopProviders(providers);
        // keys and tokens of a cluster that is gone
        await rm(providers, { recursive: true, force: true });
        await stopControlPlane(controlPlane.folder, { remove: true });
      });
    },
  };
}

/** Names of the providers that were ever started in a folder, whatever became of them. */
async function startedProviders(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => []);
  return files.filter((file) => file.endsWith('.started')).map((file) => file.slice(0, -'.started'.length));
}

async function allLive(folder: string, names: readonly string[]): Promise<boolean> {
  const live = await Promise.all(names.map((name) => daemonLives({ name, folder })));
  return !live.includes(false);
}

function isThere(folder: string): Promise<boolean> {
  return access(folder).then(
    () => true,
    () => false,
  );
}
