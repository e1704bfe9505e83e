import { open, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Side } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';

/** Reads a file by path or file: URL. @throws SealiftError FileMissing when it can't be read, InvalidInput when it is a folder */
export async function readLocal(location: string, side: Side): Promise<Uint8Array> {
  const path = pathOf(location);
  return readFile(path).catch((error: unknown) => {
    throw readFailure(error, path, side);
  });
}

/** Whether there is a folder at the path or file: URL. */
export async function isFolder(location: string): Promise<boolean> {
  return stat(pathOf(location)).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** At most `length` bytes from the start of a file. @throws SealiftError as `readLocal` */
export async function readStart(location: string, length: number, side: Side): Promise<Uint8Array> {
  const path = pathOf(location);
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readFailure(error, path, side);
  }
}

function pathOf(location: string): string {
  return location.startsWith('file:') ? fileURLToPath(location) : location;
}

/** Returned, not thrown. */
export function readFailure(error: unknown, path: string, side: Side): SealiftError {
  if (errorCode(error) === 'EISDIR') {
    return new SealiftError('InvalidInput', {
      side,
      operation: 'read file',
      subject: path,
      message: 'it is a folder, and a file is needed',
      remedy: 'name a file in it',
      cause: error,
    });
  }
  return new SealiftError('FileMissing', {
    side,
    operation: 'read file',
    subject: path,
    message: error instanceof Error ? error.message : String(error),
    remedy: 'check the path; it is read on the machine where the worker runs',
    cause: error,
  });
}
