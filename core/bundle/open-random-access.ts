import { open, type FileHandle } from 'node:fs/promises';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import { openHttp } from './http-random-access.ts';
import type { RandomAccess } from './random-access.ts';

/**
 * Opens a path or an http(s) URL.
 *
 * @throws SealiftError FileMissing, PathUnwritable (no read permission), or for URLs what {@link openHttp} throws
 */
export function openRandomAccess(location: string): Promise<RandomAccess> {
  return /^https?:\/\//i.test(location) ? openHttp(location) : openFile(location);
}

async function openFile(path: string): Promise<RandomAccess> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw openFailure(path, error);
  }
  const found = await file.stat();
  if (!found.isFile()) {
    await file.close();
    throw missing(path, 'it is not a file');
  }
  return {
    location: path,
    size: found.size,
    read: (offset, length) => readFully(file, path, offset, length),
    close: () => file.close(),
  };
}

async function readFully(file: FileHandle, path: string, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) {
      throw new SealiftError('BundleCorrupt', {
        side: 'source',
        operation: 'read bundle',
        subject: path,
        message: `the file ends at byte ${offset + done}; it was longer when it was opened`,
        remedy: 'leave the file alone while it is being read',
      });
    }
    done += bytesRead;
  }
  return bytes;
}

function openFailure(path: string, error: unknown): SealiftError {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return missing(path, 'there is no such file');
  return new SealiftError('PathUnwritable', {
    side: 'local',
    operation: 'open bundle',
    subject: path,
    message: error instanceof Error ? error.message : String(error),
    remedy: 'give read permission for the file and its folder',
    cause: error,
  });
}

function missing(path: string, message: string): SealiftError {
  return new SealiftError('FileMissing', {
    side: 'source',
    operation: 'open bundle',
    subject: path,
    message,
    remedy: 'check the path of the bundle',
  });
}
