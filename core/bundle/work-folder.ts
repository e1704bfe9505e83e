import { mkdir, open, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import { tryLock } from '../host/lock-file.ts';
import { diskError } from './disk-error.ts';

const LOCK = 'lock';

/** The folder beside a partial bundle, held by one process at a time. */
export interface WorkFolder {
  path: string;
  /** Gives the lock back and keeps the folder. */
  release(): Promise<void>;
  /** Gives the lock back and removes the folder. */
  remove(): Promise<void>;
}

/**
 * Makes the work folder `<output>.partial.d` and takes its lock; the lock of a dead process is taken over.
 *
 * @throws SealiftError OperationConflict when a living process (or this one) holds it, DiskFull, PathUnwritable
 */
export async function openWorkFolder(output: string): Promise<WorkFolder> {
  const path = `${output}.partial.d`;
  await mkdir(path).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw diskError(error, 'make work folder', path);
  });
  const lock = join(path, LOCK);
  // the second try is for a takeover that another process was killed in
  const release = (await tryLock(lock)) ?? (await tryLock(lock));
  if (release === undefined) {
    throw new SealiftError('OperationConflict', {
      side: 'local',
      operation: 'write bundle',
      subject: output,
      message: `another operation is writing it (its lock is ${lock})`,
      remedy: 'wait for that operation (`sealift list operations`), cancel it, or choose another output',
    });
  }
  return { path, release, remove: () => removeWorkFolder(path, release) };
}

async function removeWorkFolder(path: string, release: () => Promise<void>): Promise<void> {
  // the lock goes last, and only the empty folder after it: from then on both may be another process's
  for (const name of await readdir(path)) {
    if (name !== LOCK) await rm(join(path, name), { recursive: true, force: true });
  }
  await release();
  await rmdir(path).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'ENOENT') throw error;
  });
}

/** Brings a folder's entries (a rename) to the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
