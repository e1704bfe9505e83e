import { connect } from 'node:net';
import { errorCode } from '../host/atomic-file.ts';

/** silent: nothing came back; refused: the host is there and nothing listens; else the system's error, e.g. EHOSTUNREACH */
export type Reply = 'open' | 'refused' | 'silent' | (string & {});

const PATIENCE_MS = 3000;

/** Whether something listens at a TCP port, without saying anything to it. Never rejects. */
export function probeTcp(host: string, port: number): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (reply: Reply): void => {
      socket.destroy();
      resolve(reply);
    };
    socket.setTimeout(PATIENCE_MS, () => finish('silent'));
    socket.once('connect', () => finish('open'));
    socket.once('error', (error) => {
      const code = errorCode(error) ?? error.message;
      finish(code === 'ECONNREFUSED' ? 'refused' : code === 'ETIMEDOUT' ? 'silent' : code);
    });
  });
}
