import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeFinding } from '../../contracts/node-check.ts';
import { isLoopbackHost } from '../http/addresses.ts';
import { ok, problem, warning } from './finding.ts';

const RESOLV_CONF = '/etc/resolv.conf';
/** what the kubelet uses where systemd-resolved runs */
const RESOLVED_CONF = '/run/systemd/resolve/resolv.conf';
/** resolv.conf(5): two tries of five seconds */
const PATIENCE_MS = 12_000;

/** The name servers that CoreDNS will inherit from the node (its `forward . /etc/resolv.conf`). */
export async function checkResolvConf(): Promise<NodeFinding> {
  const subject = RESOLV_CONF;
  const servers = await nameservers(RESOLV_CONF);
  const remedy = `write a line \`nameserver ADDRESS\` into ${RESOLV_CONF}; any address that is not loopback will do, even one where nothing answers`;
  if (servers.length === 0) {
    return problem(
      subject,
      'it names no name server: CoreDNS ends with "no nameservers found", again and again',
      remedy,
    );
  }
  if (!servers.every(isLoopbackHost)) return ok(subject, `nameserver ${servers.join(', ')}`);
  const resolved = await nameservers(RESOLVED_CONF);
  if (resolved.some((server) => !isLoopbackHost(server))) {
    return ok(subject, `systemd-resolved, with nameserver ${resolved.join(', ')}`);
  }
  return problem(
    subject,
    `it names only this machine (${servers.join(', ')}): CoreDNS would ask itself and end with "Loop detected"`,
    resolved.length === 0 ? remedy : `give systemd-resolved a name server (DNS= in /etc/systemd/resolved.conf)`,
  );
}

async function nameservers(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*nameserver\s+([0-9a-fA-F.:%]+)/gm)].map(([, server = '']) => server);
}

/** Whether this node knows its own name, which becomes the name of the Kubernetes node. */
export async function checkHostname(own: readonly string[]): Promise<NodeFinding> {
  const name = hostname();
  const subject = `own name ${name}`;
  const addresses = await resolved(name);
  const remedy = `add \`${own[0] ?? 'ADDRESS'} ${name}\` to /etc/hosts`;
  if (addresses.length === 0) return problem(subject, 'it cannot be resolved', remedy);
  const mine = new Set(
    Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address)),
  );
  const foreign = addresses.filter((address) => !mine.has(address) && !isLoopbackHost(address));
  if (foreign.length === 0) return ok(subject, addresses.join(', '));
  return warning(subject, `it resolves to ${foreign.join(', ')}, which is no address of this node`, remedy);
}

/** Whether a host's name, without port, can be resolved here. @returns undefined for an address */
export async function checkName(name: string): Promise<NodeFinding | undefined> {
  if (isIP(name) !== 0) return undefined;
  const subject = `name ${name}`;
  const addresses = await resolved(name);
  if (addresses.length > 0) return ok(subject, addresses.join(', '));
  return problem(
    subject,
    'it cannot be resolved',
    `add \`ADDRESS ${name}\` to /etc/hosts, or to the name server in ${RESOLV_CONF}`,
  );
}

/** Addresses by the system's own resolver, so /etc/hosts counts; empty when there are none, or nobody says so in time. */
async function resolved(name: string): Promise<string[]> {
  const found = lookup(name, { all: true }).then(
    (entries) => entries.map(({ address }) => address),
    () => [],
  );
  return Promise.race([found, sleep(PATIENCE_MS, [], { ref: false })]);
}
