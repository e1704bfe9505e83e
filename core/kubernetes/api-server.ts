import { setTimeout as pause } from 'node:timers/promises';
import { SealiftError } from '../errors.ts';
import { createHttpClient, type HttpClient, type HttpMethod } from '../http/client.ts';
import { backoffMs, MAX_TRIES } from '../http/retry.ts';
import { createSourceContext } from '../sources/context.ts';
import { readLocal } from '../sources/read-local.ts';
import { clusterError, jsonOf, refusal, type Doing } from './api-error.ts';
import { readKubeconfig, type ApiServerAccess } from './kubeconfig.ts';

export interface ApiRequest extends Doing {
  method: Extract<HttpMethod, 'GET' | 'POST' | 'PATCH' | 'DELETE'>;
  /** absolute path on the API server */
  path: string;
  query?: Record<string, string>;
  /** sent as JSON */
  body?: object;
  /** `application/json` when absent */
  contentType?: string;
  /** answers other than 2xx that are no error */
  expected?: readonly number[];
  signal?: AbortSignal;
}

export interface ApiAnswer {
  status: number;
  /** parsed JSON */
  body: unknown;
}

/** A connection to one API server, with the credentials of a kubeconfig. */
export interface ApiServer extends AsyncDisposable {
  /** URL without a slash at its end */
  url: string;
  /**
   * Makes a request. All that is asked for may be asked for twice (apply, merge patch, delete), so it is tried up to three
   * times when the connection fails or the API server is unavailable.
   * @throws SealiftError of side `cluster`: ClusterUnreachable, ClusterForbidden, CertificateUntrusted, KindUnknown,
   * ObjectConflict, ObjectInvalid
   */
  ask(request: ApiRequest): Promise<ApiAnswer>;
  /** An answer that is no JSON, e.g. a log; tried as `ask` with GET. @throws SealiftError as `ask` */
  text(request: Omit<ApiRequest, 'method' | 'body'>): Promise<string>;
  /** The lines of an answer that has no end, parsed; tried once. @throws SealiftError as `ask` */
  lines(request: ApiRequest & { timeoutMs: number }): AsyncGenerator;
}

const MAX_ANSWER = 64 * 1024 * 1024;
const unreachable = new Set([
  'ConnectionFailed',
  'Stalled',
  'BodyTruncated',
  'RegistryUnavailable',
  'RegistryThrottled',
]);

/**
 * Opens the API server that a kubeconfig leads to. Nothing is asked yet.
 * @param context the kubeconfig's context; its current one when undefined
 * @throws SealiftError FileMissing, InvalidInput (with file and line), ToolMissing and ToolFailed (of its exec command)
 */
export async function openApiServer(kubeconfig: string, context?: string): Promise<ApiServer> {
  let session = openSession(await credentials(kubeconfig, context));

  /** A token may have expired since it was read, or the kubeconfig been replaced. @returns whether there are other ones */
  async function renewed(): Promise<boolean> {
    const access = await credentials(kubeconfig, context);
    if (JSON.stringify(access) === JSON.stringify(session.access)) return false;
    const previous = session;
    session = openSession(access);
    void previous.http.close();
    return true;
  }

  async function ask(request: ApiRequest): Promise<ApiAnswer> {
    const response = await requestOf(session, request);
    if (response.status === 401 && (await renewed())) return ask(request);
    const { status, body } = response;
    if (status < 300 || request.expected?.includes(status)) return { status, body: jsonOf(body) };
    throw refusal(response, session.access.server, request);
  }

  async function* lines(request: ApiRequest & { timeoutMs: number }): AsyncGenerator {
    yield* linesOf(session, request);
  }

  async function text(request: Omit<ApiRequest, 'method' | 'body'>): Promise<string> {
    const response = await requestOf(session, { ...request, method: 'GET' });
    if (response.status < 300) return Buffer.from(response.body).toString('utf8');
    throw refusal(response, session.access.server, request);
  }

  return {
    url: session.access.server,
    lines,
    text,
    ask: (request) => (request.method === 'GET' ? ask(request) : withRetries(() => ask(request))),
    [Symbol.asyncDispose]: () => session.http.close(),
  };
}

interface Session {
  access: ApiServerAccess;
  http: HttpClient;
}

function openSession(access: ApiServerAccess): Session {
  const { ca, tls, insecureSkipTlsVerify } = access;
  const settings = { plainHttp: false, insecureSkipTlsVerify, tls, ...(ca === undefined ? {} : { ca }) };
  return { access, http: createHttpClient(settings, 'cluster') };
}

async function credentials(kubeconfig: string, context: string | undefined): Promise<ApiServerAccess> {
  const read = (location: string): Promise<Uint8Array> => readLocal(location, 'cluster');
  const { run } = createSourceContext({ read, warn: () => undefined, scratch: '' });
  return readKubeconfig(kubeconfig, context, { read, run });
}

async function requestOf(session: Session, request: ApiRequest): ReturnType<HttpClient['request']> {
  return session.http.request({ ...httpRequest(session, request), maxBytes: MAX_ANSWER }).catch((error: unknown) => {
    throw asClusterError(error, session, request);
  });
}

async function* linesOf(session: Session, request: ApiRequest & { timeoutMs: number }): AsyncGenerator {
  try {
    const { status, body } = await session.http.stream({
      ...httpRequest(session, request),
      timeoutMs: request.timeoutMs,
    });
    if (status >= 300) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      throw refusal({ status, body: Buffer.concat(chunks) }, session.access.server, request);
    }
    for await (const line of splitLines(body)) yield JSON.parse(line) as unknown;
  } catch (error) {
    throw asClusterError(error, session, request);
  }
}

async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    yield* parts.filter((part) => part !== '');
  }
}

function httpRequest({ access }: Session, request: ApiRequest): Parameters<HttpClient['stream']>[0] {
  const url = new URL(access.server + request.path);
  for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
  return {
    method: request.method,
    url: url.href,
    headers: {
      accept: 'application/json',
      ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
      ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
    },
    ...(request.body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(request.body)) }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    operation: request.operation,
    subject: request.subject,
  };
}

/** What the HTTP client says, in the words of clusters; trust comes from the kubeconfig here, not from where that in registries comes from. */
function asClusterError(error: unknown, { access }: Session, doing: Doing): unknown {
  if (!(error instanceof SealiftError) || error.problem.subject.endsWith(` at ${access.server}`)) return error;
  const { message, remedy } = error.problem;
  if (unreachable.has(error.type)) {
    return clusterError('ClusterUnreachable', access.server, doing, message, remedy, error);
  }
  const trust = 'put the certificate authority of the cluster into the kubeconfig (certificate-authority-data)';
  return clusterError(error.type, access.server, doing, message, remedy.includes('--ca-file') ? trust : remedy, error);
}

async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const again = error instanceof SealiftError && error.type === 'ClusterUnreachable' && tries < MAX_TRIES;
      if (!again) throw error;
      await pause(backoffMs(tries));
    }
  }
}
