import { rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import type { ErrorType } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import { allocateBundle, isSealed, writeMetadata } from './bundle-file.ts';
import { diskError } from './disk-error.ts';
import { hashSpan, type SpanHash } from './file-span.ts';
import { openJournal, type Journal } from './journal.ts';
import type { BundleLayout, PlannedEntry } from './layout.ts';
import { openWorkFolder, syncFolder, type WorkFolder } from './work-folder.ts';

export interface PartialBundleOptions {
  /** path of the finished tar */
  output: string;
  layout: BundleLayout;
  /** whatever was brought under another plan is thrown away */
  planDigest: Digest;
  /** the bytes of index.json that the layout was planned with */
  index: Uint8Array;
  /** the bytes of a metadata blob; they are verified */
  metadata(digest: Digest): Promise<Uint8Array>;
  /** how blobs are hashed again after a crash; on the calling thread unless given */
  hash?: SpanHash;
}

export interface RemainingBlob {
  descriptor: Descriptor;
  /** bytes from its start that may be in place already: to be hashed again, not trusted */
  prefix: number;
}

/** A bundle while it is written: `<output>.partial` and the work folder `<output>.partial.d`, held by one process. */
export interface PartialBundle {
  /** absolute path of the file that blobs are written into */
  readonly path: string;
  /** Where a blob starts in the file, in bytes. @throws SealiftError InternalError when the plan has no such blob */
  offsetOf(digest: Digest): number;
  /**
   * The blobs not proven to be in place, in the order of the file. The first call hashes what an earlier process had
   * written and not synced.
   */
  remaining(): Promise<RemainingBlob[]>;
  /** Records that a blob is in its place and its hash was right. @throws SealiftError DiskFull, PathUnwritable */
  markWritten(digest: Digest): void;
  /** Records that at least `bytes` bytes from the blob's start are in place. @throws SealiftError DiskFull, PathUnwritable */
  markPrefix(digest: Digest, bytes: number): void;
  /** Brings what was written so far to the disk and records it; concurrent calls share the work. @throws SealiftError DiskFull, PathUnwritable */
  sync(): Promise<void>;
  /**
   * Makes the bundle visible under its name. Fine to do again after a crash in the midst of it.
   *
   * @throws SealiftError OutputExists unless `force`, InternalError when a blob is missing, DiskFull, PathUnwritable
   */
  seal(options: { force: boolean }): Promise<void>;
  /** Removes everything that was written. Nothing else may be called after it. */
  discard(): Promise<void>;
  /** Lets go of files and lock and keeps what was written. Nothing else may be called after it. */
  close(): Promise<void>;
}

/**
 * Starts a partial bundle or goes on with one: takes its lock, checks the free space, allocates the file, and writes all
 * headers and metadata.
 *
 * @throws SealiftError OperationConflict when another process (or this one) has it open, DiskFull, PathUnwritable,
 *   InternalError when index or metadata are not what the layout was planned with
 */
export async function openPartialBundle(options: PartialBundleOptions): Promise<PartialBundle> {
  const output = resolve(options.output);
  const folder = await openWorkFolder(output);
  let journal: Journal | undefined;
  try {
    journal = openJournal(join(folder.path, 'journal'), options.planDigest);
    const blobs = options.layout.entries.filter((entry) => entry.role === 'blob');
    const file = await openFile(options, output, journal, blobs);
    return new TarPartialBundle({ output, folder, journal, file, blobs, hash: options.hash ?? hashSpan });
  } catch (error) {
    journal?.close();
    await folder.release();
    throw diskError(error, 'open partial bundle', `${output}.partial`);
  }
}

/** @returns undefined when the bundle was sealed, and its process killed before it could remove the work folder */
async function openFile(
  options: PartialBundleOptions,
  output: string,
  journal: Journal,
  blobs: PlannedEntry[],
): Promise<FileHandle | undefined> {
  const { layout, index } = options;
  const path = `${output}.partial`;
  const size = await fileSize(path);
  if (size === undefined && !journal.fresh && blobs.every(({ digest }) => journal.synced.has(digest!))) {
    if (await isSealed(output, layout, index)) return undefined;
  }
  const reusable = !journal.fresh && size === layout.size;
  // on the disk before the file is made anew: the old records would vouch for its zeros
  if (!reusable) journal.reset();
  const file = await allocateBundle(path, layout.size, reusable);
  try {
    await writeMetadata(file, options);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

interface OpenParts {
  output: string;
  folder: WorkFolder;
  journal: Journal;
  /** undefined when the bundle is sealed already */
  file: FileHandle | undefined;
  blobs: PlannedEntry[];
  hash: SpanHash;
}

class TarPartialBundle implements PartialBundle {
  readonly path: string;
  readonly #parts: OpenParts;
  readonly #blobs: Map<Digest, PlannedEntry>;
  /** in place: proven in this process, or synced by an earlier one */
  readonly #done: Set<Digest>;
  #state: 'open' | 'sealed' | 'closed';
  #proving: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #nextSync: Promise<void> | undefined;

  constructor(parts: OpenParts) {
    this.path = `${parts.output}.partial`;
    this.#parts = parts;
    this.#blobs = new Map(parts.blobs.map((entry) => [entry.digest!, entry]));
    this.#done = new Set(parts.journal.synced);
    this.#state = parts.file === undefined ? 'sealed' : 'open';
  }

  offsetOf(digest: Digest): number {
    return this.#blob(digest).dataOffset;
  }

  async remaining(): Promise<RemainingBlob[]> {
    await (this.#proving ??= this.#proveWritten([...this.#parts.journal.written]));
    const { prefixes } = this.#parts.journal;
    return [...this.#blobs]
      .filter(([digest]) => !this.#done.has(digest))
      .map(([digest, { mediaType = '', size }]) => ({
        descriptor: { mediaType, digest, size },
        prefix: Math.min(prefixes.get(digest) ?? 0, size),
      }));
  }

  markWritten(digest: Digest): void {
    this.#blob(digest);
    this.#done.add(digest);
    this.#parts.journal.append({ kind: 'written', digest });
    this.#parts.journal.flush();
  }

  markPrefix(digest: Digest, bytes: number): void {
    this.#blob(digest);
    this.#parts.journal.append({ kind: 'prefix', digest, bytes });
    this.#parts.journal.flush();
  }

  sync(): Promise<void> {
    if (this.#syncing === undefined) {
      this.#syncing = this.#syncNow().finally(() => (this.#syncing = undefined));
      return this.#syncing;
    }
    // what was written after the running one began needs another, shared by all who ask meanwhile
    this.#nextSync ??= this.#syncing
      .catch(() => undefined)
      .then(() => {
        this.#nextSync = undefined;
        return this.sync();
      });
    return this.#nextSync;
  }

  async seal({ force }: { force: boolean }): Promise<void> {
    if (this.#state === 'closed') return;
    if (this.#state === 'open') await this.#publish(force);
    this.#state = 'sealed';
    await this.#closeFiles();
    await this.#attempt('remove work folder', () => this.#parts.folder.remove());
  }

  async discard(): Promise<void> {
    await this.#closeFiles();
    await this.#attempt('discard partial bundle', async () => {
      await rm(this.path, { force: true });
      await this.#parts.folder.remove();
    });
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    await this.#closeFiles();
    await this.#parts.folder.release();
  }

  async #publish(force: boolean): Promise<void> {
    const [missing] = await this.remaining();
    if (missing !== undefined) {
      throw this.#failure('InternalError', `blob ${missing.descriptor.digest} is not written`, '');
    }
    await this.#refuseExisting(force);
    await this.sync();
    await this.#attempt('seal bundle', async () => {
      await this.#parts.file?.sync();
      await this.#refuseExisting(force);
      await rename(this.path, this.#parts.output);
      await syncFolder(dirname(this.path));
    });
  }

  async #refuseExisting(force: boolean): Promise<void> {
    if (force || (await fileSize(this.#parts.output)) === undefined) return;
    throw this.#failure(
      'OutputExists',
      'the file is there already',
      'choose another --output, or use --force to replace it',
    );
  }

  /** Hashes in place what an earlier process wrote: after a power cut its bytes may never have reached the disk. */
  async #proveWritten(written: Digest[]): Promise<void> {
    for (const digest of written) {
      const entry = this.#blobs.get(digest);
      if (entry === undefined || this.#done.has(digest)) continue;
      if ((await this.#parts.hash(this.path, entry.dataOffset, entry.size)) === digest) this.#done.add(digest);
    }
  }

  async #syncNow(): Promise<void> {
    const { journal, file } = this.#parts;
    const digests = [...journal.written].filter((digest) => this.#done.has(digest));
    await this.#attempt('sync bundle', async () => file?.datasync());
    for (const digest of digests) journal.append({ kind: 'synced', digest });
    // These lines may be lost in a power cut: then what they speak of is hashed again.
    journal.flush();
  }

  async #closeFiles(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await this.#syncing?.catch(() => undefined);
    this.#parts.journal.close();
    await this.#parts.file?.close();
  }

  #blob(digest: Digest): PlannedEntry {
    const entry = this.#blobs.get(digest);
    if (entry === undefined) throw this.#failure('InternalError', `no blob ${digest} is planned`, '');
    return entry;
  }

  async #attempt(operation: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      throw diskError(error, operation, this.path);
    }
  }

  #failure(type: ErrorType, message: string, remedy: string): SealiftError {
    return new SealiftError(type, {
      side: 'local',
      operation: 'write bundle',
      subject: this.#parts.output,
      message,
      remedy,
    });
  }
}
