import { z } from 'zod';
import type { ErrorType } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import type { HttpResponse } from '../http/client.ts';

/** `Status` of the Kubernetes API: what an API server says when it refuses. */
const statusSchema = z.looseObject({
  kind: z.literal('Status'),
  message: z.string().default(''),
  reason: z.string().optional(),
  code: z.number().optional(),
  details: z
    .looseObject({
      name: z.string().optional(),
      causes: z.array(z.looseObject({ reason: z.string().optional() })).nullish(),
    })
    .nullish(),
});

export type ApiStatus = z.infer<typeof statusSchema>;

/** What was being done to what, for errors. */
export interface Doing {
  /** e.g. `apply` */
  operation: string;
  /** e.g. `Cluster default/prod` */
  subject: string;
  /** texts that no error may repeat */
  secrets?: readonly string[];
}

const DENIED = /admission webhook .* denied the request|ValidatingAdmissionPolicy .* denied request/;

/** @returns undefined when it is no Status */
export function readStatus(value: unknown): ApiStatus | undefined {
  return statusSchema.safeParse(value).data;
}

/** JSON of an answer; undefined when it is none. */
export function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

/** An answer other than 2xx as an error: ClusterForbidden, ClusterUnreachable, KindUnknown, ObjectConflict, ObjectInvalid. */
export function refusal(response: Pick<HttpResponse, 'status' | 'body'>, server: string, doing: Doing): SealiftError {
  const status = readStatus(jsonOf(response.body));
  return statusError(response.status, status, server, doing);
}

/** As `refusal`, of a Status that came in a watch. */
export function statusError(code: number, status: ApiStatus | undefined, server: string, doing: Doing): SealiftError {
  const said = withoutSecrets(status?.message ?? '', doing.secrets ?? [])
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim();
  const { type, remedy } = meaningOf(code, status, said);
  const answered = `the API server answered ${code}`;
  return clusterError(type, server, doing, said === '' ? answered : `${answered}: ${said}`, remedy);
}

export function clusterError(
  type: ErrorType,
  server: string,
  doing: Doing,
  message: string,
  remedy: string,
  cause?: unknown,
): SealiftError {
  return new SealiftError(type, {
    side: 'cluster',
    operation: doing.operation,
    subject: `${doing.subject} at ${server}`,
    message,
    remedy,
    ...(cause === undefined ? {} : { cause }),
  });
}

interface Meaning {
  type: ErrorType;
  remedy: string;
}

function meaningOf(code: number, status: ApiStatus | undefined, said: string): Meaning {
  if (code === 401) {
    const remedy = 'the credentials in the kubeconfig are not accepted, or have expired: get a new kubeconfig';
    return { type: 'ClusterForbidden', remedy };
  }
  if (code === 403 && isTerminating(status)) {
    return {
      type: 'ObjectConflict',
      remedy: 'wait until the namespace is gone; `kubectl describe namespace` says what keeps it',
    };
  }
  if (code === 403 && !DENIED.test(said)) {
    return { type: 'ClusterForbidden', remedy: 'let the account of the kubeconfig do this, or use another kubeconfig' };
  }
  if (code === 409) {
    return { type: 'ObjectConflict', remedy: 'it is tried again; if it stays, look who else changes the object' };
  }
  // an object that is not there is named, a path that is not there is not
  if (code === 404 && status?.details?.name === undefined) {
    return { type: 'KindUnknown', remedy: 'install the component that the kind belongs to' };
  }
  if (code === 429 || code >= 500) {
    const remedy = said.includes('failed calling webhook')
      ? 'check that the controller behind the webhook is running; it is tried again'
      : "it is tried again; look at the API server's own log";
    return { type: 'ClusterUnreachable', remedy };
  }
  return { type: 'ObjectInvalid', remedy: 'put right what the API server says about the object' };
}

function isTerminating(status: ApiStatus | undefined): boolean {
  return status?.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false;
}

const SECRET_FIELD = /passw(or)?d|passphrase|token|secretkey|privatekey/i;
/** Shorter ones would blank out half of what is said. */
const MIN_SECRET = 3;

/** The texts in an object that no error may repeat: all of a Secret's data, and fields with such names. */
export function secretsOf(object: object): string[] {
  const found: string[] = [];
  const isSecret = 'kind' in object && object.kind === 'Secret';
  for (const [name, value] of Object.entries(object)) {
    collect(value, name, isSecret && (name === 'data' || name === 'stringData'), found);
  }
  // the longest first, so that no part of one remains when another is within it
  return [...new Set(found)].filter(({ length }) => length >= MIN_SECRET).sort((a, b) => b.length - a.length);
}

function collect(value: unknown, name: string, secret: boolean, found: string[]): void {
  const hidden = secret || SECRET_FIELD.test(name);
  if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) collect(inner, key, hidden, found);
  } else if (hidden && (typeof value === 'string' || typeof value === 'number')) {
    const text = String(value);
    found.push(text, JSON.stringify(text).slice(1, -1), Buffer.from(text, 'base64').toString('utf8'));
  }
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((cleaned, secret) => cleaned.replaceAll(secret, '***'), text);
}
