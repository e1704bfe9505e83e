import { SealiftError } from '../errors.ts';
import { hostnameOf, isLoopbackHost, isWithin } from './addresses.ts';

/**
 * The proxy for a URL, from `https_proxy`/`http_proxy`/`no_proxy` (lower case first, as undici's EnvHttpProxyAgent; https
 * falls back to the http proxy). NO_PROXY entries are names (with everything below them), `host:port`, CIDR blocks or `*`.
 * Loopback is never proxied. The result may hold credentials: it is for connecting, not for showing.
 * @throws SealiftError InvalidInput when the variable holds no http(s) URL
 */
export function proxyFor(url: string | URL, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { protocol, host, port } = new URL(url);
  if (isLoopbackHost(host)) return undefined;
  const forHttp = variable(env, 'http_proxy');
  const proxy = protocol === 'https:' ? (variable(env, 'https_proxy') ?? forHttp) : forHttp;
  if (proxy === undefined) return undefined;
  const actualPort = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  const entries = (variable(env, 'no_proxy') ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  if (entries.some((entry) => isExempt(entry.toLowerCase(), hostnameOf(host), actualPort))) return undefined;
  const text = proxy.includes('://') ? proxy : `http://${proxy}`;
  if (URL.canParse(text) && /^https?:/i.test(text)) return text;
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'choose proxy',
    subject: host,
    message: 'the proxy variable in the environment is not an http or https URL',
    remedy: 'set HTTPS_PROXY and HTTP_PROXY to http://HOST:PORT, or NO_PROXY to the hosts reached directly',
  });
}

function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return [env[name], env[name.toUpperCase()]].find((value) => value !== undefined && value.trim() !== '')?.trim();
}

function isExempt(entry: string, hostname: string, port: string): boolean {
  if (entry === '*' || isWithin(hostname, entry)) return true;
  const withPort = /^(.*[^:]):(\d+)$/.exec(entry);
  if (withPort !== null && withPort[2] !== port) return false;
  const name = hostnameOf(withPort?.[1] ?? entry).replace(/^\*?\./, '');
  return name !== '' && (hostname === name || hostname.endsWith(`.${name}`));
}
