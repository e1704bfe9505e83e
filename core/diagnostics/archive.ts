import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../host/atomic-file.ts';
import { SealiftError } from '../errors.ts';
import { writeTarGz } from '../node-config/tar-gz.ts';

/** A file of an archive, redacted. */
export interface ArchiveFile {
  /** below the archive's only folder */
  path: string;
  text: string;
}

/** How many archives of one cluster, and of all, are kept. */
const KEPT_OF_CLUSTER = 5;
const KEPT = 50;
const NAME = /^diagnostics-(.+)-(\d{8}T\d{9}Z)\.tar\.gz$/;

/** File name of an archive; names of clusters are DNS names. */
export function archiveName(cluster: string, at: Date): string {
  return `diagnostics-${cluster}-${at.toISOString().replace(/[-:.]/g, '')}.tar.gz`;
}

/**
 * Writes an archive for its owner only, in one step: there is all of it or nothing.
 * @param path absolute, ends in `.tar.gz`
 * @throws SealiftError PathUnwritable, DiskFull
 */
export async function writeArchive(path: string, files: readonly ArchiveFile[]): Promise<void> {
  const folder = basename(path).replace(/\.(tar\.gz|tgz)$/, '');
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await writeTarGz(entriesOf(folder, files), (bytes) => handle.appendFile(bytes));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new SealiftError(errorCode(error) === 'ENOSPC' ? 'DiskFull' : 'PathUnwritable', {
      side: 'local',
      operation: 'write diagnostics',
      subject: path,
      message: error instanceof Error ? error.message : String(error),
      remedy: 'make room or give write permission; XDG_STATE_HOME moves the state folder',
      cause: error,
    });
  }
}

/** Removes the oldest archives beyond those that are kept; other files stay. */
export async function removeOldArchives(folder: string): Promise<void> {
  const archives = (await readdir(folder).catch(() => []))
    .flatMap((file) => {
      const [, cluster, time] = NAME.exec(file) ?? [];
      return cluster === undefined || time === undefined ? [] : [{ file, cluster, time }];
    })
    .sort((a, b) => (a.time < b.time ? 1 : -1));
  const counted = new Map<string, number>();
  for (const [index, { file, cluster }] of archives.entries()) {
    const count = (counted.get(cluster) ?? 0) + 1;
    counted.set(cluster, count);
    if (index >= KEPT || count > KEPT_OF_CLUSTER) await rm(join(folder, file), { force: true });
  }
}

function entriesOf(folder: string, files: readonly ArchiveFile[]): Parameters<typeof writeTarGz>[0] {
  const used = new Set<string>();
  return files.map(({ path, text }) => {
    const bytes = Buffer.from(text);
    return {
      name: `${folder}/${uniqueName(path, used)}`,
      size: bytes.length,
      copy: (write) => write(bytes),
    };
  });
}

/** Names that differ no more without what was secret in them, or without what no tar should have in a name. */
function uniqueName(path: string, used: Set<string>): string {
  const plain = path
    .split('/')
    .map((part) => part.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+$/, '_'))
    .join('/');
  let name = plain;
  for (let copy = 2; used.has(name); copy += 1) name = `${plain}.${copy}`;
  used.add(name);
  return name;
}
