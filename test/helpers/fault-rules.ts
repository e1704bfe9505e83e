/** up: the client's request body on its way to the registry; down: the answer's body. */
export type Direction = 'up' | 'down';

export type Fault =
  /** the connection is reset (TCP RST to the client) when this many body bytes have passed */
  | { kind: 'reset'; direction: Direction; afterBytes: number }
  /** the connection stays open, but no byte moves any more */
  | { kind: 'stall'; direction: Direction; afterBytes: number }
  | { kind: 'slow'; direction: Direction; bytesPerSecond: number }
  /** reset before any answer; the request never reaches the registry */
  | { kind: 'drop' }
  /** no answer at all, not even headers */
  | { kind: 'silence' }
  /** an answer of the proxy's own; the request never reaches the registry */
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string }
  /** the same path at another origin, e.g. `http://127.0.0.1:PORT` */
  | { kind: 'redirect'; to: string; status?: 301 | 302 | 307 | 308 }
  /** the answer announces and has this many bytes too many */
  | { kind: 'extra'; bytes: number }
  /** the answer is this much shorter; announced: its Content-Length says so, else the connection just ends early */
  | { kind: 'missing'; bytes: number; announced: boolean }
  /** flips every bit of the byte at this offset of the answer's body */
  | { kind: 'corrupt'; at: number }
  /** the registry's answer with another status */
  | { kind: 'restatus'; status: number }
  /** the registry's answer with these headers replaced; undefined removes one */
  | { kind: 'headers'; headers: Record<string, string | undefined> }
  /** the Range of an upload session never moves on from what the first answer said (ECR) */
  | { kind: 'stale-range' }
  /** a request body over this many bytes is refused; nothing reaches the registry (GHCR) */
  | { kind: 'body-cap'; bytes: number; status: number }
  /** a session whose upload was interrupted once is unknown from then on, and sessions cannot be asked about (ACR) */
  | { kind: 'session-lost' };

export interface FaultRule {
  name: string;
  /** any when absent */
  method?: string;
  /** matched against path and query, e.g. `/v2/a/blobs/sha256:...` */
  path: RegExp;
  /** the first matching request it is for, from 1 */
  occurrence?: number;
  /** how often it strikes; 1 when absent, Infinity for a registry that is just like that */
  times?: number;
  /** may go unused without `expectAllUsed` complaining */
  optional?: boolean;
  fault: Fault;
}

const uploads = /\/blobs\/uploads\//;
const always = { path: uploads, times: Infinity, optional: true } as const;

/** Registries with ways of their own, as users met them (facts/temporal-and-registries.md section 3). */
export const registryProfiles = {
  ecr: [
    { ...always, name: 'ECR: the Range of a session is stale', fault: { kind: 'stale-range' } },
    { ...always, name: 'ECR: PATCH is answered 201', method: 'PATCH', fault: { kind: 'restatus', status: 201 } },
  ],
  ghcr: [
    {
      ...always,
      name: 'GHCR: at most 4 MiB in a PATCH',
      method: 'PATCH',
      fault: { kind: 'body-cap', bytes: 4 * 1024 * 1024, status: 416 },
    },
  ],
  gar: [
    {
      ...always,
      name: 'GAR: no chunked upload',
      method: 'PATCH',
      fault: { kind: 'status', status: 405, body: registryError('UNSUPPORTED', 'chunked upload is not supported') },
    },
  ],
  acr: [{ ...always, name: 'ACR: a session cannot be resumed', fault: { kind: 'session-lost' } }],
} satisfies Record<string, FaultRule[]>;

/** The error body of the distribution spec. */
export function registryError(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}

/** A rule while it is at work. Rules of one proxy may apply to one request together. */
export class ActiveRule {
  readonly rule: FaultRule;
  strikes = 0;
  #matches = 0;

  constructor(rule: FaultRule) {
    this.rule = rule;
  }

  /** Whether this request is one the rule is for. Counts the request. */
  matches(method: string, path: string): boolean {
    if (this.rule.method !== undefined && this.rule.method !== method) return false;
    if (!this.rule.path.test(path)) return false;
    this.#matches += 1;
    return this.#matches >= (this.rule.occurrence ?? 1) && this.#left();
  }

  /** Takes one of the rule's strikes. @returns false when parallel requests have used them up */
  strike(): boolean {
    if (!this.#left()) return false;
    this.strikes += 1;
    return true;
  }

  #left(): boolean {
    return this.strikes < (this.rule.times ?? 1);
  }
}
