export interface ResponseHead {
  status: number;
  /** names in lower case; repeated headers joined with `, ` */
  headers: Record<string, string>;
}

/** Takes the bytes of one body. A chunk is only valid during the call: its memory is used again for the next one. */
export type BodySink = (chunk: Buffer) => void;

/** The peer broke HTTP/1.1 framing. */
export class ProtocolError extends Error {}

const HEAD_LIMIT = 64 * 1024;

type State = 'head' | 'sized' | 'chunk-line' | 'chunk-data' | 'chunk-end' | 'trailer' | 'until-close' | 'done';

/**
 * Incremental parser of one HTTP/1.1 response (RFC 9112 sections 4 to 7) that hands body bytes on without copying them.
 * It serves GET, PUT and PATCH only: a response to HEAD would need to be told so.
 */
export class ResponseParser {
  head: ResponseHead | undefined;
  /** whether the connection can carry another request afterwards */
  reusable = true;
  #state: State = 'head';
  #left = 0;
  #line = '';
  #headBytes: Buffer[] = [];
  #headSize = 0;
  #sink: BodySink | undefined;
  readonly #onHead: (head: ResponseHead) => BodySink;

  constructor(onHead: (head: ResponseHead) => BodySink) {
    this.#onHead = onHead;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Feeds bytes as they arrive. @throws ProtocolError on broken framing, and whatever the sink throws */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#state !== 'done') {
      at = this.#state === 'head' ? this.#pushHead(bytes, at) : this.#pushBody(bytes, at);
    }
    if (at < bytes.length) this.reusable = false;
  }

  /** The peer closed. @returns whether that completes the response */
  end(): boolean {
    if (this.#state === 'until-close') this.#state = 'done';
    this.reusable = false;
    return this.#state === 'done';
  }

  #pushHead(bytes: Buffer, from: number): number {
    this.#headBytes.push(Buffer.from(bytes.subarray(from)));
    this.#headSize += bytes.length - from;
    const all = this.#headBytes.length === 1 ? this.#headBytes[0]! : Buffer.concat(this.#headBytes);
    const end = all.indexOf('\r\n\r\n');
    const headLength = end < 0 ? this.#headSize : end;
    if (headLength > HEAD_LIMIT) throw new ProtocolError('response headers are larger than 64 KiB');
    if (end < 0) {
      this.#headBytes = [all];
      return bytes.length;
    }
    const rest = all.length - (end + 4);
    this.#headBytes = [];
    this.#headSize = 0;
    this.#startBody(parseHead(all.toString('latin1', 0, end)));
    return bytes.length - rest;
  }

  #startBody(head: ResponseHead): void {
    if (head.status >= 100 && head.status < 200) return;
    this.head = head;
    this.#sink = this.#onHead(head);
    if ((head.headers['connection'] ?? '').toLowerCase().includes('close')) this.reusable = false;
    const length = head.headers['content-length'];
    if (head.status === 204 || head.status === 304) this.#state = 'done';
    else if ((head.headers['transfer-encoding'] ?? '').toLowerCase().includes('chunked')) this.#state = 'chunk-line';
    else if (length !== undefined) {
      if (!/^\d{1,15}$/.test(length)) throw new ProtocolError(`bad Content-Length ${JSON.stringify(length)}`);
      this.#left = Number(length);
      this.#state = this.#left === 0 ? 'done' : 'sized';
    } else this.#state = 'until-close';
  }

  #pushBody(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'until-close':
        this.#sink!(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      case 'sized':
      case 'chunk-data': {
        const take = Math.min(this.#left, bytes.length - at);
        this.#sink!(take === bytes.length ? bytes : bytes.subarray(at, at + take));
        this.#left -= take;
        if (this.#left === 0) this.#state = this.#state === 'sized' ? 'done' : 'chunk-end';
        return at + take;
      }
      default:
        return this.#pushChunkLine(bytes, at);
    }
  }

  #pushChunkLine(bytes: Buffer, at: number): number {
    const newline = bytes.indexOf(10, at);
    this.#line += bytes.toString('latin1', at, newline < 0 ? bytes.length : newline);
    if (this.#line.length > 4096) throw new ProtocolError('a chunk header is larger than 4 KiB');
    if (newline < 0) return bytes.length;
    const line = this.#line.replace(/\r$/, '');
    this.#line = '';
    if (this.#state === 'chunk-line') {
      const size = /^([0-9a-fA-F]{1,12})(;.*)?$/.exec(line);
      if (size === null) throw new ProtocolError(`bad chunk size ${JSON.stringify(line.slice(0, 40))}`);
      this.#left = parseInt(size[1]!, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk-data';
    } else if (this.#state === 'chunk-end') {
      if (line !== '') throw new ProtocolError('a chunk is longer than its size says');
      this.#state = 'chunk-line';
    } else if (line === '') this.#state = 'done';
    return newline + 1;
  }
}

function parseHead(text: string): ResponseHead {
  const [statusLine, ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine ?? '');
  if (status === null)
    throw new ProtocolError(`not an HTTP/1.1 response: ${JSON.stringify((statusLine ?? '').slice(0, 60))}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  if (statusLine!.startsWith('HTTP/1.0') && headers['connection'] === undefined) headers['connection'] = 'close';
  return { status: Number(status[1]), headers };
}
