import { stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { diskError } from '../bundle/disk-error.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import { ItemsFailed } from '../transfer/failures.ts';
import type { WorkHooks } from '../transfer/progress.ts';
import type { FileTree, TreeFile } from './tree.ts';
import { discardTree, fileSize, isRight, type TreeTools } from './write-tree.ts';

/** A tree and where it is to be written. */
export interface PlacedTree {
  folder: string;
  content: FileTree;
}

/** A file system that trees go to. */
interface Disk {
  /** bytes that are free for everyone */
  free: number;
  blockSize: number;
  trees: PlacedTree[];
}

/**
 * Sees to it that every file system has room for all the trees that go to it, before the first is written. Files that are there
 * with the right bytes need none; one that is replaced counts whole, because it is written beside the old one first. What an
 * interrupted {@link writeTree} has left half-written is removed: it is never used again.
 *
 * @throws ItemsFailed with DiskFull for each file system that is too small, by folder; SealiftError PathUnwritable
 */
export async function checkRoom(trees: readonly PlacedTree[], tools: TreeTools, hooks: WorkHooks): Promise<void> {
  const disks = new Map<number, Disk>();
  for (const tree of trees) {
    try {
      await discardTree(tree.folder, tools.bundle.identity);
      const [device, disk] = await diskOf(tree.folder);
      disks.set(device, { ...disk, trees: [...(disks.get(device)?.trees ?? []), tree] });
    } catch (error) {
      throw diskError(error, 'measure free space', tree.folder);
    }
  }
  const failures: ConstructorParameters<typeof ItemsFailed>[0] = [];
  for (const disk of disks.values()) {
    // What is there is only looked for where it makes a difference: it has to be read for that.
    if (neededFor(disk, filesOf(disk)) <= disk.free) continue;
    const needed = neededFor(disk, await missingFrom(disk, tools, hooks));
    if (needed > disk.free) failures.push({ item: disk.trees[0]!.folder, error: diskFull(disk, needed) });
  }
  if (failures.length > 0) throw new ItemsFailed(failures);
}

/** The file system that a folder is on, or will be on once it is made. */
async function diskOf(folder: string): Promise<[device: number, disk: Omit<Disk, 'trees'>]> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    try {
      const { dev } = await stat(path);
      const { bavail, bsize } = await statfs(path);
      return [dev, { free: bavail * bsize, blockSize: bsize }];
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || path === dirname(path)) throw error;
    }
  }
}

function filesOf({ trees }: Disk): [path: string, file: TreeFile][] {
  return trees.flatMap(({ folder, content }) =>
    [...content.files].map(([path, file]): [string, TreeFile] => [join(folder, path), file]),
  );
}

/** Bytes that files take: whole blocks. */
function neededFor({ blockSize }: Disk, files: readonly [path: string, file: TreeFile][]): number {
  return files.reduce((sum, [, file]) => sum + Math.ceil(fileSize(file) / blockSize) * blockSize, 0);
}

async function missingFrom(
  disk: Disk,
  { pool, limiter }: TreeTools,
  { signal }: WorkHooks,
): Promise<[path: string, file: TreeFile][]> {
  const missing = await Promise.all(
    filesOf(disk).map((entry) =>
      limiter.run(async () => {
        signal.throwIfAborted();
        // what can't be looked at is for the writer to complain about
        return (await isRight(...entry, pool, signal).catch(() => false)) ? [] : [entry];
      }),
    ),
  );
  signal.throwIfAborted();
  return missing.flat();
}

function diskFull({ free, trees }: Disk, needed: number): SealiftError {
  const folders = trees.map(({ folder }) => folder).join(' and ');
  return new SealiftError('DiskFull', {
    side: 'local',
    operation: 'write files',
    subject: folders,
    message: `${needed} bytes are needed beside what is there already, ${free} are free`,
    remedy: `free ${needed - free} bytes on that disk, or give ${trees.length > 1 ? 'folders on different disks' : 'a folder on another one'}`,
  });
}
