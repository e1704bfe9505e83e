import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { close, listen } from './file-server.ts';
import { authorizationOf } from './push.ts';
import type { RegistryCredentials } from './registry.ts';

export interface TokenFront extends AsyncDisposable {
  host: string;
  /** requests that came with the token */
  accepted(): number;
}

/**
 * Stands before a registry without authentication and asks for a bearer token, which it gives to whoever shows the
 * credentials (https://distribution.github.io/distribution/spec/auth/token/).
 * @param target `http://host:port`
 */
export async function startTokenFront(
  target: string,
  credentials: RegistryCredentials,
  token: string,
): Promise<TokenFront> {
  const basic = authorizationOf(credentials)['authorization'];
  let accepted = 0;
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { authorization } = incoming.headers;
    const host = incoming.headers.host ?? '';
    if (incoming.url?.startsWith('/token') === true) {
      response.writeHead(authorization === basic ? 200 : 401, { 'content-type': 'application/json' });
      response.end(authorization === basic ? JSON.stringify({ token, expires_in: 3600 }) : '{}');
    } else if (authorization === `Bearer ${token}`) {
      accepted += 1;
      await forward(target, incoming, response);
    } else {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token",service="test"` }).end();
      incoming.resume();
    }
  };
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch(() => response.destroy());
  });
  const port = await listen(server);
  return { host: `127.0.0.1:${port}`, accepted: () => accepted, [Symbol.asyncDispose]: () => close(server) };
}

async function forward(target: string, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/', headers } = incoming;
  const outgoing = request(new URL(url, target), { method, headers });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject);
  });
  await pipeline(incoming, outgoing);
  const answer = await answered;
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  await pipeline(answer, response);
}
