import type { Exchange } from './exchange.ts';
import type { RequestFacts } from './metrics.ts';

/** One line of the access log: a JSON object. Control characters that a client sends are escaped by it. */
export function accessLine(
  { request, path, query }: Exchange,
  facts: RequestFacts,
  rest: { user: string | undefined; milliseconds: number; time: Date },
): string {
  return JSON.stringify({
    time: rest.time.toISOString(),
    remote: request.socket.remoteAddress ?? '',
    ...(rest.user === undefined ? {} : { user: rest.user }),
    method: facts.method,
    path: query.size === 0 ? path : `${path}?${query.toString()}`,
    route: facts.route,
    status: facts.status,
    bytes: facts.bytes,
    milliseconds: Math.round(rest.milliseconds),
    ...(facts.aborted ? { aborted: true } : {}),
    ...(request.headers['user-agent'] === undefined ? {} : { agent: request.headers['user-agent'] }),
  });
}
