import { lstat, mkdir, open, realpath, rename, rm, type FileHandle } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Digest } from '../../contracts/descriptor.ts';
import { diskError } from '../bundle/disk-error.ts';
import type { Bundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import { alteredBlob } from '../import/verify-blobs.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { moveError } from '../transfer/download.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { forEachItem } from '../transfer/failures.ts';
import type { MoverPool } from '../transfer/pool.ts';
import type { ProgressMeter, WorkHooks } from '../transfer/progress.ts';
import { isTreePath } from './tree-builder.ts';
import type { FileTree, TreeFile } from './tree.ts';

export interface TreeTools {
  bundle: Bundle;
  pool: MoverPool;
  limiter: Limiter;
}

export interface TreeOutcome {
  written: number;
  /** files that were there already with the right bytes */
  unchanged: number;
  bytesWritten: number;
}

/** Bytes of a file of a tree. */
export function fileSize(file: TreeFile): number {
  return file.kind === 'blob' ? file.size : file.bytes.length;
}

/**
 * Writes a tree into a folder, which is made when it is not there. A reader sees a file whole or not at all, and what was
 * made from the others (indexes) only after them; what is there with the right bytes is left alone, and files that the
 * tree does not have are nobody's business. Killed and begun again, it comes to the same end.
 *
 * @throws ItemsFailed with DiskFull, PathUnwritable (also for a symbolic link on the way), or BundleCorrupt, by path
 */
export async function writeTree(
  tree: FileTree,
  folder: string,
  tools: TreeTools,
  meter: ProgressMeter,
  hooks: WorkHooks,
): Promise<TreeOutcome> {
  const writer = await TreeWriter.create(folder, tools, meter, hooks);
  const files = [...tree.files];
  const indexes = files.filter(([, { kind }]) => kind === 'bytes');
  const about = { side: 'local', operation: 'write', signal: hooks.signal } as const;
  const id = ([path]: [string, TreeFile]): string => join(folder, path);
  await forEachItem(
    files.filter(([, { kind }]) => kind === 'blob'),
    tools.limiter,
    { ...about, id },
    (entry) => writer.write(...entry),
  );
  // Deeper ones first: what stands above speaks of what lies below.
  for (const [path, file] of indexes.sort(([a], [b]) => depth(b) - depth(a) || (a < b ? -1 : 1))) {
    hooks.signal.throwIfAborted();
    await writer.write(path, file);
  }
  await writer.finish();
  return writer.outcome;
}

/** Removes what an interrupted {@link writeTree} of this bundle has left half-written in a folder. */
export async function discardTree(folder: string, bundle: Digest): Promise<void> {
  await rm(stagingFolder(folder, bundle), { recursive: true, force: true });
}

/** In the folder itself, so that the last step is a rename within one file system. */
function stagingFolder(folder: string, bundle: Digest): string {
  return join(folder, `.sealift-${hexOf(bundle).slice(0, 12)}`);
}

function depth(path: string): number {
  return path.split('/').length;
}

class TreeWriter {
  readonly outcome: TreeOutcome = { written: 0, unchanged: 0, bytesWritten: 0 };
  readonly #root: string;
  readonly #tools: TreeTools;
  readonly #meter: ProgressMeter;
  readonly #hooks: WorkHooks;
  readonly #folders = new Map<string, Promise<void>>();

  private constructor(root: string, tools: TreeTools, meter: ProgressMeter, hooks: WorkHooks) {
    this.#root = root;
    this.#tools = tools;
    this.#meter = meter;
    this.#hooks = hooks;
  }

  static async create(folder: string, tools: TreeTools, meter: ProgressMeter, hooks: WorkHooks): Promise<TreeWriter> {
    try {
      await mkdir(folder, { recursive: true });
      const root = await realpath(folder);
      await mkdir(stagingFolder(root, tools.bundle.identity), { recursive: true });
      return new TreeWriter(root, tools, meter, hooks);
    } catch (error) {
      throw diskError(error, 'make folder', folder);
    }
  }

  async write(path: string, file: TreeFile): Promise<void> {
    if (!isTreePath(path)) throw new Error(`${JSON.stringify(path)} would leave the folder`);
    const target = join(this.#root, path);
    const size = fileSize(file);
    try {
      await this.#makeFolder(dirname(path));
      if (await isRight(target, file, this.#tools.pool, this.#hooks.signal)) this.outcome.unchanged += 1;
      else {
        await this.#replace(target, file, size);
        this.outcome.written += 1;
        this.outcome.bytesWritten += size;
      }
      this.#meter.finish(target, size);
    } catch (error) {
      this.#meter.drop(target);
      this.#hooks.signal.throwIfAborted();
      throw diskError(error, 'write', target);
    }
  }

  /** Makes the new names outlive a power cut, and removes what interrupted attempts have left. */
  async finish(): Promise<void> {
    try {
      await rm(stagingFolder(this.#root, this.#tools.bundle.identity), { recursive: true, force: true });
      const folders = [...this.#folders.keys()].map((path) => join(this.#root, path));
      for (const folder of [...folders, this.#root]) await flush(await open(folder, 'r'));
    } catch (error) {
      throw diskError(error, 'write', this.#root);
    }
  }

  /** One folder after the other from the top: a symbolic link among them could lead anywhere. */
  #makeFolder(path: string): Promise<void> {
    if (path === '.') return Promise.resolve();
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const made = this.#makeFolder(dirname(path)).then(async () => {
      const folder = join(this.#root, path);
      await mkdir(folder).catch((error: unknown) => {
        if (errorCode(error) !== 'EEXIST') throw error;
      });
      if (!(await lstat(folder)).isDirectory()) throw inTheWay(folder);
    });
    made.catch(() => this.#folders.delete(path));
    this.#folders.set(path, made);
    return made;
  }

  async #replace(target: string, file: TreeFile, size: number): Promise<void> {
    const staging = stagingFolder(this.#root, this.#tools.bundle.identity);
    const part = join(staging, randomBytes(12).toString('hex'));
    const handle = await open(part, 'wx', 0o644);
    try {
      if (file.kind === 'bytes') await handle.writeFile(file.bytes);
      else await this.#copy(part, target, file.digest, size);
    } catch (error) {
      await handle.close();
      await rm(part, { force: true });
      throw error;
    }
    await flush(handle);
    await rename(part, target);
  }

  async #copy(part: string, target: string, digest: Digest, size: number): Promise<void> {
    const { bundle, pool } = this.#tools;
    const { offset } = bundle.locate(digest)!;
    const outcome = await pool.run(
      { kind: 'copy', from: { path: bundle.path, offset }, to: { path: part, offset: 0 }, digest, size },
      { signal: this.#hooks.signal, onProgress: (done) => this.#meter.update(target, target, done, size) },
    );
    this.#hooks.signal.throwIfAborted();
    if (outcome.kind === 'done') return;
    if (outcome.kind === 'failed' && outcome.type !== 'DigestMismatch')
      throw moveError(outcome, 'local', 'write', target);
    throw alteredBlob(bundle, digest, offset, undefined);
  }
}

/**
 * Whether a path is a regular file with the bytes that it should have.
 *
 * @throws SealiftError PathUnwritable when a folder is there; the file system's own errors
 */
export async function isRight(path: string, file: TreeFile, pool: MoverPool, signal: AbortSignal): Promise<boolean> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    return undefined;
  });
  const size = fileSize(file);
  if (found?.isDirectory() === true) throw inTheWay(path);
  if (found?.isFile() !== true || found.size !== size) return false;
  const outcome = await pool.run({ kind: 'hash', from: { path, offset: 0 }, size }, { signal });
  return outcome.kind === 'done' && outcome.digest === digestIn(file);
}

function digestIn(file: TreeFile): Digest {
  return file.kind === 'blob' ? file.digest : digestOf(file.bytes);
}

async function flush(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function inTheWay(path: string): SealiftError {
  return new SealiftError('PathUnwritable', {
    side: 'local',
    operation: 'write',
    subject: path,
    message: 'something else is there: a folder, a file or a symbolic link that does not belong there',
    remedy: 'move it away, or give another folder',
  });
}
