import { parentPort } from 'node:worker_threads';
import { Mover } from './mover.ts';
import { moveTimeouts, type ThreadReply, type ThreadRequest } from './moves.ts';

/** Entry point of a mover thread. */
const PROGRESS_EVERY_MS = 200;

const port = parentPort!;
const mover = new Mover(moveTimeouts(process.env));
const reply = (message: ThreadReply): void => port.postMessage(message);

let timer: NodeJS.Timeout | undefined;

function report(): void {
  const progress = mover.progress();
  if (progress.length > 0) return reply({ progress });
  clearInterval(timer);
  timer = undefined;
}

port.on('message', (request: ThreadRequest) => {
  if ('cancel' in request) return mover.cancel(request.cancel);
  timer ??= setInterval(report, PROGRESS_EVERY_MS);
  void mover.run(request.id, request.move).then((outcome) => reply({ id: request.id, outcome }));
});
