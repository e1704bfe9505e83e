import { SealiftError } from '../errors.ts';
import { isHost, isLoopbackHost } from './addresses.ts';

/** Where a registry's content is read from. */
export interface RegistryOrigin {
  /** `host[:port]` to contact */
  host: string;
  /** path put before every repository, without slashes at the ends; may be empty */
  pathPrefix: string;
  plainHttp: boolean;
}

/** `--pull-from`, resolved: what each origin is read from. */
export interface Origins {
  /** for the host of an image reference; an origin that is not redirected is itself */
  registry(host: string): RegistryOrigin;
  /** for the absolute URL of a file; unchanged when no entry matches. The longest matching entry wins, at path boundaries */
  file(url: string): string;
}

/**
 * Reads `--pull-from ORIGIN=URL` entries. An origin without a scheme is a registry host, one with a scheme a URL prefix of
 * files. The URL may carry a path prefix; without a scheme it is https, or plain http on a loopback host.
 * @param loopbackTls a loopback host speaks https too, unless a URL says http
 * @throws SealiftError InvalidInput naming the entry
 */
export function createOrigins(pullFrom: Record<string, string>, loopbackTls = false): Origins {
  const isPlain = (host: string): boolean => !loopbackTls && isLoopbackHost(host);
  const registries = new Map<string, RegistryOrigin>();
  const files: { prefix: string; replacement: string }[] = [];
  for (const [origin, value] of Object.entries(pullFrom)) {
    const target = parseTarget(origin, value, isPlain);
    if (origin.includes('://')) {
      files.push({ prefix: parseFilePrefix(origin, value), replacement: trimSlashes(target.href) });
    } else if (isHost(origin)) {
      registries.set(origin, {
        host: target.host,
        pathPrefix: target.pathname.replace(/^\/+|\/+$/g, ''),
        plainHttp: target.protocol === 'http:',
      });
    } else {
      throw invalid(origin, value, 'the origin is neither HOST[:PORT] nor a URL');
    }
  }
  files.sort((a, b) => b.prefix.length - a.prefix.length);
  return {
    registry: (host) => registries.get(host) ?? { host, pathPrefix: '', plainHttp: isPlain(host) },
    file: (url) => {
      const href = URL.canParse(url) ? new URL(url).href : url;
      const entry = files.find(({ prefix }) => isBelow(href, prefix));
      return entry === undefined ? url : entry.replacement + href.slice(entry.prefix.length);
    },
  };
}

function isBelow(url: string, prefix: string): boolean {
  return url.startsWith(prefix) && (url.length === prefix.length || '/?#'.includes(url[prefix.length]!));
}

function parseTarget(origin: string, value: string, isPlain: (host: string) => boolean): URL {
  const host = value.split('/')[0]!;
  const text = value.includes('://') ? value : `${isPlain(host) ? 'http' : 'https'}://${value}`;
  if (!URL.canParse(text)) throw invalid(origin, value, 'it is not a URL');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(origin, value, 'it is not an http(s) URL');
  if (url.username !== '' || url.password !== '') throw invalid(origin, value, 'it holds credentials');
  if (url.search !== '' || url.hash !== '') throw invalid(origin, value, 'it has a query or a fragment');
  return url;
}

function parseFilePrefix(origin: string, value: string): string {
  if (!URL.canParse(origin)) throw invalid(origin, value, 'the origin is not a URL');
  const url = new URL(origin);
  if (url.search !== '' || url.hash !== '' || url.username !== '') {
    throw invalid(origin, value, 'the origin is more than SCHEME://HOST[/PATH]');
  }
  return trimSlashes(url.href);
}

function trimSlashes(text: string): string {
  return text.replace(/\/+$/, '');
}

function invalid(origin: string, value: string, message: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read --pull-from',
    subject: `${origin}=${value}`,
    message,
    remedy:
      'write --pull-from HOST=URL for a registry or --pull-from https://HOST[/PATH]=URL for files; log in with docker config',
  });
}
