import { isIP } from 'node:net';
import type {
  EksaClusterSpec,
  ProxyConfiguration,
  RegistryMirrorConfiguration,
} from '../../../../contracts/cluster-spec.ts';
import { redact } from '../../../errors.ts';
import { certificateFaults } from '../certificates.ts';
import { parseCidr } from '../cidr.ts';
import type { Finder } from '../findings.ts';
import { isHost, isPort } from '../syntax.ts';

/** The registry mirror and the proxy: what nodes reach the outside by. */
export function connectionRules(cluster: EksaClusterSpec, at: Finder, now: Date): void {
  const { registryMirrorConfiguration: mirror, proxyConfiguration: proxy } = cluster;
  if (mirror !== undefined) mirrorRules(mirror, at, now);
  if (proxy !== undefined) proxyRules(proxy, at);
}

const mirrorPath = ['spec', 'registryMirrorConfiguration'];
/** Upstream's registries of curated packages: its package controller can have one mirror for them. */
const packageRegistry = /^783794618700\.dkr\.ecr\..+\.amazonaws\.com$/;

function mirrorRules(mirror: RegistryMirrorConfiguration, at: Finder, now: Date): void {
  const { endpoint, port, caCertContent, insecureSkipVerify } = mirror;
  if (!isHost(endpoint)) {
    const message = `${JSON.stringify(redact(endpoint))} is neither an IP address nor a DNS name`;
    const remedy = 'write only the host here; the port belongs in port, a path in ociNamespaces';
    at.problem('mirror-endpoint', [...mirrorPath, 'endpoint'], message, remedy);
  }
  if (port !== undefined && port !== '' && !isPort(port)) {
    at.problem('mirror-port', [...mirrorPath, 'port'], `${port} is no port`, 'use a number from 1 to 65535');
  }
  namespaceRules(mirror, at);
  if (caCertContent !== undefined && caCertContent !== '') {
    for (const fault of certificateFaults(caCertContent, now)) {
      at.problem(
        'mirror-ca',
        [...mirrorPath, 'caCertContent'],
        fault,
        'put in the CA certificate that the one of the mirror was signed with',
      );
    }
  }
  if (insecureSkipVerify === true) {
    const message = 'nodes will not check the certificate of the mirror: whoever answers in its place is believed';
    at.warning('mirror-insecure', [...mirrorPath, 'insecureSkipVerify'], message, 'give caCertContent instead');
  }
}

function namespaceRules({ ociNamespaces = [] }: RegistryMirrorConfiguration, at: Finder): void {
  const seen = new Set<string>();
  let packages = 0;
  for (const [index, { registry, namespace }] of ociNamespaces.entries()) {
    const path = [...mirrorPath, 'ociNamespaces', index];
    if (registry === '') at.problem('mirror-namespace', [...path, 'registry'], 'it is empty', 'name a registry');
    if (!/^([a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*)?$/.test(namespace)) {
      const message = `${JSON.stringify(namespace)} cannot be part of a repository's name`;
      at.problem(
        'mirror-namespace',
        [...path, 'namespace'],
        message,
        'use lower case letters, digits, and / . _ - between',
      );
    }
    if (seen.has(registry)) {
      const message = `there are two entries for ${registry}`;
      at.problem(
        'mirror-namespace',
        [...path, 'registry'],
        message,
        'leave one: a registry has one place in the mirror',
      );
    }
    seen.add(registry);
    packages += packageRegistry.test(registry) ? 1 : 0;
    if (packages > 1 && packageRegistry.test(registry)) {
      const message = 'curated packages can have one mirror only';
      at.problem('mirror-namespace', [...path, 'registry'], message, 'leave one of their registries');
    }
  }
}

const proxyPath = ['spec', 'proxyConfiguration'];

function proxyRules(proxy: ProxyConfiguration, at: Finder): void {
  for (const field of ['httpProxy', 'httpsProxy'] as const) {
    const path = [...proxyPath, field];
    const given = (proxy as Partial<ProxyConfiguration>)[field] ?? '';
    if (given === '') {
      at.problem('proxy', path, 'a proxy configuration names both proxies', `add ${field}`);
    } else if (!isProxy(given)) {
      const message = `${JSON.stringify(redact(given))} is no address of a proxy`;
      at.problem('proxy', path, message, 'write it as http://proxy.example:3128, with its port');
    } else if (given.includes('@')) {
      const message = 'the address holds credentials, and files on every node will';
      at.warning('proxy-credentials', path, message, 'let the proxy know the nodes by their addresses');
    }
  }
  for (const [index, entry] of (proxy.noProxy ?? []).entries()) {
    if (isException(entry)) continue;
    const message = `${JSON.stringify(entry)} is no host, domain, IP address or CIDR block`;
    at.problem('proxy', [...proxyPath, 'noProxy', index], message, 'correct it, or take it out');
  }
}

function isProxy(text: string): boolean {
  const full = /^https?:\/\//.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) return false;
  // URL drops the port that its scheme has by default, so the text itself is asked for one
  const port = /:(\d+)\/?$/.exec(full)?.[1];
  const host = new URL(full).hostname.replace(/^\[(.*)\]$/, '$1');
  return port !== undefined && isPort(port) && isHost(host);
}

function isException(entry: string): boolean {
  const host = entry.replace(/^\*?\./, '').replace(/:\d+$/, '');
  return entry === '*' || isIP(entry) !== 0 || isHost(host) || parseCidr(entry) !== undefined;
}
