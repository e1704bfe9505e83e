import { read } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Span } from './inputs.ts';

/** Two of these a download: while one is on its way to the socket, the other is filled. */
const CHUNK = 512 * 1024;
/** From this many downloads at once on, each gets less, so that a thousand slow readers cost 64 MB and not a gigabyte. */
const MANY = 32;
const SMALL_CHUNK = 32 * 1024;

let running = 0;

/**
 * Sends a stretch of a file as the rest of a response and ends it. Reads no faster than the client takes, and stops when
 * that is gone.
 *
 * @throws Error when the file ends early or can't be read: the response is then incomplete, and its connection to be closed
 */
export async function pump(response: ServerResponse, { fd, offset, size }: Span): Promise<void> {
  const length = Math.min(running < MANY ? CHUNK : SMALL_CHUNK, size);
  let filling = Buffer.allocUnsafeSlow(length);
  let sending = Buffer.allocUnsafeSlow(size > length ? length : 0);
  const written = writer(response);
  running += 1;
  try {
    let ready = await fill(fd, filling, offset, size);
    for (let done = ready; done < size && !response.destroyed; done += ready) {
      [filling, sending] = [sending, filling];
      const chunk = sending.subarray(0, ready);
      [ready] = await Promise.all([fill(fd, filling, offset + done, size - done), written(chunk)]);
    }
    if (!response.destroyed) response.end(filling.subarray(0, ready));
  } finally {
    running -= 1;
  }
}

/** @returns a function that resolves when its bytes have left this process, or never will */
function writer(response: ServerResponse): (bytes: Uint8Array) => Promise<void> {
  let wake: (() => void) | undefined;
  response.once('close', () => wake?.());
  return (bytes) =>
    new Promise((resolve) => {
      wake = resolve;
      response.write(bytes, () => {
        resolve();
      });
    });
}

/** Fills the buffer as far as `left` allows. @returns how many bytes it has */
function fill(fd: number, buffer: Buffer, position: number, left: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, Math.min(buffer.length, left), position, (error, count) => {
      if (error !== null) reject(error);
      else if (count === 0 && left > 0) reject(new Error(`the file ends at byte ${position}, it was longer`));
      else resolve(count);
    });
  });
}
