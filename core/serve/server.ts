import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import { accessLine } from './access-log.ts';
import type { Authenticate } from './basic-auth.ts';
import type { Exchange } from './exchange.ts';
import { Metrics } from './metrics.ts';
import { answer, sendFailure } from './router.ts';
import type { ServedView } from './view.ts';

export interface ServerSettings {
  host: string;
  /** 0: any that is free */
  port: number;
  /** PEM; plain HTTP when absent */
  tls?: { certificate: Buffer; key: Buffer };
  /** everyone may read when absent */
  authenticate?: Authenticate;
  /** connections beyond it are closed at once */
  maxConnections: number;
  /** a connection on which nothing moves for so long is closed, milliseconds; 2 minutes when absent */
  idleMs?: number;
  /** a request whose headers are not all there after so long is refused with 408, milliseconds; 15 seconds when absent */
  headersMs?: number;
  /** given one line for each request, without a line end */
  accessLog?: (line: string) => void;
  /** given what an operator has to know while the server runs */
  warn: (message: string) => void;
}

/** A server that answers. */
export interface RunningServer {
  /** with the port it really has */
  url: string;
  /** Takes no more connections and waits for the answers that are under way, then frees the inputs. Idempotent. */
  stop(): Promise<void>;
  /** Breaks off what is under way; `stop` then ends soon. */
  breakOff(): void;
}

const HEADERS_MS = 15_000;
const REQUEST_MS = 60_000;
const KEEP_ALIVE_MS = 75_000;
const IDLE_MS = 120_000;

/**
 * Serves a view until stopped; takes over its inputs.
 *
 * @throws SealiftError InvalidInput when the address can't be listened on, or certificate and key do not fit
 */
export async function startServer(view: ServedView, settings: ServerSettings): Promise<RunningServer> {
  const site = new Site(view, settings);
  try {
    const server = createFor(settings, site);
    await listen(server, settings);
    let stopped: Promise<void> | undefined;
    return {
      url: urlOf(server, settings),
      stop: () => (stopped ??= site.stop(server)),
      breakOff: () => {
        site.breakOff();
      },
    };
  } catch (error) {
    await view.inputs.close();
    throw error;
  }
}

/** What all connections of a server share. */
class Site {
  readonly #view: ServedView;
  readonly #settings: ServerSettings;
  readonly #metrics = new Metrics();
  readonly #answering = new Set<Promise<void>>();
  readonly #sockets = new Set<Socket>();
  /** there once the server is being stopped: called when nothing is under way */
  #drained: (() => void) | undefined;

  constructor(view: ServedView, settings: ServerSettings) {
    this.#view = view;
    this.#settings = settings;
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    if (this.#drained !== undefined) response.setHeader('connection', 'close');
    const answering = this.#answer(request, response).finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
  }

  /** Lets answers under way finish; connections that wait for nothing, or never asked for anything, do not hold it up. */
  async stop(server: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      if (this.#metrics.inFlight === 0) resolve();
    });
    this.breakOff();
    await closed;
    await Promise.all(this.#answering);
    await this.#view.inputs.close();
  }

  breakOff(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Never rejects: what goes wrong is this request's alone. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path, query] = splitTarget(request.url ?? '/');
    const exchange: Exchange = { request, response, path, query: new URLSearchParams(query), route: 'other' };
    const started = performance.now();
    let user: string | undefined;
    this.#follow(exchange, (facts) => {
      const milliseconds = performance.now() - started;
      this.#settings.accessLog?.(accessLine(exchange, facts, { user, milliseconds, time: new Date() }));
    });
    try {
      user = await answer(exchange, this.#view, { authenticate: this.#settings.authenticate, metrics: this.#metrics });
    } catch (error) {
      this.#settings.warn(`${request.method} ${path}: ${error instanceof Error ? error.message : String(error)}`);
      if (response.headersSent) response.destroy();
      else sendFailure(exchange);
    }
  }

  /** Counts the request when its answer is out, or its connection gone. */
  #follow(exchange: Exchange, ended: (facts: Parameters<Metrics['count']>[0]) => void): void {
    const { request, response } = exchange;
    const { socket } = request;
    const before = socket.bytesWritten;
    this.#metrics.inFlight += 1;
    response.once('close', () => {
      this.#metrics.inFlight -= 1;
      const facts = {
        method: request.method ?? '',
        route: exchange.route,
        status: response.headersSent ? response.statusCode : 0,
        bytes: socket.bytesWritten - before,
        aborted: !response.writableFinished,
      };
      this.#metrics.count(facts);
      ended(facts);
      if (this.#metrics.inFlight === 0) this.#drained?.();
    });
  }

  /** Takes note of a connection while it is open: with TLS, from before the handshake. */
  follow(socket: Socket): void {
    this.#sockets.add(socket);
    this.#metrics.connections = this.#sockets.size;
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#metrics.connections = this.#sockets.size;
    });
  }
}

function createFor(settings: ServerSettings, site: Site): Server {
  const { tls, maxConnections, idleMs = IDLE_MS, headersMs = HEADERS_MS } = settings;
  const timeouts = {
    headersTimeout: headersMs,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Node looks for requests that take too long every half minute unless told otherwise
    connectionsCheckingInterval: headersMs / 3,
  };
  const server = tls === undefined ? createServer(timeouts) : createTls(tls, timeouts);
  server.maxConnections = maxConnections;
  server.setTimeout(idleMs);
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    site.serve(request, response);
  };
  server.on('request', serve);
  // who waits for "100 Continue" wants to send something, and is told that nobody wants it
  server.on('checkContinue', serve);
  server.on('connection', (socket) => {
    site.follow(socket);
  });
  return server;
}

function createTls({ certificate, key }: { certificate: Buffer; key: Buffer }, timeouts: object): Server {
  try {
    return createTlsServer({
      ...timeouts,
      handshakeTimeout: HEADERS_MS,
      cert: certificate,
      key,
      minVersion: 'TLSv1.2',
    });
  } catch (error) {
    throw new SealiftError('InvalidInput', {
      side: 'local',
      operation: 'read certificate',
      subject: '--tls-cert and --tls-key',
      message: error instanceof Error ? error.message : String(error),
      remedy: 'give PEM files: the certificate with its intermediates, and the key that belongs to it',
      cause: error,
    });
  }
}

async function listen(server: Server, { host, port }: ServerSettings): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new SealiftError('InvalidInput', {
          side: 'local',
          operation: 'listen',
          subject: `${host}:${port}`,
          message: errorCode(error) === 'EADDRINUSE' ? 'another program listens there' : error.message,
          remedy: 'give another address with --listen; port 0 takes any that is free',
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

function urlOf(server: Server, { host, tls }: ServerSettings): string {
  const { port } = server.address() as AddressInfo;
  return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Path and query of a request target, which a proxy's client gives with scheme and host (RFC 9112, 3.2.2). */
function splitTarget(target: string): [path: string, query: string] {
  const local = target.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = local.indexOf('?');
  const path = mark === -1 ? local : local.slice(0, mark);
  return [withoutDots(path), mark === -1 ? '' : local.slice(mark + 1)];
}

/** The path with its `.` and `..` segments resolved (RFC 3986, 5.2.4): apt asks for `debian/./Packages`. */
function withoutDots(path: string): string {
  const segments = path.split('/').filter((segment, index) => segment !== '' || index > 0);
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (index === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}
