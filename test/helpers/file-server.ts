import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface FileServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  url: string;
  host: string;
  /** bytes of bodies sent so far, by URL path */
  served: Map<string, number>;
  /** requests answered so far, by URL path */
  requests: Map<string, number>;
  stop(): Promise<void>;
}

/**
 * Serves a folder over plain HTTP, as a download site does: ETag, one byte range, If-Range (RFC 9110 section 14).
 * Faults are injected by a fault proxy in front of it.
 */
export async function startFileServer(folder: string): Promise<FileServer> {
  const served = new Map<string, number>();
  const requests = new Map<string, number>();
  const server = createServer((incoming, response) => {
    const path = decodeURIComponent(new URL(incoming.url ?? '/', 'http://relative').pathname);
    requests.set(path, (requests.get(path) ?? 0) + 1);
    const count = (bytes: number): unknown => served.set(path, (served.get(path) ?? 0) + bytes);
    answer(folder, path, incoming, response, count).catch(() => response.destroy());
  });
  const port = await listen(server);
  const stop = (): Promise<void> => close(server);
  const host = `127.0.0.1:${port}`;
  return { url: `http://${host}`, host, served, requests, stop, [Symbol.asyncDispose]: stop };
}

async function answer(
  folder: string,
  path: string,
  incoming: IncomingMessage,
  response: ServerResponse,
  count: (bytes: number) => void,
): Promise<void> {
  const file = join(folder, normalize(`/${path}`));
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) {
    response.writeHead(404).end();
    return;
  }
  const etag = `"${found.size}-${found.mtimeMs}"`;
  const ifRange = incoming.headers['if-range'];
  const asked =
    ifRange === undefined || ifRange === etag ? /^bytes=(\d+)-(\d*)$/.exec(incoming.headers.range ?? '') : null;
  const start = Number(asked?.[1] ?? 0);
  const end = Math.min(asked?.[2] === undefined || asked[2] === '' ? Infinity : Number(asked[2]), found.size - 1);
  if (asked !== null && start > end) {
    response.writeHead(416, { 'content-range': `bytes */${found.size}` }).end();
    return;
  }
  response.writeHead(asked === null ? 200 : 206, {
    'content-length': end - start + 1,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag,
    ...(asked === null ? {} : { 'content-range': `bytes ${start}-${end}/${found.size}` }),
  });
  if (incoming.method === 'HEAD' || found.size === 0) {
    response.end();
    return;
  }
  const body = createReadStream(file, { start, end });
  body.on('data', (chunk) => {
    count(chunk.length);
  });
  await pipeline(body, response);
}

/** Listens on a free loopback port. @returns the port */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** Ends a server and every connection it has. */
export async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
