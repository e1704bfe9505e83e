import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SealiftError } from '../errors.ts';

/**
 * Replaces a small file in one step, so that a reader sees the old or the new content and never half of it. The file is
 * readable by its owner only; missing folders are made.
 *
 * @throws SealiftError PathUnwritable, DiskFull
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  await withTemporaryFile(path, content, (temporary) => rename(temporary, path));
}

/**
 * Writes a small file unless it is there already.
 *
 * @returns whether this call wrote it
 * @throws SealiftError PathUnwritable, DiskFull
 */
export async function writeFileOnce(path: string, content: string): Promise<boolean> {
  let written = true;
  // a hard link fails when the name exists, and shows the whole content at once when it does not
  await withTemporaryFile(path, content, async (temporary) => {
    await link(temporary, path).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
      written = false;
    });
    await rm(temporary, { force: true });
  });
  return written;
}

/** The content of a small text file, or undefined when there is none. */
export async function readFileIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Node's `code` of a thrown system error, e.g. `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

async function withTemporaryFile(
  path: string,
  content: string | Uint8Array,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, content, { mode: 0o600 });
    await place(temporary);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new SealiftError(errorCode(error) === 'ENOSPC' ? 'DiskFull' : 'PathUnwritable', {
      side: 'local',
      operation: 'write',
      subject: path,
      message: error instanceof Error ? error.message : String(error),
      remedy:
        'make room or give write permission; the XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_STATE_HOME variables move these folders',
      cause: error,
    });
  }
}
