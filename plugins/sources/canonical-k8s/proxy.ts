import type { NodeConfigRequest } from '../../../contracts/source-plugin.ts';
import { requestError } from '../../../core/node-config/request-error.ts';
import { oneOption } from './node-options.ts';

/** Pods, services and private networks, as Canonical's documentation has them. */
const NO_PROXY = '10.1.0.0/16,10.152.183.0/24,192.168.0.0/16,127.0.0.1,172.16.0.0/12';

/**
 * The drop-in that makes the containerd of the snap use a proxy (systemd.exec(5), "Environment="). Both spellings are
 * set, since programs read either.
 *
 * @throws SealiftError InvalidInput
 */
export function proxyDropIn(request: NodeConfigRequest): string {
  const https = proxyUrl(request, 'https-proxy');
  if (https === undefined) {
    throw requestError(
      '--option https-proxy',
      'mode proxy needs the proxy',
      'add --option https-proxy=http://HOST:PORT',
    );
  }
  const variables = {
    HTTPS_PROXY: https,
    HTTP_PROXY: proxyUrl(request, 'http-proxy') ?? https,
    NO_PROXY: noProxy(request),
  };
  const lines = Object.entries(variables);
  const both = [...lines, ...lines.map(([name, value]) => [name.toLowerCase(), value] as const)];
  // in unit files a percent sign begins a specifier
  const assignments = both.map(([name, value]) => `Environment="${name}=${value.replaceAll('%', '%%')}"`);
  return `[Service]\n${assignments.join('\n')}\n`;
}

function proxyUrl(request: NodeConfigRequest, name: 'https-proxy' | 'http-proxy'): string | undefined {
  const given = oneOption(request, name);
  if (given === undefined) return undefined;
  if (!/^https?:\/\/[^\s"'\\]+$/.test(given) || !URL.canParse(given)) {
    throw requestError(`--option ${name}=${given}`, 'it is not an http or https URL', 'write it as http://HOST:PORT');
  }
  const { username, password } = new URL(given);
  if (username === '' && password === '') return given;
  const remedy = 'leave them out, and add them to the file on the node';
  throw requestError(`--option ${name}`, 'it holds credentials, which would lie in a file that all can read', remedy);
}

function noProxy(request: NodeConfigRequest): string {
  const given = oneOption(request, 'no-proxy') ?? NO_PROXY;
  if (/^[A-Za-z0-9.:*_/[\],-]+$/.test(given)) return given;
  throw requestError(
    `--option no-proxy=${given}`,
    'it is not a list of hosts and networks with commas between them',
    'e.g. no-proxy=10.0.0.0/8,.example.com',
  );
}
