import net from 'node:net';
import tls from 'node:tls';
import type { Side } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { hostnameOf } from './addresses.ts';

export interface FailureContext {
  side: Side;
  operation: string;
  subject: string;
  url: URL;
  /** a proxy stands between: the certificate cannot be asked for directly */
  proxied: boolean;
}

const PROBE_TIMEOUT_MS = 5000;

const stalls = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const truncations = new Set(['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'HPE_INVALID_EOF_STATE']);
const clockCodes = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);
const trustCodes = new Set([
  ...clockCodes,
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'CERT_CHAIN_TOO_LONG',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** Whether another try may succeed: the connection or a peer's answer failed, not its certificate. */
export function isTransientFailure(error: SealiftError): boolean {
  return error.disposition === 'transient';
}

/** What a failed exchange means, as a SealiftError: ConnectionFailed, Stalled, BodyTruncated or CertificateUntrusted. */
export async function exchangeFailure(
  thrown: unknown,
  phase: 'head' | 'body',
  context: FailureContext,
): Promise<SealiftError> {
  const error = rootCause(thrown);
  const { code } = error;
  if (trustCodes.has(code)) return untrusted(code, error, context);
  const about = { side: context.side, operation: context.operation, subject: context.subject, cause: thrown };
  const host = context.url.host;
  if (stalls.has(code)) {
    return new SealiftError('Stalled', {
      ...about,
      message: `${host} sent nothing for too long`,
      remedy: `check the network and the load of ${host}; the request is tried again`,
    });
  }
  if (phase === 'body' || truncations.has(code)) {
    return new SealiftError('BodyTruncated', {
      ...about,
      message: `${host} ended the answer early (${code})`,
      remedy: 'the request is tried again; look at proxies in between if it stays',
    });
  }
  const { message, remedy } = connectionText(code, error.message, host, context);
  return new SealiftError('ConnectionFailed', { ...about, message, remedy });
}

function connectionText(
  code: string,
  text: string,
  host: string,
  context: FailureContext,
): { message: string; remedy: string } {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return {
      message: `the name ${host} cannot be resolved (${code})`,
      remedy: `check the name, and DNS on this machine`,
    };
  }
  if (code === 'ECONNREFUSED') {
    return { message: `${host} refused the connection`, remedy: `check that something listens at ${host}` };
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return { message: `${host} does not speak TLS (${code})`, remedy: 'use --plain-http if it is a plain HTTP server' };
  }
  if (text.includes('Proxy')) {
    return {
      message: text,
      remedy: 'check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and the credentials in the proxy URL',
    };
  }
  const via = context.proxied ? 'through the proxy ' : '';
  return {
    message: `${host} could not be reached ${via}(${code})`,
    remedy: `check the network between here and ${host}`,
  };
}

async function untrusted(code: string, cause: Error, context: FailureContext): Promise<SealiftError> {
  const about = { side: context.side, operation: context.operation, subject: context.subject, cause };
  const host = context.url.host;
  if (clockCodes.has(code)) {
    const validity = context.proxied ? undefined : await certificateValidity(context.url);
    const now = new Date().toISOString();
    const certificate = validity === undefined ? '' : ` (valid from ${validity.from} to ${validity.to})`;
    const state = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return new SealiftError('CertificateUntrusted', {
      ...about,
      message: `a certificate of ${host} ${state}${certificate}; the clock of this machine says ${now}`,
      remedy: `set the clock right on whichever machine is wrong, or renew the certificate of ${host}`,
    });
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') {
    return new SealiftError('CertificateUntrusted', {
      ...about,
      message: `the certificate of ${host} is for another name: ${cause.message}`,
      remedy: `use the name in the certificate, or give ${host} a certificate for its name`,
    });
  }
  return new SealiftError('CertificateUntrusted', {
    ...about,
    message: `the certificate of ${host} is not signed by an authority that this machine trusts (${code})`,
    remedy: `give its certificate authority with --ca-file, or put it into certs.d/${host}/ca.crt`,
  });
}

/** Asks for the certificate without trusting it, only to say in the error how long it is valid; nothing is sent. */
async function certificateValidity(url: URL): Promise<{ from: string; to: string } | undefined> {
  const host = hostnameOf(url.host);
  return new Promise((resolve) => {
    const socket = tls.connect({
      host,
      port: url.port === '' ? 443 : Number(url.port),
      ...(net.isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: false,
      timeout: PROBE_TIMEOUT_MS,
    });
    const finish = (result?: { from: string; to: string }): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('secureConnect', () => {
      const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
      finish({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    });
    socket.once('error', () => finish());
    socket.once('timeout', () => finish());
  });
}

function rootCause(thrown: unknown): { code: string; message: string } & Error {
  let current = thrown as Error & { code?: unknown; errors?: unknown[] };
  for (let depth = 0; depth < 5; depth += 1) {
    // A host with several addresses fails with one error for each (happy eyeballs); the first says it.
    const inner = (current.errors?.[0] ?? current.cause) as typeof current | undefined;
    if (typeof current.code === 'string' && !(current.code === 'UND_ERR_PRX_TLS' && inner !== undefined)) break;
    if (inner === undefined) break;
    current = inner;
  }
  const code = typeof current.code === 'string' ? current.code : current.name;
  return Object.assign(new Error(current.message), { code });
}
