import { hostname } from 'node:os';
import { rm, stat, utimes } from 'node:fs/promises';
import { readFileIfPresent, writeFileOnce } from './atomic-file.ts';
import { bootId, isSameProcess, pidSpace, processStartTime } from './process-start-time.ts';

export interface LockOwner {
  pid: number;
  startTime: string;
  /** where the pid means something */
  host: string;
  boot: string;
  pidSpace: string;
}

/** Held locks are touched this often, for those who can't see the process. */
const BEAT_MS = 2_000;
/** A lock of another container or machine that was not touched for so long is one left behind. */
const STALE_MS = 20_000;

/**
 * Takes a lock that lives as long as this process: the file says who holds it, so a lock left behind by a killed
 * process is recognised and taken over. Who holds it in another container, or on another machine with the same disk, is
 * judged by the file's age.
 *
 * @returns a function that gives the lock back, or undefined when a living process holds it
 * @throws SealiftError PathUnwritable, DiskFull
 */
export async function tryLock(path: string): Promise<(() => Promise<void>) | undefined> {
  const found = await readFileIfPresent(path);
  // asked twice a second by those who stand by: while the lock is held nothing is written
  if (found !== undefined && (await holderLives(path, found))) return undefined;
  const content = JSON.stringify(await ownerHere());
  if (found === undefined) return (await writeFileOnce(path, content)) ? hold(path) : undefined;
  // two processes may find the same stale lock: only the one whose claim on it succeeds may remove it, and only if it is still that one
  const claim = `${path}.claim`;
  if (!(await writeFileOnce(claim, content))) {
    const claimant = await readFileIfPresent(claim);
    if (claimant !== undefined && !(await holderLives(claim, claimant))) await rm(claim, { force: true });
    return undefined;
  }
  try {
    if ((await readFileIfPresent(path)) === found) await rm(path, { force: true });
  } finally {
    await rm(claim, { force: true });
  }
  return (await writeFileOnce(path, content)) ? hold(path) : undefined;
}

/** The locks of this process: all touched in one go, so that they grow stale together. */
const held = new Set<string>();
let beat: NodeJS.Timeout | undefined;

function hold(path: string): () => Promise<void> {
  held.add(path);
  beat ??= setInterval(() => {
    for (const one of held) utimes(one, new Date(), new Date()).catch(() => undefined);
  }, BEAT_MS).unref();
  return async () => {
    held.delete(path);
    if (held.size === 0) {
      clearInterval(beat);
      beat = undefined;
    }
    await rm(path, { force: true });
  };
}

async function ownerHere(): Promise<LockOwner> {
  return {
    pid: process.pid,
    startTime: (await processStartTime(process.pid)) ?? '',
    host: hostname(),
    boot: (await bootId()) ?? '',
    pidSpace: await pidSpace(),
  };
}

async function holderLives(path: string, content: string): Promise<boolean> {
  const owner = parseOwner(content);
  if (owner === undefined) return false;
  const here = await ownerHere();
  const sameMachine = owner.host === here.host;
  if (sameMachine && owner.boot !== here.boot) return false;
  if (sameMachine && owner.pidSpace === here.pidSpace) return isSameProcess(owner.pid, owner.startTime);
  const touched = await stat(path).catch(() => undefined);
  return touched !== undefined && Date.now() - touched.mtimeMs < STALE_MS;
}

function parseOwner(content: string): LockOwner | undefined {
  try {
    return JSON.parse(content) as LockOwner;
  } catch {
    return undefined;
  }
}
