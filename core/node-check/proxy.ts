import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeFinding } from '../../contracts/node-check.ts';
import { redact, SealiftError } from '../errors.ts';
import { isWithin } from '../http/addresses.ts';
import { proxyFor } from '../http/proxy.ts';
import { ok, problem } from './finding.ts';

/** Everything that must be reached without a proxy. */
export interface Direct {
  /** names and addresses, without ports */
  hosts: string[];
  cidrs: string[];
}

interface Place {
  name: string;
  variables: Record<string, string>;
}

const SYSTEMD = '/etc/systemd/system';
/** the units whose drop-ins give the container runtime its proxy */
const UNITS = ['snap.k8s.containerd.service', 'containerd.service'];

/** Wherever a proxy is set: the environment, /etc/environment, and the drop-ins of the container runtime. */
export async function checkProxies(direct: Direct, env: NodeJS.ProcessEnv): Promise<NodeFinding[]> {
  const places = [
    { name: 'the environment', variables: proxyVariables(Object.entries(env)) },
    await fileOf('/etc/environment'),
    ...(await dropIns()),
  ];
  const proxied = places.filter(({ variables }) => 'http_proxy' in variables || 'https_proxy' in variables);
  if (proxied.length === 0) return [ok('proxy', 'none is set')];
  return proxied.map((place) => checkPlace(place, direct));
}

function checkPlace({ name, variables }: Place, { hosts, cidrs }: Direct): NodeFinding {
  const subject = `proxy in ${name}`;
  const noProxy = variables['no_proxy'] ?? '';
  try {
    const missing = [
      ...hosts.filter((host) => proxyFor(`https://${urlHost(host)}`, variables) !== undefined),
      ...cidrs.filter((cidr) => !coversBlock(noProxy, cidr)),
    ];
    const proxy = redact(variables['https_proxy'] ?? variables['http_proxy'] ?? '');
    if (missing.length === 0) return ok(subject, `${proxy}, and NO_PROXY covers what is near`);
    const wanted = [noProxy, ...missing].filter((part) => part !== '').join(',');
    return problem(
      subject,
      `${proxy} would be asked for ${missing.join(', ')}: NO_PROXY does not cover it`,
      `set NO_PROXY=${wanted} in ${name}, and start the container runtime again`,
    );
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    return problem(subject, error.problem.message, error.problem.remedy);
  }
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function coversBlock(noProxy: string, cidr: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  return noProxy
    .split(/[\s,]+/)
    .some((entry) => entry === '*' || (isWithin(network, entry) && Number(entry.split('/')[1]) <= Number(bits)));
}

/** The variables that choose a proxy, by their lower-case names; lower case wins where both are set, as in most clients. */
function proxyVariables(entries: (readonly [string, string | undefined])[]): Record<string, string> {
  const found: Record<string, string> = {};
  const wanted = new Set(['http_proxy', 'https_proxy', 'no_proxy']);
  for (const [name, value] of entries) {
    const lower = name.toLowerCase();
    if (!wanted.has(lower) || value === undefined || value.trim() === '') continue;
    if (name === lower || found[lower] === undefined) found[lower] = value.trim();
  }
  return found;
}

async function fileOf(path: string): Promise<Place> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return { name: path, variables: proxyVariables(assignments(text.split('\n'))) };
}

/** systemd.exec(5): `Environment="A=b" "C=d"`, several times */
async function dropIns(): Promise<Place[]> {
  const places = UNITS.map(async (unit) => {
    const folder = join(SYSTEMD, `${unit}.d`);
    const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.conf')).sort();
    const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8').catch(() => '')));
    const settings = [...texts.join('\n').matchAll(/^\s*Environment=(.*)$/gm)].map(([, value = '']) => value);
    const words = settings.flatMap((value) => value.match(/"[^"]*"|'[^']*'|\S+/g) ?? []);
    return { name: folder, variables: proxyVariables(assignments(words)) };
  });
  return Promise.all(places);
}

function assignments(lines: string[]): (readonly [string, string])[] {
  return lines.flatMap((line) => {
    const plain = line.trim().replace(/^(["'])(.*)\1$/, '$2');
    const match = /^(?:export\s+)?([A-Za-z_]+)=(.*)$/.exec(plain);
    return match === null ? [] : [[match[1] ?? '', (match[2] ?? '').replace(/^(["'])(.*)\1$/, '$2')] as const];
  });
}
