import { rm } from 'node:fs/promises';
import { isSameProcess, processStartTime } from './process-start-time.ts';
import { readFileIfPresent, writeFileOnce } from './atomic-file.ts';

export interface LockOwner {
  pid: number;
  startTime: string;
}

/**
 * Takes a lock that lives as long as this process: the file holds pid and start time, so a lock left behind by a killed
 * process is recognised and taken over.
 *
 * @returns a function that gives the lock back, or undefined when a living process holds it
 * @throws SealiftError PathUnwritable, DiskFull
 */
export async function tryLock(path: string): Promise<(() => Promise<void>) | undefined> {
  const owner: LockOwner = { pid: process.pid, startTime: (await processStartTime(process.pid)) ?? '' };
  const content = JSON.stringify(owner);
  if (await writeFileOnce(path, content)) return () => rm(path, { force: true });

  const found = await readFileIfPresent(path);
  if (found === undefined || (await holderLives(found))) return undefined;
  // two processes may find the same stale lock: only the one whose claim on it succeeds may remove it, and only if it is still that one
  const claim = `${path}.claim`;
  if (!(await writeFileOnce(claim, content))) {
    const claimant = await readFileIfPresent(claim);
    if (claimant !== undefined && !(await holderLives(claimant))) await rm(claim, { force: true });
    return undefined;
  }
  try {
    if ((await readFileIfPresent(path)) === found) await rm(path, { force: true });
  } finally {
    await rm(claim, { force: true });
  }
  return (await writeFileOnce(path, content)) ? () => rm(path, { force: true }) : undefined;
}

async function holderLives(content: string): Promise<boolean> {
  try {
    const { pid, startTime } = JSON.parse(content) as LockOwner;
    return await isSameProcess(pid, startTime);
  } catch {
    return false;
  }
}
