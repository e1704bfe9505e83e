import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import { Agent, ProxyAgent, request as send, type Dispatcher } from 'undici';
import type { Side } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { exchangeFailure, isTransientFailure } from './failure.ts';
import type { HostSettings } from './host-settings.ts';
import { proxyFor } from './proxy.ts';
import { headersFor, isRedirect, redirectTarget, refused } from './redirect.ts';
import { backoffMs, isTransientStatus, MAX_PAUSE_MS, MAX_TRIES, retryAfterMs } from './retry.ts';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpRequest {
  method: HttpMethod;
  /** absolute */
  url: string;
  headers?: Record<string, string>;
  body?: Uint8Array;
  /** the most bytes that a successful answer may have, 4 MiB unless given; other answers are cut at 64 KiB */
  maxBytes?: number;
  /** cancels the request; what is thrown then is the signal's reason */
  signal?: AbortSignal;
  /** how long nothing may arrive, in milliseconds; 60,000 unless given */
  timeoutMs?: number;
  /** what errors say was being done, e.g. `fetch manifest`; the method unless given */
  operation?: string;
  /** what errors say it was done to; the URL unless given */
  subject?: string;
}

export interface HttpResponse {
  status: number;
  /** lower-case names; repeated headers are joined by `, ` */
  headers: Record<string, string>;
  body: Uint8Array;
  /** the URL that answered, after redirects */
  url: string;
}

/** An answer that is read while it comes. Leaving the loop over the body ends the connection. */
export interface HttpStream {
  status: number;
  /** @throws SealiftError ConnectionFailed, Stalled, BodyTruncated */
  body: AsyncIterable<Uint8Array>;
}

/** Small requests and answers over HTTP/1.1 with pooled connections. Blobs go through the movers of core/transfer. */
export interface HttpClient {
  /**
   * Makes a request; any status is an answer, not an error. GET and HEAD follow up to five redirects and are tried up to
   * three times when the connection fails or the answer is 5xx; 429 is waited out for every method.
   * @throws SealiftError ConnectionFailed, Stalled, BodyTruncated, CertificateUntrusted, SizeMismatch (more than maxBytes),
   * RequestRefused (redirects), RegistryThrottled or RegistryUnavailable (told to wait longer than 10 s; has retryAfterMs)
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /**
   * Makes a request whose answer has no end, or none to wait for. It is tried once, follows no redirect, and has no size limit.
   * @throws SealiftError ConnectionFailed, Stalled, CertificateUntrusted
   */
  stream(request: Omit<HttpRequest, 'maxBytes'>): Promise<HttpStream>;
  /** Ends idle connections at once and the others after their answer. */
  close(): Promise<void>;
}

const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 15_000;
const CONNECTIONS_PER_HOST = 32;
const MAX_REDIRECTS = 5;

/** Makes a client for hosts with these settings; proxies are taken from the environment, request by request. */
export function createHttpClient(settings: HostSettings, side: Side): HttpClient {
  const dispatchers = createDispatchers(settings);
  // One 429 is meant for everything that goes to that host, whichever request it answered.
  const quietUntil = new Map<string, number>();

  async function tryRequest(request: HttpRequest): Promise<HttpResponse> {
    const start = new URL(request.url);
    let hop: Hop = { url: start, headers: { 'user-agent': 'sealift', ...request.headers } };
    for (let redirects = 0; ; redirects += 1) {
      await waitOutQuiet(hop.url.host, request);
      const response = await exchange(dispatchers, side, request, hop);
      const mayFollow = request.method === 'GET' || request.method === 'HEAD';
      if (!mayFollow || !isRedirect(response.status)) return response;
      if (redirects === MAX_REDIRECTS) throw refused(side, start, `it redirects more than ${MAX_REDIRECTS} times`);
      const url = redirectTarget(hop.url, response.headers['location'], side);
      hop = { url, headers: headersFor(hop.headers, hop.url, url) };
    }
  }

  async function waitOutQuiet(host: string, request: HttpRequest): Promise<void> {
    const remaining = (quietUntil.get(host) ?? 0) - performance.now();
    if (remaining > MAX_PAUSE_MS) throw toldToWait(429, remaining, side, request, host);
    if (remaining > 0) await pauseFor(remaining, request);
  }

  /** @returns how long to wait before another try; undefined when the answer is final */
  function delayAfter(response: HttpResponse, request: HttpRequest, tries: number): number | undefined {
    const { status } = response;
    const asked = retryAfterMs(response.headers['retry-after']);
    const host = new URL(response.url).host;
    if (status === 429) quietUntil.set(host, performance.now() + (asked ?? 0));
    if (!isTransientStatus(status) || (status !== 429 && !isReadOnly(request))) return undefined;
    if (asked !== undefined && asked > MAX_PAUSE_MS) throw toldToWait(status, asked, side, request, host);
    return tries < MAX_TRIES ? Math.max(asked ?? 0, backoffMs(tries)) : undefined;
  }

  return {
    async request(request) {
      for (let tries = 1; ; tries += 1) {
        let delay: number | undefined;
        try {
          const response = await tryRequest(request);
          delay = delayAfter(response, request, tries);
          if (delay === undefined) return response;
        } catch (error) {
          const again = error instanceof SealiftError && isTransientFailure(error) && error.retryAfterMs === undefined;
          if (!again || !isReadOnly(request) || tries === MAX_TRIES) throw error;
          delay = backoffMs(tries);
        }
        await pauseFor(delay, request);
      }
    },
    stream: (request) => openStream(dispatchers, side, request),
    close: dispatchers.close,
  };
}

/** One step of a request's way: where it goes, and what may go there. */
interface Hop {
  url: URL;
  headers: Record<string, string>;
}

interface Dispatchers {
  for(url: URL): { dispatcher: Dispatcher; proxied: boolean };
  close(): Promise<void>;
}

function createDispatchers(settings: HostSettings): Dispatchers {
  const trust = {
    rejectUnauthorized: !settings.insecureSkipTlsVerify,
    ...(settings.ca === undefined ? {} : { ca: [...tls.rootCertificates, settings.ca] }),
    ...settings.tls,
  };
  const limits = { connections: CONNECTIONS_PER_HOST, keepAliveTimeout: 15_000 };
  const direct = new Agent({ ...limits, connect: { ...trust, timeout: CONNECT_TIMEOUT_MS } });
  const proxies = new Map<string, ProxyAgent>();
  return {
    for(url) {
      const uri = proxyFor(url);
      if (uri === undefined) return { dispatcher: direct, proxied: false };
      let agent = proxies.get(uri);
      if (agent === undefined) {
        // Many proxies refuse CONNECT to anything but port 443, so plain HTTP is asked for in absolute form.
        agent = new ProxyAgent({ ...limits, uri, requestTls: trust, proxyTunnel: false });
        proxies.set(uri, agent);
      }
      return { dispatcher: agent, proxied: true };
    },
    async close() {
      await Promise.all([direct, ...proxies.values()].map((agent) => agent.close()));
    },
  };
}

async function exchange(dispatchers: Dispatchers, side: Side, request: HttpRequest, hop: Hop): Promise<HttpResponse> {
  const { response, failure } = await sendRequest(dispatchers, side, request, hop);
  try {
    const body = await readBody(response, request, side);
    return { status: response.statusCode, headers: plainHeaders(response.headers), body, url: hop.url.href };
  } catch (error) {
    throw await failure(error, 'body');
  }
}

async function openStream(dispatchers: Dispatchers, side: Side, request: HttpRequest): Promise<HttpStream> {
  const hop = { url: new URL(request.url), headers: { 'user-agent': 'sealift', ...request.headers } };
  const { response, failure } = await sendRequest(dispatchers, side, request, hop);
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) yield chunk;
    } catch (error) {
      throw await failure(error, 'body');
    }
  }
  return { status: response.statusCode, body: read() };
}

interface Sent {
  response: Dispatcher.ResponseData;
  /** what an error while the answer is read means; cancelled requests throw their signal's reason */
  failure(error: unknown, phase: 'head' | 'body'): Promise<unknown>;
}

async function sendRequest(dispatchers: Dispatchers, side: Side, request: HttpRequest, hop: Hop): Promise<Sent> {
  const timeout = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const { dispatcher, proxied } = dispatchers.for(hop.url);
  async function failure(error: unknown, phase: 'head' | 'body'): Promise<unknown> {
    request.signal?.throwIfAborted();
    if (error instanceof SealiftError) return error;
    return exchangeFailure(error, phase, { side, ...about(request), url: hop.url, proxied });
  }
  try {
    const response = await send(hop.url, {
      method: request.method,
      headers: hop.headers,
      dispatcher,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      ...(request.body === undefined ? {} : { body: request.body }),
      ...signalOption(request),
    });
    return { response, failure };
  } catch (error) {
    throw await failure(error, 'head');
  }
}

async function readBody(response: Dispatcher.ResponseData, request: HttpRequest, side: Side): Promise<Uint8Array> {
  const isError = response.statusCode >= 300;
  const limit = isError ? MAX_ERROR_BYTES : (request.maxBytes ?? DEFAULT_MAX_BYTES);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limit) {
      response.body.destroy();
      // What a refusal says at length does not matter, its status does.
      if (isError) break;
      throw new SealiftError('SizeMismatch', {
        side,
        ...about(request),
        message: `the answer is longer than the ${limit} bytes it may have`,
        remedy: 'check that the address is right and that nothing in between answers in its place',
      });
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

async function pauseFor(delayMs: number, request: HttpRequest): Promise<void> {
  await pause(delayMs, undefined, signalOption(request)).catch(() => request.signal?.throwIfAborted());
}

function toldToWait(status: number, waitMs: number, side: Side, request: HttpRequest, host: string): SealiftError {
  const seconds = Math.ceil(waitMs / 1000);
  return new SealiftError(status === 429 ? 'RegistryThrottled' : 'RegistryUnavailable', {
    side,
    ...about(request),
    message: `${host} answered ${status} and asks to wait ${seconds} s`,
    remedy: `wait, or log in to ${host} with an account that has a higher limit`,
    retryAfterMs: waitMs,
  });
}

function about(request: HttpRequest): { operation: string; subject: string } {
  return { operation: request.operation ?? request.method, subject: request.subject ?? request.url };
}

function isReadOnly(request: HttpRequest): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}

function signalOption(request: HttpRequest): { signal?: AbortSignal } {
  return request.signal === undefined ? {} : { signal: request.signal };
}

function plainHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, [value ?? []].flat().join(', ')] as const);
  return Object.fromEntries(entries);
}
