import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from './paths.ts';
import { run, runOk } from './processes.ts';

/** A file system of its own, in memory, that can be full or read-only. */
export interface SmallDisk {
  path: string;
  /** Writes a file until no byte is left. */
  fill(name: string): Promise<void>;
  readOnly(on: boolean): Promise<void>;
  unmount(): Promise<void>;
}

/** @returns why none can be had on this machine, or undefined when it can */
export async function smallDiskUnavailable(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'mounting a tmpfs takes root';
  const folder = await temporaryFolder('disk');
  const { code, stderr } = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder.path]);
  if (code === 0) await runOk('umount', [folder.path]);
  await folder.remove();
  return code === 0 ? undefined : `mount -t tmpfs: ${stderr.trim()}`;
}

export async function smallDisk(bytes: number): Promise<SmallDisk> {
  const folder = await temporaryFolder('disk');
  await runOk('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder.path]);
  return {
    path: folder.path,
    fill: async (name) => {
      const file = await open(join(folder.path, name), 'w');
      try {
        for (const piece of [Buffer.alloc(64 * 1024), Buffer.alloc(512)]) await writeUntilFull(file, piece);
      } finally {
        await file.close();
      }
    },
    readOnly: async (on) => {
      await runOk('mount', ['-o', `remount,${on ? 'ro' : 'rw'}`, folder.path]);
    },
    unmount: async () => {
      await runOk('umount', ['--lazy', folder.path]);
      await folder.remove();
    },
  };
}

async function writeUntilFull(file: { write(bytes: Buffer): Promise<unknown> }, piece: Buffer): Promise<void> {
  try {
    for (;;) await file.write(piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
