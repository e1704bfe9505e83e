import { execFile, spawn } from 'node:child_process';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { EmbeddedServer, HostPaths, ServerInfo } from '../../contracts/host.ts';
import { searchAttributeTypes } from '../../contracts/search-attributes.ts';
import { SealiftError } from '../errors.ts';
import { tryLock } from '../host/lock-file.ts';
import { processStartTime } from '../host/process-start-time.ts';
import { acceptsConnections, freePort } from './free-port.ts';
import { portOf, readServerRecord, recordLives, writeServerRecord, type ServerRecord } from './server-record.ts';
import { temporalBinary } from './temporal-binary.ts';

const run = promisify(execFile);
const NAMESPACE = 'default';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 25;

export interface EmbeddedServerOptions {
  paths: HostPaths;
  /** the checkout that holds `.cache/bin` and `tools/temporal` */
  toolsRoot: string;
  env?: Record<string, string | undefined>;
  downloadBase?: string;
}

/**
 * The `temporal server start-dev` of one state folder: one SQLite file, loopback only, UI on, in the background. Several
 * processes may ask for it at once; only one is started. All methods throw SealiftError TemporalUnreachable when it
 * cannot be found, started or stopped, and PathUnwritable or DiskFull for the state folder.
 */
export function createEmbeddedServer(options: EmbeddedServerOptions): EmbeddedServer {
  const { paths } = options;
  return {
    status: () => runningServer(paths),
    async ensure(progress) {
      return (await runningServer(paths)) ?? (await startOnce(options, progress));
    },
    async stop() {
      const record = await readServerRecord(paths);
      if (record === undefined || !(await recordLives(record))) return false;
      await stopProcess(record);
      return true;
    },
  };
}

async function runningServer(paths: HostPaths): Promise<ServerInfo | undefined> {
  const record = await readServerRecord(paths);
  if (record === undefined || !(await recordLives(record))) return undefined;
  return (await acceptsConnections(portOf(record.address))) ? serverInfo(record) : undefined;
}

function serverInfo(record: ServerRecord): ServerInfo {
  const { startTime: _startTime, ...info } = record;
  return info;
}

async function startOnce(options: EmbeddedServerOptions, progress: (line: string) => void): Promise<ServerInfo> {
  const lockPath = join(options.paths.state, 'server.lock');
  for (;;) {
    const unlock = await tryLock(lockPath);
    if (unlock !== undefined) {
      try {
        return (await runningServer(options.paths)) ?? (await start(options, progress));
      } finally {
        await unlock();
      }
    }
    await sleep(POLL_MS);
    const started = await runningServer(options.paths);
    if (started !== undefined) return started;
  }
}

async function start(options: EmbeddedServerOptions, progress: (line: string) => void): Promise<ServerInfo> {
  const { paths, env = process.env } = options;
  const downloadBase = options.downloadBase ?? 'https://temporal.download/cli/archive';
  const binary = await temporalBinary({ paths, toolsRoot: options.toolsRoot, env, downloadBase, progress });
  const earlier = await readServerRecord(paths);
  // a process that starts but never listened still owns the database file
  if (earlier !== undefined && (await recordLives(earlier))) await stopProcess(earlier);

  // asked first, though it costs 20 ms: whoever finds the record while the server starts must see all of it
  const version = await serverVersion(binary, env);
  const port = await freePort(earlier && portOf(earlier.address));
  const uiPort = await freePort(earlier && portOf(earlier.uiUrl));
  const database = join(paths.state, 'temporal.db');
  const log = join(paths.state, 'temporal.log');
  const pid = await launch(binary, serverArguments(database, port, uiPort), log, env);
  const record: ServerRecord = {
    address: `127.0.0.1:${port}`,
    namespace: NAMESPACE,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    pid,
    startTime: (await processStartTime(pid)) ?? '',
    version,
    database,
    log,
  };
  await writeServerRecord(paths, record);
  await untilReady(record);
  return serverInfo(record);
}

/** The version of the Temporal server inside the CLI's executable, e.g. `1.29.1`. */
async function serverVersion(binary: string, env: Record<string, string | undefined>): Promise<string> {
  const { stdout } = await run(binary, ['--version'], { env }).catch(() => ({ stdout: '' }));
  return /Server (\d[^\s,)]*)/.exec(stdout)?.[1] ?? 'unknown';
}

function serverArguments(database: string, port: number, uiPort: number): string[] {
  const args = ['server', 'start-dev', '--db-filename', database, '--ip', '127.0.0.1', '--headless=false'];
  args.push('--port', String(port), '--ui-port', String(uiPort), '--log-format', 'json', '--log-level', 'warn');
  // WAL with NORMAL cannot lose what was committed when a process is killed, and waits for the disk far less than FULL
  args.push('--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL');
  for (const [name, type] of Object.entries(searchAttributeTypes)) args.push('--search-attribute', `${name}=${type}`);
  return args;
}

/** @returns the pid of a process in its own group that outlives this one */
async function launch(
  binary: string,
  args: string[],
  log: string,
  env: Record<string, string | undefined>,
): Promise<number> {
  await mkdir(join(log, '..'), { recursive: true });
  const output = await open(log, 'a', 0o600);
  // Temporal's own variables tell a client where its server is; the server itself must not obey them
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  const child = spawn(binary, args, { detached: true, stdio: ['ignore', output.fd, output.fd], env: own });
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid ?? 0));
      child.once('error', (error) => reject(startFailure(binary, error.message)));
    });
  } finally {
    child.unref();
    await output.close();
  }
}

async function untilReady(record: ServerRecord): Promise<void> {
  const ports = [portOf(record.address), portOf(record.uiUrl)];
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const answers = await Promise.all(ports.map((port) => acceptsConnections(port)));
    if (answers.every(Boolean)) return;
    if (!(await recordLives(record))) {
      throw startFailure('temporal server start-dev', `it ended at once: ${await lastLogLine(record.log)}`);
    }
    await sleep(POLL_MS);
  }
  await stopProcess(record);
  throw startFailure('temporal server start-dev', `it did not listen within ${START_TIMEOUT_MS / 1000} s`);
}

async function stopProcess(record: ServerRecord): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    // asked again before each signal, so that a process that took over the pid is never hit
    if (!(await recordLives(record))) return;
    process.kill(record.pid, signal);
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if (!(await recordLives(record))) return;
      await sleep(POLL_MS);
    }
  }
  throw new SealiftError('TemporalUnreachable', {
    side: 'temporal',
    operation: 'stop server',
    subject: `process ${record.pid}`,
    message: 'it does not end',
    remedy: 'end the process by hand',
  });
}

function startFailure(subject: string, message: string): SealiftError {
  return new SealiftError('TemporalUnreachable', {
    side: 'temporal',
    operation: 'start server',
    subject,
    message,
    remedy: 'see temporal.log in the state folder, or set TEMPORAL_ADDRESS to a Temporal that runs',
  });
}

async function lastLogLine(log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text.trim().split('\n').at(-1) ?? '';
}
