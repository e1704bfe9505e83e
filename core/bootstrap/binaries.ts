import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { isErrorType, SealiftError } from '../errors.ts';

/**
 * Where a program is, e.g. `kube-apiserver`.
 * @param image what the Deployment runs that it is to stand for
 * @throws SealiftError ToolMissing
 */
export type FindBinary = (name: string, image?: string) => Promise<string>;

/** Takes a program out of an image, or says why it can't. */
export type FindInImages = (name: string, image?: string) => Promise<{ path: string } | { why: string }>;

/** Asks images first; what is not in them is looked for elsewhere, and where it is nowhere both reasons are said. */
export function preferImages(findInImages: FindInImages, elsewhere: FindBinary): FindBinary {
  return async (name, image) => {
    const found = await findInImages(name, image);
    if ('path' in found) return found.path;
    try {
      return await elsewhere(name, image);
    } catch (error) {
      if (!isErrorType(error, 'ToolMissing')) throw error;
      const { side, operation, subject, message, remedy } = error.problem;
      throw new SealiftError('ToolMissing', {
        ...{ side, operation, subject, remedy, cause: error },
        message: `${message}; ${found.why}`,
      });
    }
  };
}

/** Looks in folders first, then on PATH. @param otherwise what else there is to do about a program that is missing */
export function findOnMachine(
  folders: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  otherwise = '',
): FindBinary {
  return async (name) => {
    for (const folder of [...folders, ...(env['PATH'] ?? '').split(delimiter)]) {
      if (folder === '') continue;
      const candidate = join(folder, name);
      if (await isExecutable(candidate)) return candidate;
    }
    throw new SealiftError('ToolMissing', {
      side: 'local',
      operation: 'find program',
      subject: name,
      message: 'it is not on PATH of the machine where the worker runs',
      remedy: `put ${name} on PATH there${otherwise}`,
    });
  };
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
