import { connect, createServer } from 'node:net';
import type { Finding } from '../../../../contracts/clusters.ts';
import { finder, type FindingPath } from '../../../../core/clusters/spec/findings.ts';

const CONNECT_TIMEOUT_MS = 2_000;
/** Where a machine that is there is likely to answer, or to refuse. */
const PROBED_PORTS = [22, 80, 443, 6443];

/** Whether any machine answers at an address, by accepting or by refusing a connection. */
export async function isAddressUsed(host: string): Promise<boolean> {
  const answers = await Promise.all(PROBED_PORTS.map((port) => answersAt(host, port)));
  return answers.includes(true);
}

function answersAt(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    // routers say of their own accord that nobody is there
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED' || code === 'ECONNRESET'));
  });
}

/** An address that nothing may have yet, and the field that it is in. */
export interface WantedAddress {
  address: string;
  subject: string;
  path: FindingPath;
}

/** @param isUsed as isAddressUsed */
export async function addressFindings(
  wanted: readonly WantedAddress[],
  isUsed: (address: string) => Promise<boolean> = isAddressUsed,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const used = await Promise.all(wanted.map(({ address }) => isUsed(address)));
  for (const [index, { address, subject, path }] of wanted.entries()) {
    if (!used[index]) continue;
    const remedy = 'choose an address that nothing has';
    finder(findings, subject, 'tinkerbell').problem('address-used', path, `something answers at ${address}`, remedy);
  }
  return findings;
}

/** Tinkerbell's gRPC (both) and metadata services: machines come to them. */
export const stackPorts = [42113, 50051, 7172] as const;

/** Whether Tinkerbell can be run on this machine for a bootstrap cluster. */
export async function portFindings(ports: readonly number[] = stackPorts): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const port of ports) {
    const fault = await listenFault(port);
    if (fault === undefined) continue;
    const message = `Tinkerbell has to listen there for the bootstrap cluster: ${fault}`;
    const remedy = 'end what listens there, on the machine where the worker runs';
    finder(findings, `port ${port}`, 'tinkerbell').problem('port', [], message, remedy);
  }
  return findings;
}

function listenFault(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ message }) => resolve(message));
    server.listen({ host: '0.0.0.0', port }, () => server.close(() => resolve(undefined)));
  });
}
