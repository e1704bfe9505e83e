import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the checkout. */
export const projectRoot = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** Where `make setup` leaves the pinned tools. */
export const toolsFolder = join(projectRoot, '.cache', 'bin');

/** Real inputs that are never copied into the project; may be absent. */
export const samplesFolder = join(projectRoot, '..', 'shared', 'samples');

/** Finds an executable in the pinned tools, then on PATH. @returns undefined when it is in neither */
export async function findTool(name: string): Promise<string | undefined> {
  for (const folder of [toolsFolder, ...(process.env['PATH'] ?? '').split(delimiter)]) {
    const candidate = join(folder, name);
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== '' && usable) return candidate;
  }
  return undefined;
}

/** Like findTool. @throws Error that names the tool and how to get it */
export async function requireTool(name: string): Promise<string> {
  const found = await findTool(name);
  if (found === undefined) throw new Error(`${name} is neither in ${toolsFolder} nor on PATH: run \`make setup\``);
  return found;
}

export interface TemporaryFolder extends AsyncDisposable {
  path: string;
  remove(): Promise<void>;
}

/** A fresh folder that belongs to one test. */
export async function temporaryFolder(label: string): Promise<TemporaryFolder> {
  return removableFolder(await mkdtemp(join(tmpdir(), `sealift-${label}-`)));
}

/** A folder that may be there already, and goes with everything in it when it is removed. */
export function removableFolder(path: string): TemporaryFolder {
  // a child that was just killed may still be closing files below the folder
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
