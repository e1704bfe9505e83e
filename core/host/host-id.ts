import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { HostPaths } from '../../contracts/host.ts';
import { SealiftError } from '../errors.ts';
import { readFileIfPresent, writeFileOnce } from './atomic-file.ts';

const HOST_ID_PATTERN = /^[0-9a-f]{12}$/;

/**
 * The id of this machine (of this state folder, to be exact): 12 random hex digits, made on first use and kept in
 * `<state>/host-id`, so that the machine's task queue keeps its name across restarts.
 *
 * @throws SealiftError PathUnwritable, DiskFull, or InvalidInput when the file holds something else
 */
export async function hostId(paths: HostPaths): Promise<string> {
  const path = join(paths.state, 'host-id');
  let id = (await readFileIfPresent(path))?.trim();
  if (id === undefined) {
    await writeFileOnce(path, `${randomBytes(6).toString('hex')}\n`);
    id = (await readFileIfPresent(path))?.trim() ?? '';
  }
  if (!HOST_ID_PATTERN.test(id)) {
    throw new SealiftError('InvalidInput', {
      side: 'local',
      operation: 'read host id',
      subject: path,
      message: 'the file does not hold 12 hex digits',
      remedy: 'remove the file; operations that wait for this machine must be started again',
    });
  }
  return id;
}
