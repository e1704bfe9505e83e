import net from 'node:net';
import tls from 'node:tls';
import type { HttpTarget } from '../../contracts/transfer.ts';
import { ProtocolError, ResponseParser, type BodySink, type ResponseHead } from './http-response.ts';

const READ_BUFFER = 256 * 1024;
const TUNNEL_HEAD_LIMIT = 16 * 1024;

/** Sends the request body; `write` resolves when the bytes have left for the kernel, so the buffer may be used again. */
export type BodyWriter = (write: (bytes: Uint8Array) => Promise<void>, stopped: () => boolean) => Promise<void>;

export interface Exchange {
  method: 'GET' | 'PUT' | 'PATCH';
  url: URL;
  headers: Record<string, string>;
  body?: BodyWriter;
  /** decides by status where the body goes */
  onHead: (head: ResponseHead) => BodySink;
  /** without a byte in either direction for this long the connection is given up */
  stallMs: number;
  /** how long the answer to a fully sent request may take */
  answerMs: number;
}

export class ConnectionError extends Error {
  readonly reason: 'failed' | 'stalled' | 'truncated' | 'untrusted';
  constructor(reason: ConnectionError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * One HTTP/1.1 connection for the bytes of blobs, one exchange at a time. A plain socket reads into one reused buffer
 * (`onread`), which is what makes a single thread read, hash and write a gigabyte a second; a TLS socket has no such mode.
 */
export class HttpConnection {
  readonly key: string;
  readonly #socket: net.Socket;
  /** a proxy that requests are addressed to in absolute form (RFC 9112 section 3.2.2) */
  readonly #forward: URL | undefined;
  #parser: ResponseParser | undefined;
  #finish: ((error?: Error) => void) | undefined;
  #closed = false;

  private constructor(key: string, forward: URL | undefined, open: (onBytes: (bytes: Buffer) => void) => net.Socket) {
    this.key = key;
    this.#forward = forward;
    this.#socket = open((bytes) => this.#receive(bytes));
    this.#socket.on('error', (error) => this.#finish?.(connectionError(error)));
    // Node's own timer also sees a long write that the kernel takes bit by bit.
    this.#socket.on('timeout', () => {
      const seconds = (this.#socket.timeout ?? 0) / 1000;
      this.#finish?.(new ConnectionError('stalled', `no byte moved for ${seconds} s`));
    });
    this.#socket.on('close', () => {
      this.#closed = true;
      if (this.#parser?.end() === true) this.#finish?.();
      else
        this.#finish?.(new ConnectionError('truncated', 'the connection was closed before the response was complete'));
    });
  }

  /** Connects, through the target's proxy when it names one (CONNECT for https, absolute form for http). */
  static async open(target: HttpTarget, timeoutMs: number): Promise<HttpConnection> {
    const url = new URL(target.url);
    const secure = url.protocol === 'https:';
    const proxy = target.proxy === undefined ? undefined : new URL(target.proxy);
    const plain = proxy ?? url;
    const address = { host: plain.hostname.replace(/^\[|\]$/g, ''), port: portOf(plain) };
    const tunnel = secure && proxy !== undefined ? await openTunnel(address, url, proxy, timeoutMs) : undefined;
    const connection = new HttpConnection(connectionKey(target), secure ? undefined : proxy, (onBytes) => {
      if (!secure) {
        const buffer = Buffer.allocUnsafe(READ_BUFFER);
        const onread = { buffer, callback: (count: number) => (onBytes(buffer.subarray(0, count)), true) };
        return net.connect({ ...address, noDelay: true, onread });
      }
      const host = url.hostname.replace(/^\[|\]$/g, '');
      const socket = tls.connect({
        ...(tunnel === undefined ? { host, port: portOf(url) } : { socket: tunnel }),
        ...(net.isIP(host) === 0 ? { servername: host } : {}),
        ...(target.ca === undefined ? {} : { ca: [...tls.rootCertificates, target.ca] }),
        rejectUnauthorized: target.insecureSkipTlsVerify !== true,
      });
      socket.on('data', onBytes);
      return socket;
    });
    await connection.#connected(secure ? 'secureConnect' : 'connect', timeoutMs);
    return connection;
  }

  get usable(): boolean {
    return !this.#closed && !this.#socket.destroyed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Keeps an idle connection from holding the process open. */
  setIdle(idle: boolean): void {
    if (idle) this.#socket.unref();
    else this.#socket.ref();
  }

  /** @returns the head of the response when its body has been handed to the sink in full. @throws ConnectionError, ProtocolError, and what sink or body throw */
  async exchange(exchange: Exchange): Promise<{ head: ResponseHead; reusable: boolean }> {
    const parser = new ResponseParser(exchange.onHead);
    this.#parser = parser;
    this.#socket.setTimeout(exchange.stallMs);
    const progress = { sent: false };
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    finished.catch(() => undefined);
    const sending = this.#send(exchange, parser).then(() => {
      progress.sent = true;
      // A registry hashes and moves a large blob before it answers.
      if (exchange.body !== undefined) this.#socket.setTimeout(exchange.answerMs);
    });
    try {
      await Promise.race([sending, finished]);
      await finished;
      // An answer that came before the whole body was sent leaves the connection in the middle of a request.
      return { head: parser.head!, reusable: parser.reusable && progress.sent && this.usable };
    } catch (error) {
      this.destroy();
      // Whoever refuses a body may hang up on the rest of it; what was said before counts.
      const refused = exchange.body !== undefined && parser.head !== undefined && parser.head.status >= 300;
      if (refused && error instanceof ConnectionError) return { head: parser.head!, reusable: false };
      throw error;
    } finally {
      this.#socket.setTimeout(0);
      this.#parser = undefined;
      this.#finish = undefined;
    }
  }

  async #send(exchange: Exchange, parser: ResponseParser): Promise<void> {
    const { url } = exchange;
    const path = `${url.pathname}${url.search}`;
    const lines = Object.entries({ Host: url.host, ...exchange.headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    if (this.#forward !== undefined) lines.push(proxyAuthorization(this.#forward));
    const target = this.#forward === undefined ? path : `${url.origin}${path}`;
    this.#socket.write(`${exchange.method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
    await exchange.body?.(
      (bytes) => this.#write(bytes),
      () => parser.head !== undefined || !this.usable,
    );
    if (exchange.body !== undefined && parser.head !== undefined) parser.reusable = false;
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(connectionError(error));
        else resolve();
      });
    });
  }

  #receive(bytes: Buffer): void {
    const parser = this.#parser;
    if (parser === undefined) return this.destroy();
    try {
      parser.push(bytes);
      if (parser.done) this.#finish?.();
    } catch (error) {
      this.#finish?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #connected(event: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#finish?.(new ConnectionError('failed', `no connection after ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      this.#finish = (error) => {
        clearTimeout(timer);
        this.#finish = undefined;
        if (error === undefined) return resolve();
        this.destroy();
        reject(error);
      };
      this.#socket.once(event, () => this.#finish?.());
    });
  }
}

/** Connections with the same key can serve each other's requests. */
export function connectionKey(target: HttpTarget): string {
  const url = new URL(target.url);
  return [
    url.origin,
    target.proxy ?? '',
    target.insecureSkipTlsVerify === true ? 'insecure' : '',
    target.ca ?? '',
  ].join(' ');
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

/** A connection through a proxy (RFC 9110 section 9.3.6), as far as the end of the proxy's own answer. */
function openTunnel(
  address: { host: string; port: number },
  url: URL,
  proxy: URL,
  timeoutMs: number,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...address, noDelay: true });
    const fail = (message: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new ConnectionError('failed', `proxy ${proxy.host}: ${message}`));
    };
    const timer = setTimeout(() => fail(`no tunnel after ${timeoutMs / 1000} s`), timeoutMs);
    socket.once('error', (error) => fail(error.message));
    socket.once('close', () => fail('it closed the connection'));
    const authority = `${url.hostname}:${portOf(url)}`;
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${proxyAuthorization(proxy)}\r\n`);
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
      if (status === undefined && answer.length >= 12) return fail('it answered something that is not HTTP');
      if (status !== undefined && !status.startsWith('2')) return fail(`CONNECT answered ${status}`);
      if (answer.length > TUNNEL_HEAD_LIMIT) return fail('its answer does not end');
      // The server behind it says nothing before TLS begins, so nothing can follow the head.
      if (!answer.endsWith('\r\n\r\n')) return;
      clearTimeout(timer);
      for (const event of ['error', 'close', 'data']) socket.removeAllListeners(event);
      resolve(socket);
    });
  });
}

function proxyAuthorization(proxy: URL): string {
  if (proxy.username === '') return '';
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Proxy-Authorization: Basic ${Buffer.from(pair).toString('base64')}\r\n`;
}

function connectionError(error: Error & { code?: string }): Error {
  if (error instanceof ConnectionError || error instanceof ProtocolError) return error;
  const code = error.code ?? '';
  const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ALTNAME/.test(code);
  return new ConnectionError(
    untrusted ? 'untrusted' : 'failed',
    code === '' || error.message.includes(code) ? error.message : `${error.message} (${code})`,
  );
}
