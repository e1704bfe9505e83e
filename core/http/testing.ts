import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

/** A request as a test server saw it. */
export interface SeenRequest {
  method: string;
  /** path and query */
  url: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** bytes announced instead of the body's; the connection ends after the body */
  announced?: number;
}

/** What to answer; undefined resets the connection, and a promise that never settles is silence. */
export type Responder = (request: SeenRequest) => Answer | undefined | Promise<Answer | undefined>;

export interface TestServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  host: string;
  /** `http://127.0.0.1:PORT` or https */
  url: string;
  seen: SeenRequest[];
}

/** A small server on a free loopback port for answers that no real registry gives on demand. */
export async function startTestServer(respond: Responder, tls?: { cert: string; key: string }): Promise<TestServer> {
  const seen: SeenRequest[] = [];
  const listener: http.RequestListener = (incoming, outgoing) => {
    void receive(incoming).then(async (request) => {
      seen.push(request);
      const answer = await respond(request);
      if (answer === undefined) incoming.socket.destroy();
      else send(outgoing, answer);
    });
  };
  const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function receive(incoming: http.IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const { method = '', url = '', headers } = incoming;
  return { method, url, headers, body: Buffer.concat(chunks).toString() };
}

function send(outgoing: http.ServerResponse, answer: Answer): void {
  const { status, headers = {}, body = '', announced } = answer;
  const length = announced ?? Buffer.byteLength(body);
  outgoing.writeHead(status, { 'content-length': String(length), ...headers });
  if (announced === undefined) outgoing.end(body);
  else outgoing.write(body, () => outgoing.destroy());
}
