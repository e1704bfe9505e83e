import { isIP } from 'node:net';

/** A block of addresses; `first` and `last` as numbers, so that blocks can be compared. */
export interface Cidr {
  family: 4 | 6;
  prefix: number;
  first: bigint;
  last: bigint;
}

/** Reads `10.96.0.0/12`; host bits are ignored, as Kubernetes does. @returns undefined when it is no CIDR block */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = match === null ? undefined : parseAddress(match[1]!);
  const prefix = Number(match?.[2]);
  if (address === undefined || prefix > bitsOf(address.family)) return undefined;
  const size = 1n << BigInt(bitsOf(address.family) - prefix);
  const first = (address.number / size) * size;
  return { family: address.family, prefix, first, last: first + size - 1n };
}

/** Whether the IP address lies in the block; false for what is no address. */
export function contains(block: Cidr, text: string): boolean {
  const address = parseAddress(text);
  return address?.family === block.family && address.number >= block.first && address.number <= block.last;
}

export function overlap(one: Cidr, other: Cidr): boolean {
  return one.family === other.family && one.first <= other.last && other.first <= one.last;
}

/** An IP address as a number. @returns undefined when it is none */
export function parseAddress(text: string): { family: 4 | 6; number: bigint } | undefined {
  const family = isIP(text);
  if (family === 4) return { family, number: parts(text.split('.'), 10, 8n) };
  return family === 6 ? { family, number: parts(groupsOf(text), 16, 16n) } : undefined;
}

function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function parts(texts: readonly string[], radix: number, bits: bigint): bigint {
  return texts.reduce((sum, part) => (sum << bits) | BigInt(parseInt(part, radix)), 0n);
}

/** The eight groups of an IPv6 address: URL writes out an IPv4 tail, `::` is filled here. */
function groupsOf(text: string): string[] {
  const written = new URL(`http://[${text.replace(/%.*$/, '')}]`).hostname.slice(1, -1);
  const [head = '', tail] = written.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
}
