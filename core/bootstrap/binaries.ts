import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { SealiftError } from '../errors.ts';

/** Where a program of the bootstrap cluster is, e.g. `kube-apiserver`. @throws SealiftError ToolMissing */
export type FindBinary = (name: string) => Promise<string>;

/** Looks in folders first, then on PATH. */
export function findOnMachine(folders: readonly string[], env: NodeJS.ProcessEnv = process.env): FindBinary {
  return async (name) => {
    for (const folder of [...folders, ...(env['PATH'] ?? '').split(delimiter)]) {
      if (folder === '') continue;
      const candidate = join(folder, name);
      if (await isExecutable(candidate)) return candidate;
    }
    throw new SealiftError('ToolMissing', {
      side: 'local',
      operation: 'find program of bootstrap cluster',
      subject: name,
      message: 'it is neither in the bundle nor on PATH of the machine where the worker runs',
      remedy: `put ${name} on PATH, or give an existing cluster with --bootstrap-kubeconfig`,
    });
  };
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
