import { connect } from 'node:net';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { acceptsConnections, freePort } from '../../core/server/free-port.ts';
import { requireTool } from '../helpers/paths.ts';
import { startProcess, type RunningProcess } from '../helpers/processes.ts';

/** The cloud that all management clusters of a lab make their machines in (tools/cluster-api/in-memory-infrastructure). */
export interface InMemoryCloud {
  process: RunningProcess;
  /** where providers report: IN_MEMORY_CLOUD of their environment */
  socket: string;
  /** folder with `<namespace>.<cluster>.json`: clusters whose API server is a real one */
  forwards: string;
}

const CLUSTERS = 40;
/** Beside those of core/server/free-port.ts, for the same reason below the ports that Linux lends. */
const FIRST_PORT = 24_000;
const BLOCKS = 200;

export async function startInMemoryCloud(folder: string): Promise<InMemoryCloud> {
  const socket = join(folder, 'cloud.sock');
  const forwards = join(folder, 'forwards');
  await mkdir(forwards, { recursive: true });
  const first = await freeBlock();
  const process = await startProcess({
    command: await requireTool('in-memory-infrastructure'),
    args: [
      ...['cloud', `--socket=${socket}`, `--forwards=${forwards}`],
      ...[`--ports=${first}-${first + CLUSTERS - 1}`, `--debug-port=${await freePort()}`],
    ],
    ready: () => answers(socket),
  });
  return { process, socket, forwards };
}

/** Every cluster gets a port of its own, and no port is looked at before it is used. */
async function freeBlock(): Promise<number> {
  for (;;) {
    const first = FIRST_PORT + CLUSTERS * Math.floor(Math.random() * BLOCKS);
    const ports = Array.from({ length: CLUSTERS }, (_, index) => first + index);
    const taken = await Promise.all(ports.map((port) => acceptsConnections(port)));
    if (!taken.includes(true)) return first;
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const end = (connected: boolean): void => {
      connection.destroy();
      resolve(connected);
    };
    connection.once('connect', () => {
      end(true);
    });
    connection.once('error', () => {
      end(false);
    });
  });
}
