import { randomInt } from 'node:crypto';
import { createServer, connect } from 'node:net';

/**
 * Below the ports that systems lend to whoever connects (32768 and up on Linux, 49152 and up elsewhere): a server that has ended
 * can have its port again. Out of the lent ones, it could be held meanwhile by any connection, even by one of those who still
 * try to reach the server.
 */
const FIRST_PORT = 10_000;
const PAST_LAST_PORT = 24_000;
const MAX_TRIES = 100;

/** Those that this process has handed out lately: it may be a while until somebody listens there. */
const given = new Set<number>();
const MAX_GIVEN = 1_000;

/**
 * A port on 127.0.0.1 that nothing listens on: the preferred one if it is free, else any that lasts for a restart. Another
 * process may still be quicker, so who starts a server there has to be ready to ask again.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const port = randomInt(FIRST_PORT, PAST_LAST_PORT);
    if (given.has(port) || !(await isFree(port))) continue;
    if (given.size === MAX_GIVEN) given.clear();
    given.add(port);
    return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${FIRST_PORT} and ${PAST_LAST_PORT}`);
}

/** Whether something accepts connections there within `timeoutMs` milliseconds. */
export function acceptsConnections(port: number, timeoutMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}
