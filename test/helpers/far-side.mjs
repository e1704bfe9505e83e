// Runs in the far side's network namespace: the ports of another node, the real registry seen through a wrong clock, and a
// web server that is no registry. Its one argument is JSON, see node-network.ts.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import { createServer as listen } from 'node:net';

const { registry, ahead, behind, website, nodePort, droppedPort, certificate, key, ca } = JSON.parse(process.argv[2]);
const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
const TEN_MINUTES_MS = 600_000;

function withClock(offsetMs) {
  return createServer(tls, (incoming, outgoing) => {
    const options = { host: '127.0.0.1', port: registry, path: incoming.url, ca: readFileSync(ca), agent: false };
    request(options, (answer) => {
      const date = new Date(Date.now() + offsetMs).toUTCString();
      outgoing.writeHead(answer.statusCode, { ...answer.headers, date });
      answer.pipe(outgoing);
    }).end();
  });
}

for (const port of [nodePort, droppedPort]) listen((socket) => socket.end()).listen(port, '0.0.0.0');
withClock(TEN_MINUTES_MS).listen(ahead, '0.0.0.0');
withClock(-TEN_MINUTES_MS).listen(behind, '0.0.0.0');
createServer(tls, (_, outgoing) => outgoing.writeHead(404).end()).listen(website, '0.0.0.0');
