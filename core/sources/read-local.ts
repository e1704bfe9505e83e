import { open, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Side } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';

/** Reads a file by path or file: URL. @throws SealiftError FileMissing when it can't be read */
export async function readLocal(location: string, side: Side): Promise<Uint8Array> {
  const path = location.startsWith('file:') ? fileURLToPath(location) : location;
  return readFile(path).catch((error: unknown) => {
    throw readFailure(error, path, side);
  });
}

/** At most `length` bytes from the start of a file. @throws SealiftError FileMissing when it can't be read */
export async function readStart(location: string, length: number, side: Side): Promise<Uint8Array> {
  const path = location.startsWith('file:') ? fileURLToPath(location) : location;
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

/** Returned, not thrown. */
export function readFailure(error: unknown, path: string, side: Side): SealiftError {
  return new SealiftError('FileMissing', {
    side,
    operation: 'read file',
    subject: path,
    message: error instanceof Error ? error.message : String(error),
    remedy: 'check the path; it is read on the machine where the worker runs',
    cause: error,
  });
}
