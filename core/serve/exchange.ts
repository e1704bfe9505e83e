import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Content } from './inputs.ts';
import { pump } from './pump.ts';
import { namesTag, parseRange } from './range.ts';

/** One request with its answer. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** as it was sent, still percent-encoded */
  path: string;
  query: URLSearchParams;
  /** what kind of thing was asked for, for metrics and log; set by whoever finds out */
  route: string;
}

/** Content with what a client is told about it. */
export interface Representation {
  content: Content;
  mediaType: string;
  /** with its quotes (RFC 9110, 8.8.3) */
  entityTag: string;
  headers?: Record<string, string>;
}

/** Answers with a small text; a HEAD gets the headers alone. */
export function sendText(
  { request, response }: Exchange,
  status: number,
  mediaType: string,
  text: string,
  headers: Record<string, string> = {},
): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, { ...headers, 'content-type': mediaType, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/**
 * Answers GET and HEAD with content, whole, in part (Range, If-Range) or not at all (If-None-Match), by RFC 9110.
 *
 * @throws Error when the bytes can't be read; the response is then incomplete
 */
export async function sendContent(exchange: Exchange, representation: Representation): Promise<void> {
  const { request, response } = exchange;
  const { content, mediaType, entityTag, headers = {} } = representation;
  const size = sizeOf(content);
  const common = { ...headers, etag: entityTag, 'accept-ranges': 'bytes' };
  if (namesTag(request.headers['if-none-match'], entityTag)) {
    response.writeHead(304, common).end();
    return;
  }
  const range = request.method === 'GET' && rangeApplies(request, entityTag) ? request.headers.range : undefined;
  const wanted = parseRange(range, size);
  if (wanted === 'unsatisfiable') {
    sendText(exchange, 416, 'text/plain', 'there are no such bytes\n', { 'content-range': `bytes */${size}` });
    return;
  }
  const { first, last } = wanted ?? { first: 0, last: size - 1 };
  response.writeHead(wanted === undefined ? 200 : 206, {
    ...common,
    'content-type': mediaType,
    'content-length': last - first + 1,
    ...(wanted === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${size}` }),
  });
  if (request.method === 'HEAD' || size === 0) response.end();
  else if ('bytes' in content) response.end(content.bytes.subarray(first, last + 1));
  else await pump(response, { fd: content.fd, offset: content.offset + first, size: last - first + 1 });
}

/** Answers a request that would write. What it wants to send is not waited for. */
export function refuseMethod(exchange: Exchange, mediaType: string, text: string): void {
  sendText(exchange, 405, mediaType, text, { allow: 'GET, HEAD', connection: 'close' });
}

function sizeOf(content: Content): number {
  return 'bytes' in content ? content.bytes.length : content.size;
}

/** A range of something else than the client has the beginning of would make nonsense of both. */
function rangeApplies({ headers }: IncomingMessage, entityTag: string): boolean {
  const condition = headers['if-range'];
  return condition === undefined || condition === entityTag;
}
