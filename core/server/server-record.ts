import { join } from 'node:path';
import type { HostPaths, ServerInfo } from '../../contracts/host.ts';
import { readFileIfPresent, writeFileAtomically } from '../host/atomic-file.ts';
import { isSameProcess } from '../host/process-start-time.ts';

/** `<state>/server.json`: the last server that was started here; its ports are taken again so that UI links stay valid. */
export interface ServerRecord extends ServerInfo {
  startTime: string;
}

/** @returns undefined when no server was ever started, or the file is not readable as a record */
export async function readServerRecord(paths: HostPaths): Promise<ServerRecord | undefined> {
  const content = await readFileIfPresent(recordPath(paths));
  if (content === undefined) return undefined;
  try {
    const record = JSON.parse(content) as Partial<ServerRecord>;
    return typeof record.address === 'string' && typeof record.pid === 'number' ? (record as ServerRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws SealiftError PathUnwritable, DiskFull */
export async function writeServerRecord(paths: HostPaths, record: ServerRecord): Promise<void> {
  await writeFileAtomically(recordPath(paths), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** Whether the process of the record lives; a pid that another process got since does not count. */
export async function recordLives(record: ServerRecord): Promise<boolean> {
  return isSameProcess(record.pid, record.startTime);
}

/** The port at the end of `127.0.0.1:PORT` or of a URL. */
export function portOf(address: string): number {
  return Number(/:(\d+)\/?$/.exec(address)?.[1] ?? NaN);
}

function recordPath(paths: HostPaths): string {
  return join(paths.state, 'server.json');
}
