import net from 'node:net';

const DOMAIN_COMPONENT = '(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])';
const HOST_PATTERN = new RegExp(
  `^(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`,
);

const loopback = new net.BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const linkLocal = new net.BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');

/** Whether text is `host[:port]`: a DNS name, an IPv4 address or a bracketed IPv6 address. */
export function isHost(text: string): boolean {
  if (!HOST_PATTERN.test(text)) return false;
  const port = /:([0-9]+)$/.exec(text.replace(/^\[.*\]/, ''))?.[1];
  return port === undefined || (Number(port) > 0 && Number(port) < 65536);
}

/** The name or address in `host`, `host:port`, `[v6]` or `[v6]:port`, without brackets, lower-case. */
export function hostnameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}

/** Whether `host[:port]` is this machine: `localhost`, a name below it (RFC 6761), 127.0.0.0/8 or ::1. */
export function isLoopbackHost(host: string): boolean {
  const name = hostnameOf(host);
  return name === 'localhost' || name.endsWith('.localhost') || isListed(loopback, name);
}

/** Whether `host[:port]` is a literal link-local address (169.254.0.0/16, fe80::/10): cloud metadata services live there. */
export function isLinkLocalHost(host: string): boolean {
  return isListed(linkLocal, hostnameOf(host));
}

/** Whether `address` (no port) is an IP address within a `network/bits` block. */
export function isWithin(address: string, block: string): boolean {
  const [network, bits] = block.split('/');
  const family = net.isIP(network ?? '');
  const prefix = Number(bits);
  if (family === 0 || bits === undefined || !(prefix >= 0 && prefix <= (family === 4 ? 32 : 128))) return false;
  const list = new net.BlockList();
  list.addSubnet(network!, prefix, family === 4 ? 'ipv4' : 'ipv6');
  return isListed(list, address);
}

function isListed(list: net.BlockList, address: string): boolean {
  const family = net.isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
