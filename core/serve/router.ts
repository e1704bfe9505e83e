import type { Authenticate } from './basic-auth.ts';
import { refuseMethod, sendText, type Exchange } from './exchange.ts';
import { answerFile } from './file-routes.ts';
import type { Metrics } from './metrics.ts';
import { answerRegistry, sendRegistryError } from './registry-routes.ts';
import type { ServedView } from './view.ts';

export interface RouterTools {
  authenticate: Authenticate | undefined;
  metrics: Metrics;
}

/**
 * Answers one request.
 *
 * @returns the user, when there is authentication and it went well
 * @throws Error when the bundle can't be read
 */
export async function answer(exchange: Exchange, view: ServedView, tools: RouterTools): Promise<string | undefined> {
  if (exchange.path === '/healthz') {
    exchange.route = 'healthz';
    sendText(exchange, 200, 'text/plain', 'ok\n');
    return undefined;
  }
  const { headers, socket } = exchange.request;
  const verdict = await tools.authenticate?.(headers.authorization, socket.remoteAddress ?? '');
  if (verdict === 'refused' || verdict === 'busy') {
    refuse(exchange, verdict);
    return undefined;
  }
  const { path } = exchange;
  if (path === '/metrics') sendMetrics(exchange, tools.metrics);
  else if (isRegistryPath(path)) await answerRegistry(exchange, view);
  else await answerFile(exchange, view.mounts, view.inputs);
  return verdict?.user;
}

/** Answers a request that could not be answered; nothing has been sent yet. */
export function sendFailure(exchange: Exchange): void {
  const message = 'the bundle could not be read';
  if (isRegistryPath(exchange.path)) sendRegistryError(exchange, 500, 'UNKNOWN', message);
  else sendText(exchange, 500, 'text/plain', `${message}\n`);
}

function isRegistryPath(path: string): boolean {
  return path === '/v2' || path.startsWith('/v2/');
}

function refuse(exchange: Exchange, verdict: 'refused' | 'busy'): void {
  exchange.route = 'refused';
  const headers: Record<string, string> =
    verdict === 'busy' ? { 'retry-after': '1' } : { 'www-authenticate': 'Basic realm="sealift", charset="UTF-8"' };
  const [status, code, message] =
    verdict === 'busy'
      ? ([429, 'TOOMANYREQUESTS', 'too many passwords are being checked'] as const)
      : ([401, 'UNAUTHORIZED', 'user and password are required'] as const);
  if (isRegistryPath(exchange.path)) sendRegistryError(exchange, status, code, message, headers);
  else sendText(exchange, status, 'text/plain', `${message}\n`, headers);
}

function sendMetrics(exchange: Exchange, metrics: Metrics): void {
  exchange.route = 'metrics';
  const { method } = exchange.request;
  if (method === 'GET' || method === 'HEAD') {
    sendText(exchange, 200, 'text/plain; version=0.0.4; charset=utf-8', metrics.text());
  } else refuseMethod(exchange, 'text/plain', 'metrics are only read\n');
}
