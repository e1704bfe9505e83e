import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { NodeFinding } from '../../contracts/node-check.ts';
import { ok, problem } from './finding.ts';

/** Where this node is in the network. */
export interface Attachment {
  /** the interface that leads to the other nodes, as far as that can be told */
  interface: string;
  /** its IPv4 addresses */
  addresses: string[];
  findings: NodeFinding[];
}

/** Looks at the interface and the default route. @param wanted the interface that was asked for */
export async function checkNetwork(wanted: string | undefined): Promise<Attachment> {
  const addressed = addressesByInterface();
  const gateway = await defaultRoute();
  const chosen = wanted ?? gateway ?? ['eth0', ...addressed.keys()].find((name) => addressed.has(name)) ?? 'eth0';
  const addresses = addressed.get(chosen) ?? [];
  const findings = [await checkInterface(chosen, addresses), checkRoute(gateway, chosen)];
  return { interface: chosen, addresses, findings };
}

function addressesByInterface(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    const addresses = entries.filter(({ address, internal }) => isIPv4(address) && !internal);
    if (addresses.length > 0)
      found.set(
        name,
        addresses.map(({ address }) => address),
      );
  }
  return found;
}

async function checkInterface(name: string, addresses: string[]): Promise<NodeFinding> {
  const subject = `interface ${name}`;
  if (addresses.length > 0) return ok(subject, addresses.join(', '));
  const there = await allInterfaces();
  if (!there.includes(name)) {
    const others = there.filter((other) => other !== 'lo').join(', ');
    return problem(
      subject,
      'there is no such interface',
      others === ''
        ? 'connect the node to the network'
        : `name the one that leads to the other nodes with --interface (${others})`,
    );
  }
  return problem(
    subject,
    'it is down, or has no IPv4 address',
    `\`ip link set ${name} up\`, and \`ip address add ADDRESS/BITS dev ${name}\`; make it permanent in the network configuration`,
  );
}

/** proc_net(5): `/proc/net/dev` */
async function allInterfaces(): Promise<string[]> {
  const text = await readFile('/proc/net/dev', 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*([^\s:|]+):/gm)].map(([, name = '']) => name);
}

/** The interface of the IPv4 default route: destination and mask 0 in `/proc/net/route` (proc_net(5)). */
async function defaultRoute(): Promise<string | undefined> {
  const text = await readFile('/proc/net/route', 'utf8').catch(() => '');
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')?.[0];
}

function checkRoute(gateway: string | undefined, chosen: string): NodeFinding {
  if (gateway !== undefined) return ok('default route', `through ${gateway}`);
  return problem(
    'default route',
    'there is none: Kubernetes takes the address of the default route for its own, and service addresses need one',
    `a placeholder is enough: \`ip route add default dev ${chosen}\`; make it permanent in the network configuration`,
  );
}
