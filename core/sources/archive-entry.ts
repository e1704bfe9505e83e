import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import yauzl from 'yauzl';
import { errorCode } from '../host/atomic-file.ts';
import { SealiftError } from '../errors.ts';

/** Small documents only: a zip bomb ends here. */
const MAX_ENTRY = 32 * 1024 * 1024;

/**
 * A small file (at most 32 MiB) inside a zip (APPNOTE 6.3) or squashfs 4.0 archive, read without unpacking the rest. Squashfs
 * takes `unsquashfs` of squashfs-tools.
 * @returns undefined when the archive has no such entry
 * @throws SealiftError FileMissing when the archive can't be read; InvalidInput when it is no such archive, is damaged, or
 * the entry is too large or lies about its size; ToolMissing
 */
export async function readArchiveEntry(archive: string, entry: string): Promise<Uint8Array | undefined> {
  const magic = await firstBytes(archive);
  if (magic.startsWith('504b')) return readZipEntry(archive, entry);
  if (magic === '68737173') return readSquashfsEntry(archive, entry);
  throw damaged(archive, 'it is neither a zip nor a squashfs archive');
}

async function firstBytes(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
      return buffer.subarray(0, bytesRead).toString('hex');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new SealiftError('FileMissing', {
      side: 'source',
      operation: 'open archive',
      subject: path,
      message: error instanceof Error ? error.message : String(error),
      remedy: 'check the path; it is read on the machine where the worker runs',
      cause: error,
    });
  }
}

async function readZipEntry(archive: string, wanted: string): Promise<Uint8Array | undefined> {
  const zip = await promisify(yauzl.open as (path: string, options: yauzl.Options, done: ZipCallback) => void)(
    archive,
    {
      lazyEntries: true,
      validateEntrySizes: true,
    },
  ).catch((error: unknown) => {
    throw damaged(archive, messageOf(error));
  });
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      zip.close();
      reject(error instanceof SealiftError ? error : damaged(archive, messageOf(error)));
    };
    zip.on('error', fail);
    zip.on('end', () => resolve(undefined));
    zip.on('entry', (entry: yauzl.Entry) => {
      if (entry.fileName !== wanted) return zip.readEntry();
      if (entry.uncompressedSize > MAX_ENTRY) return fail(tooLarge(archive, wanted));
      zip.openReadStream(entry, (error, stream) => {
        if (error !== null) return fail(error);
        const chunks: Buffer[] = [];
        stream.on('error', fail);
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          zip.close();
          resolve(new Uint8Array(Buffer.concat(chunks)));
        });
      });
    });
    zip.readEntry();
  });
}

type ZipCallback = (error: Error | null, zip: yauzl.ZipFile) => void;

async function readSquashfsEntry(archive: string, entry: string): Promise<Uint8Array | undefined> {
  const unsquashfs = (...args: string[]): Promise<{ stdout: Buffer }> =>
    promisify(execFile)('unsquashfs', args, { encoding: 'buffer', maxBuffer: MAX_ENTRY });
  try {
    const { stdout } = await unsquashfs('-ll', '-no-progress', archive, entry);
    const listed = stdout.toString('utf8').split('\n');
    if (!listed.some((line) => line.startsWith('-') && line.endsWith(` squashfs-root/${entry}`))) return undefined;
    return new Uint8Array((await unsquashfs('-cat', archive, entry)).stdout);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      throw new SealiftError('ToolMissing', {
        side: 'source',
        operation: 'read archive',
        subject: archive,
        message: 'it is a squashfs archive, and there is no unsquashfs on this machine',
        remedy: 'install squashfs-tools (`apt-get install squashfs-tools`), or give the file that is in it',
      });
    }
    if (errorCode(error) === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') throw tooLarge(archive, entry);
    throw damaged(archive, messageOf(error));
  }
}

function tooLarge(archive: string, entry: string): SealiftError {
  return damaged(archive, `${entry} in it has more than ${MAX_ENTRY} bytes`);
}

function damaged(archive: string, message: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'read archive',
    subject: archive,
    message,
    remedy: 'fetch the file again from where it was published',
  });
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim();
}
