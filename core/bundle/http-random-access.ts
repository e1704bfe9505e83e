import type { Readable } from 'node:stream';
import { request } from 'undici';
import type { ErrorType } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import type { RandomAccess } from './random-access.ts';

const STALL_MS = 30_000;
const MAX_REDIRECTS = 5;

interface RangeAnswer {
  bytes: Uint8Array;
  /** size of the whole file */
  total: number;
  /** strong ETag or Last-Modified: what tells two states of the file apart */
  validator: string;
}

/**
 * Opens a file on a server that answers ranges (RFC 9110, section 14). The server's validator is watched: a file that
 * changes while it is read is refused.
 *
 * @throws SealiftError FileMissing, RegistryUnauthorized, RegistryForbidden, RegistryThrottled, RegistryUnavailable,
 *   RequestRefused (no ranges, other answers), ConnectionFailed, Stalled, BodyTruncated, CertificateUntrusted
 */
export async function openHttp(url: string): Promise<RandomAccess> {
  const first = await readRange(url, 0, 1);
  return {
    location: url,
    size: first.total,
    async read(offset, length) {
      if (length === 0) return new Uint8Array();
      const { bytes, total, validator } = await readRange(url, offset, length);
      if (total !== first.total || validator !== first.validator) {
        throw failure('BundleCorrupt', url, 'the file on the server changed while it was read', 'start again');
      }
      if (bytes.length !== length) throw failure('BodyTruncated', url, `${bytes.length} of ${length} bytes arrived`);
      return bytes;
    },
    close: () => Promise.resolve(),
  };
}

async function readRange(url: string, offset: number, length: number): Promise<RangeAnswer> {
  try {
    return await requestRange(url, offset, length, MAX_REDIRECTS);
  } catch (error) {
    throw error instanceof SealiftError ? error : connectionFailure(url, error);
  }
}

async function requestRange(url: string, offset: number, length: number, redirects: number): Promise<RangeAnswer> {
  const { statusCode, headers, body } = await request(url, {
    headers: { range: `bytes=${offset}-${offset + length - 1}`, 'accept-encoding': 'identity' },
    headersTimeout: STALL_MS,
    bodyTimeout: STALL_MS,
  });
  if (statusCode === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(textOf(headers['content-range'])) ?? [];
    if (Number(start) !== offset || total === undefined || Number(headers['content-length'] ?? 0) > length) {
      drop(body);
      throw failure('RequestRefused', url, 'the server answered with another range than it was asked for');
    }
    const validator = textOf(headers['etag'] ?? headers['last-modified']);
    return { bytes: await collect(body, url, length), total: Number(total), validator };
  }
  drop(body);
  const target = textOf(headers['location']);
  if ([301, 302, 303, 307, 308].includes(statusCode) && target !== '' && redirects > 0) {
    return requestRange(new URL(target, url).href, offset, length, redirects - 1);
  }
  throw refusal(url, statusCode);
}

/** Stops a server that sends more than it was asked for. */
async function collect(body: AsyncIterable<Uint8Array>, url: string, length: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > length) throw failure('RequestRefused', url, 'the server sends more than it was asked for');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Gives up an answer whose body is of no interest. */
function drop(body: Readable): void {
  body.on('error', () => undefined).destroy();
}

function textOf(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header) ?? '';
}

function refusal(url: string, status: number): SealiftError {
  const message = `the server answered ${status}`;
  if (status === 404 || status === 410) return failure('FileMissing', url, message, 'check the URL of the bundle');
  if (status === 401)
    return failure('RegistryUnauthorized', url, message, 'serve the bundle without credentials, or copy it here');
  if (status === 403) return failure('RegistryForbidden', url, message, 'allow the file to be read, or copy it here');
  if (status === 429) return failure('RegistryThrottled', url, message);
  if (status === 416) return failure('BundleCorrupt', url, 'the file is empty', 'fetch the bundle again');
  if (status >= 500) return failure('RegistryUnavailable', url, message);
  const noRanges = 'the server does not answer ranges (Range header)';
  return failure(
    'RequestRefused',
    url,
    status === 200 ? noRanges : message,
    'serve the bundle from a server that does ranges, or copy it to this machine',
  );
}

function connectionFailure(url: string, error: unknown): SealiftError {
  const code = errorCode(error) ?? '';
  let type: ErrorType = 'ConnectionFailed';
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code)) type = 'CertificateUntrusted';
  else if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') type = 'Stalled';
  const message = error instanceof Error ? error.message : String(error);
  return failure(type, url, message === '' ? code : message, 'check that the server can be reached from here', error);
}

function failure(type: ErrorType, subject: string, message: string, remedy = '', cause?: unknown): SealiftError {
  return new SealiftError(type, { side: 'source', operation: 'read bundle', subject, message, remedy, cause });
}
