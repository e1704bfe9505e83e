import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';

/** The head of a request as it came over the wire. */
export interface RawRequest {
  /** e.g. `GET /blob HTTP/1.1` */
  line: string;
  /** lower-case names */
  headers: Record<string, string>;
  /** which connection it came on, from 0 */
  connection: number;
  /** which request of the server it is, from 0 */
  index: number;
  socket: net.Socket;
}

export interface RawServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` or https */
  url: string;
  host: string;
  requests: RawRequest[];
  /** bytes of request bodies that were read */
  received(): number;
  /** ends every open connection */
  hangUp(): void;
}

/**
 * A server that writes what a test wants, byte by byte, on a free loopback port. `respond` is called when a request's head is
 * there; a body is read and counted unless it pauses the socket.
 */
export async function startRawServer(
  respond: (request: RawRequest) => void,
  secure?: { cert: string; key: string },
): Promise<RawServer> {
  const requests: RawRequest[] = [];
  const sockets = new Set<net.Socket>();
  let received = 0;
  let connections = 0;
  const serve = (socket: net.Socket): void => {
    const connection = connections++;
    let text = '';
    let body = 0;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      const taken = Math.min(body, bytes.length);
      body -= taken;
      received += taken;
      text += bytes.toString('latin1', taken);
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const [line = '', ...lines] = text.slice(0, end).split('\r\n');
        const headers = Object.fromEntries(
          lines.map((one) => one.split(/: (.*)/s, 2)).map(([k = '', v = '']) => [k.toLowerCase(), v]),
        );
        const rest = text.slice(end + 4);
        const inBody = Math.min(rest.length, Number(headers['content-length'] ?? 0));
        received += inBody;
        body = Number(headers['content-length'] ?? 0) - inBody;
        text = rest.slice(inBody);
        const request = { line, headers, connection, index: requests.length, socket };
        requests.push(request);
        respond(request);
      }
    });
  };
  const server = secure === undefined ? net.createServer(serve) : tls.createServer(secure, serve);
  server.on('tlsClientError', (_error, socket: net.Socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `${secure === undefined ? 'http' : 'https'}://${host}`,
    host,
    requests,
    received: () => received,
    hangUp,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      hangUp();
      await closed;
    },
  };
}

/** Answers a GET with these bytes, as a server does that understands `Range: bytes=N-`. */
export function serveBytes(
  bytes: Buffer,
  options: { headers?: string; ranges?: boolean } = {},
): (request: RawRequest) => void {
  const { headers = '', ranges = true } = options;
  return ({ headers: asked, socket }) => {
    const range = ranges ? /^bytes=(\d+)-$/.exec(asked['range'] ?? '') : null;
    const start = Number(range?.[1] ?? 0);
    if (start >= bytes.length && range !== null) {
      socket.write(`HTTP/1.1 416 No\r\nContent-Length: 0\r\n${headers}\r\n`);
      return;
    }
    const status =
      range === null ? '200 OK' : `206 Partial\r\nContent-Range: bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    socket.write(`HTTP/1.1 ${status}\r\nContent-Length: ${bytes.length - start}\r\n${headers}\r\n`);
    socket.write(bytes.subarray(start));
  };
}

/** Where a blob begins in the files of `blobFile`. */
export const OFFSET = 1_000;
const BEHIND = 500;
const FILLER = 0xaa;

/** A file with room for a blob at `OFFSET`; the first `prefix` bytes of the blob are there. */
export async function blobFile(folder: string, content: Buffer, prefix = 0): Promise<string> {
  const path = join(folder, `file-${randomUUID()}`);
  const bytes = Buffer.alloc(OFFSET + content.length + BEHIND, FILLER);
  content.copy(bytes, OFFSET, 0, prefix);
  await writeFile(path, bytes);
  return path;
}

/** The blob's bytes in such a file. @throws Error when bytes before or behind them were touched */
export async function blobIn(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  const frame = Buffer.concat([bytes.subarray(0, OFFSET), bytes.subarray(-BEHIND)]);
  if (!frame.every((byte) => byte === FILLER)) throw new Error('bytes outside the blob were touched');
  return bytes.subarray(OFFSET, -BEHIND);
}
