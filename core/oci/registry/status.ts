import type { ErrorType, Side } from '../../../contracts/errors.ts';
import { SealiftError } from '../../errors.ts';
import type { HttpResponse } from '../../http/client.ts';
import { retryAfterMs } from '../../http/retry.ts';

/** One entry of the `errors` list that registries answer with (distribution-spec v1.1, "Error Codes"). */
export interface RegistryFault {
  /** upper-case, e.g. `NAME_UNKNOWN`; may be empty */
  code: string;
  message: string;
}

export interface StatusContext {
  side: Side;
  operation: string;
  subject: string;
  /** what 404 means for this operation; RequestRefused unless given */
  missing?: ErrorType;
  /** overrules the table, for operations where an answer has a meaning of its own */
  as?: ErrorType;
  /** replaces the table's remedy */
  remedy?: string;
}

const MAX_TEXT = 200;

/** What the registry says of its own error; empty when the body is something else (a proxy's page, nothing after HEAD). */
export function registryFaults(response: HttpResponse): RegistryFault[] {
  try {
    const document = JSON.parse(new TextDecoder().decode(response.body)) as { errors?: unknown } | null;
    const errors = Array.isArray(document?.errors) ? (document.errors as unknown[]) : [];
    return errors.flatMap((entry) => {
      if (typeof entry !== 'object' || entry === null) return [];
      const { code, message } = entry as { code?: unknown; message?: unknown };
      const text = typeof message === 'string' ? message : '';
      return [{ code: typeof code === 'string' ? code.toUpperCase() : '', message: text }];
    });
  } catch {
    return [];
  }
}

/** Whether the answer carries one of these error codes. */
export function hasFault(response: HttpResponse, ...codes: string[]): boolean {
  return registryFaults(response).some(({ code }) => codes.includes(code));
}

/** The one table from status to error. Codes speak louder than the status, and an operation's own meaning louder than both. */
export function registryError(response: HttpResponse, context: StatusContext): SealiftError {
  const type = context.as ?? errorType(response, context);
  const wait =
    response.status === 429 || response.status === 503 ? retryAfterMs(response.headers['retry-after']) : undefined;
  return new SealiftError(type, {
    side: context.side,
    operation: context.operation,
    subject: context.subject,
    message: `the registry answered ${response.status}${faultText(response)}`,
    remedy: context.remedy ?? defaultRemedy(type, context.side),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

function errorType(response: HttpResponse, context: StatusContext): ErrorType {
  const { status } = response;
  if (hasFault(response, 'MANIFEST_BLOB_UNKNOWN')) return 'BlobMissing';
  if (status === 429 || hasFault(response, 'TOOMANYREQUESTS')) return 'RegistryThrottled';
  if (status === 401) return 'RegistryUnauthorized';
  if (status === 403) return 'RegistryForbidden';
  if (status === 404) return context.missing ?? 'RequestRefused';
  // 408 is the server giving up on a slow request: as good as a 5xx.
  return status >= 500 || status === 408 ? 'RegistryUnavailable' : 'RequestRefused';
}

function faultText(response: HttpResponse): string {
  const faults = registryFaults(response);
  const text = faults.map(({ code, message }) => [code, message].filter((part) => part !== '').join(': ')).join('; ');
  // The registry's words go to terminals and logs: no control characters.
  const clean = text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, MAX_TEXT);
  return clean === '' ? '' : ` (${clean})`;
}

function defaultRemedy(type: ErrorType, side: Side): string {
  const remedies: Partial<Record<ErrorType, string>> = {
    RegistryUnauthorized: 'log in to the registry, for example with `docker login`, and retry',
    RegistryForbidden: `give this account the right to ${side === 'destination' ? 'push to' : 'pull from'} the repository, and retry`,
    ManifestMissing: 'check the reference, or skip it',
    BlobMissing: 'the image is incomplete in its registry: push it there again, or skip it',
    RegistryThrottled: 'wait and retry, or log in with an account that has a higher limit',
    RegistryUnavailable: "look at the registry's own log and its disk; the request is tried again",
    UploadSessionLost: 'a new upload is started',
  };
  return remedies[type] ?? 'see what the registry says, mend it there, and retry';
}
