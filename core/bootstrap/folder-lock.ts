import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock } from '../host/lock-file.ts';

const POLL_MS = 100;

/** Does one thing at a time with what is in a folder, across processes; a lock of one that was killed is taken over. */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    const unlock = await tryLock(join(folder, 'lock'));
    if (unlock !== undefined) return work().finally(unlock);
    await sleep(POLL_MS);
  }
}
