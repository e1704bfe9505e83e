import type { Side } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { isLinkLocalHost } from './addresses.ts';

const CREDENTIAL_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** Whether an answer sends a GET or HEAD elsewhere (RFC 9110 section 15.4). */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * Headers for the next hop: credentials stay with the host and port that they were given for, and are never sent in the
 * clear after TLS (RFC 9110 section 15.4; the CVE class of curl's CVE-2022-27774).
 */
export function headersFor(headers: Record<string, string>, from: URL, to: URL): Record<string, string> {
  const sameHost = from.host === to.host && (from.protocol === to.protocol || to.protocol === 'https:');
  if (sameHost) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIAL_HEADERS.has(name.toLowerCase())));
}

/**
 * Where a Location header leads, relative to the URL that answered.
 * @throws SealiftError RequestRefused when it is missing, not http(s), or a link-local address
 */
export function redirectTarget(from: URL, location: string | undefined, side: Side): URL {
  const to = location !== undefined && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined || (to.protocol !== 'http:' && to.protocol !== 'https:')) {
    throw refused(side, from, 'it answered with a redirect that leads to no http(s) URL');
  }
  if (isLinkLocalHost(to.host)) {
    throw refused(side, from, `it redirects to ${to.host}, a link-local address that no registry has business with`);
  }
  return to;
}

/** @returns the error for a redirect that is not followed */
export function refused(side: Side, url: URL, message: string): SealiftError {
  return new SealiftError('RequestRefused', {
    side,
    operation: 'follow redirect',
    subject: url.href,
    message,
    remedy: `ask the operator of ${url.host} where its content is kept, or read it from elsewhere with --pull-from`,
  });
}
