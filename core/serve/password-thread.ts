import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

/** Entry point of the thread that checks passwords: {@link PasswordCheck} in, whether it fits out. */
export interface PasswordCheck {
  password: string;
  /** bcrypt */
  hash: string;
}

const port = parentPort!;
port.on('message', ({ password, hash }: PasswordCheck) => port.postMessage(compareSync(password, hash)));
