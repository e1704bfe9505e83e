import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributeTypes } from '../../contracts/search-attributes.ts';
import { requireTool, temporaryFolder } from './paths.ts';
import { onFreePorts, startProcess } from './processes.ts';

export interface TestTemporal extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  address: string;
  namespace: string;
  uiUrl: string;
  /** the SQLite file, for tests that look for secrets in it */
  dbFile: string;
  /** what a child process needs in its environment to use this server */
  env: Record<string, string>;
  pid: number;
  log(): string;
  stop(): Promise<void>;
}

/** Starts a real Temporal server with a database of its own; it is ready after about a second. */
export function startTemporal(options: { dbFile?: string } = {}): Promise<TestTemporal> {
  return onFreePorts(2, async ([port = 0, uiPort = 0]) => {
    const folder = await temporaryFolder('temporal');
    const dbFile = options.dbFile ?? join(folder.path, 'temporal.db');
    const address = `127.0.0.1:${port}`;
    const namespace = 'default';
    const server = await startProcess({
      command: await requireTool('temporal'),
      args: [
        ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
        ...['--db-filename', dbFile, '--namespace', namespace, '--log-level', 'error', ...searchAttributeArguments()],
      ],
      // a HOME of its own: the server must not find the developer's Temporal profile
      env: { PATH: process.env['PATH'] ?? '', HOME: folder.path },
      ready: () => serves(address, namespace),
    }).catch(async (error: unknown) => {
      await folder.remove();
      throw error;
    });
    const stop = async (): Promise<void> => {
      await server.stop();
      await folder.remove();
    };
    return {
      address,
      namespace,
      uiUrl: `http://127.0.0.1:${uiPort}`,
      dbFile,
      env: { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace },
      pid: server.pid,
      log: () => server.log(),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  });
}

function searchAttributeArguments(): string[] {
  return Object.entries(searchAttributeTypes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]);
}

async function serves(address: string, namespace: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 1_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace });
    return true;
  } finally {
    await connection.close();
  }
}
