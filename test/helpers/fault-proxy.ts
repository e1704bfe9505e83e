import {
  Agent,
  createServer,
  request,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream/promises';
import { BodyReset, shapeBody } from './fault-body.ts';
import { ActiveRule, registryError, type Fault, type FaultRule } from './fault-rules.ts';
import { close, listen } from './file-server.ts';

/** One request that came through, updated while it goes on. */
export interface Exchange {
  method: string;
  /** with query */
  path: string;
  /** 0 until there is an answer */
  status: number;
  /** body bytes that went on to the registry */
  up: number;
  /** body bytes that went back to the client */
  down: number;
  /** whether the client sent credentials */
  authorized: boolean;
  /** names of the rules that could strike */
  rules: string[];
}

export interface Traffic {
  requests: number;
  up: number;
  down: number;
}

export interface FaultProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  url: string;
  host: string;
  exchanges: Exchange[];
  /** sums over the exchanges that match */
  traffic(filter?: { method?: string; path?: RegExp }): Traffic;
  /** body bytes that went up so far; cheap, for kill conditions */
  uploaded(): number;
  downloaded(): number;
  /** Adds rules while it runs. */
  add(...rules: FaultRule[]): void;
  /** Removes all rules: the fault is mended. */
  clear(): void;
  /** how often a rule has struck */
  strikes(name: string): number;
  /** @throws Error naming the rules that never struck */
  expectAllUsed(): void;
  stop(): Promise<void>;
}

/**
 * A reverse proxy in front of a real registry or file server that counts and, where a rule says so, does harm. The
 * client's Host header goes on unchanged, so that upload locations lead back through the proxy.
 * @param target `http://host:port`
 */
export async function startFaultProxy(target: string, rules: FaultRule[] = []): Promise<FaultProxy> {
  const proxy = new Proxy(new URL(target), rules);
  const server = createServer((incoming, response) => void proxy.handle(incoming, response));
  // a stalled or slow body must not be ended by the proxy's own patience
  server.requestTimeout = 0;
  const host = `127.0.0.1:${await listen(server)}`;
  const stop = async (): Promise<void> => {
    proxy.agent.destroy();
    await close(server);
  };
  return {
    url: `http://${host}`,
    host,
    exchanges: proxy.exchanges,
    traffic: (filter) => sumOf(proxy.exchanges, filter),
    uploaded: () => proxy.total.up,
    downloaded: () => proxy.total.down,
    add: (...more) => proxy.rules.push(...more.map((rule) => new ActiveRule(rule))),
    clear: () => proxy.rules.splice(0),
    strikes: (name) => proxy.rules.find((active) => active.rule.name === name)?.strikes ?? 0,
    expectAllUsed: () => {
      const unused = proxy.rules.filter((active) => active.strikes === 0 && active.rule.optional !== true);
      if (unused.length > 0) throw new Error(`never struck: ${unused.map((active) => active.rule.name).join(', ')}`);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function sumOf(exchanges: Exchange[], filter: { method?: string; path?: RegExp } = {}): Traffic {
  const sum = { requests: 0, up: 0, down: 0 };
  for (const exchange of exchanges) {
    if (filter.method !== undefined && filter.method !== exchange.method) continue;
    if (filter.path?.test(exchange.path) === false) continue;
    sum.requests += 1;
    sum.up += exchange.up;
    sum.down += exchange.down;
  }
  return sum;
}

interface Handling {
  incoming: IncomingMessage;
  response: ServerResponse;
  exchange: Exchange;
  rules: ActiveRule[];
  signal: AbortSignal;
}

class Proxy {
  readonly agent = new Agent({ keepAlive: true });
  readonly exchanges: Exchange[] = [];
  readonly total = { up: 0, down: 0 };
  readonly rules: ActiveRule[];
  readonly #target: URL;
  /** first Range that was answered, by upload session */
  readonly #ranges = new Map<string, string>();
  readonly #interrupted = new Set<string>();

  constructor(target: URL, rules: FaultRule[]) {
    this.#target = target;
    this.rules = rules.map((rule) => new ActiveRule(rule));
  }

  async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    // Node takes it away from a request that has ended
    const { socket } = incoming;
    const method = incoming.method ?? 'GET';
    const path = incoming.url ?? '/';
    const rules = this.rules.filter((active) => active.matches(method, path));
    const authorized = incoming.headers.authorization !== undefined;
    const names = rules.map((active) => active.rule.name);
    const exchange = { method, path, status: 0, up: 0, down: 0, authorized, rules: names };
    this.exchanges.push(exchange);
    const gone = new AbortController();
    response.once('close', () => {
      gone.abort();
    });
    const handling = { incoming, response, exchange, rules, signal: gone.signal };
    try {
      if (!this.#answerAlone(handling)) await this.#forward(handling);
    } catch (error) {
      if (!incoming.complete) this.#interrupted.add(sessionOf(path));
      if (error instanceof BodyReset) socket.resetAndDestroy();
      else response.destroy();
    }
  }

  /** Faults for which the registry is not asked. */
  #answerAlone({ incoming, response, exchange, rules }: Handling): boolean {
    for (const active of rules) {
      const { fault } = active.rule;
      const answer = this.#ownAnswer(fault, incoming);
      if (answer === undefined || !active.strike()) continue;
      if (answer === 'drop') incoming.socket.resetAndDestroy();
      if (typeof answer === 'string') return true;
      exchange.status = answer.status;
      const headers = { 'content-length': Buffer.byteLength(answer.body), 'content-type': 'application/json' };
      response.writeHead(answer.status, { ...headers, ...answer.headers });
      response.end(incoming.method === 'HEAD' ? undefined : answer.body);
      // the rest of the request's body is read and thrown away, so that the answer arrives
      incoming.resume();
      return true;
    }
    return false;
  }

  #ownAnswer(fault: Fault, incoming: IncomingMessage): OwnAnswer | 'drop' | 'silence' | undefined {
    const path = incoming.url ?? '/';
    switch (fault.kind) {
      case 'drop':
      case 'silence':
        return fault.kind;
      case 'status':
        return { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? '' };
      case 'redirect':
        return { status: fault.status ?? 307, headers: { location: new URL(path, fault.to).href }, body: '' };
      case 'body-cap': {
        const tooLong = Number(incoming.headers['content-length'] ?? 0) > fault.bytes;
        return tooLong
          ? { status: fault.status, headers: {}, body: registryError('SIZE_INVALID', 'too large') }
          : undefined;
      }
      case 'session-lost': {
        const lost = incoming.method === 'GET' || this.#interrupted.has(sessionOf(path));
        return lost ? { status: 404, headers: {}, body: registryError('BLOB_UPLOAD_INVALID', 'invalid') } : undefined;
      }
      default:
        return undefined;
    }
  }

  async #forward(handling: Handling): Promise<void> {
    const { incoming, response, exchange, rules, signal } = handling;
    const { socket } = incoming;
    const { connection: _, ...headers } = incoming.headers;
    const { hostname, port } = this.#target;
    const outgoing = request({
      hostname,
      port,
      method: exchange.method,
      path: exchange.path,
      headers,
      agent: this.agent,
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve).on('error', reject);
    });
    // whoever waits for it is told; when the body fails first, nobody waits
    answered.catch(() => undefined);
    const countUp = (bytes: number): void => this.#count(exchange, 'up', bytes);
    const sent = sendBody(
      shapeBody(incoming.iterator({ destroyOnReturn: false }), { direction: 'up', rules, count: countUp, signal }),
      outgoing,
    );
    // an early answer, as a refusal is, counts even when the body could not be sent to its end
    const answer = await Promise.race([answered, sent.then(() => answered)]);
    sent.catch(() => response.destroy());
    const length = this.#passHead(handling, answer);
    const countDown = (bytes: number): void => this.#count(exchange, 'down', bytes);
    const body = shapeBody(resized(answer, length), { direction: 'down', rules, count: countDown, signal });
    await pipeline(body, response, { end: length.cut !== true });
    if (length.cut === true) socket.destroySoon();
  }

  /** Sends status and headers. @returns how the body's length is to be changed */
  #passHead({ response, exchange, rules }: Handling, answer: IncomingMessage): Resize {
    const { connection: _, ...headers } = answer.headers as OutgoingHttpHeaders;
    const resize: Resize = { extra: 0, keep: Infinity };
    const { method } = exchange;
    exchange.status = answer.statusCode ?? 502;
    for (const active of rules) {
      const { fault } = active.rule;
      if (fault.kind === 'restatus' && exchange.status < 300 && active.strike()) exchange.status = fault.status;
      if (fault.kind === 'headers' && active.strike()) Object.assign(headers, fault.headers);
      if (fault.kind === 'stale-range') this.#staleRange(active, exchange, headers);
      if (method !== 'HEAD' && (fault.kind === 'extra' || fault.kind === 'missing'))
        resizeBody(fault, active, headers, resize);
    }
    for (const name of Object.keys(headers)) if (headers[name] === undefined) delete headers[name];
    response.writeHead(exchange.status, headers);
    return resize;
  }

  #staleRange(active: ActiveRule, { method, path }: Exchange, headers: OutgoingHttpHeaders): void {
    if (method === 'POST' || typeof headers['range'] !== 'string') return;
    const session = sessionOf(path);
    const first = this.#ranges.get(session) ?? headers['range'];
    this.#ranges.set(session, first);
    if (first !== headers['range'] && active.strike()) headers['range'] = first;
  }

  #count(exchange: Exchange, direction: 'up' | 'down', bytes: number): void {
    exchange[direction] += bytes;
    this.total[direction] += bytes;
  }
}

interface OwnAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

interface Resize {
  /** bytes to add at the end */
  extra: number;
  /** bytes to keep */
  keep: number;
  /** the announced length is not reached: the connection has to end */
  cut?: boolean;
}

function resizeBody(
  fault: Extract<Fault, { kind: 'extra' | 'missing' }>,
  active: ActiveRule,
  headers: OutgoingHttpHeaders,
  resize: Resize,
): void {
  const length = Number(headers['content-length'] ?? 0);
  if (length < fault.bytes || !active.strike()) return;
  if (fault.kind === 'extra') {
    resize.extra = fault.bytes;
    headers['content-length'] = length + fault.bytes;
    return;
  }
  resize.keep = length - fault.bytes;
  if (fault.announced) headers['content-length'] = resize.keep;
  else resize.cut = true;
}

/** Every piece has left before the next one is taken, so that what was counted has reached the registry. */
async function sendBody(body: AsyncIterable<Buffer>, outgoing: ClientRequest): Promise<void> {
  try {
    for await (const piece of body) {
      await new Promise<void>((resolve, reject) => {
        outgoing.write(piece, (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    }
    outgoing.end();
  } catch (error) {
    outgoing.destroy();
    throw error;
  }
}

async function* resized(body: AsyncIterable<Buffer>, { extra, keep }: Resize): AsyncGenerator<Buffer> {
  let left = keep;
  for await (const chunk of body) {
    if (left > 0) yield chunk.subarray(0, Math.min(left, chunk.length));
    left -= chunk.length;
  }
  if (extra > 0) yield Buffer.alloc(extra, 'x');
}

/** An upload session is its path; its query (distribution's signed state) changes with every answer. */
function sessionOf(path: string): string {
  return path.split('?')[0] ?? path;
}
