/** What is counted of each request. */
export interface RequestFacts {
  method: string;
  route: string;
  /** what the answer said; 0 when the client was gone before one */
  status: number;
  /** of bodies and headers, as they left this process */
  bytes: number;
  /** the connection broke before the answer was whole */
  aborted: boolean;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counters of a server in the text format of Prometheus (exposition format 0.0.4). */
export class Metrics {
  /** set by the server */
  connections = 0;
  inFlight = 0;
  #aborted = 0;
  readonly #requests = new Map<string, number>();
  readonly #bytes = new Map<string, number>();

  count({ method, route, status, bytes, aborted }: RequestFacts): void {
    // a client may make methods up, and every label value lives as long as the server
    const known = methods.has(method) ? method : 'other';
    add(this.#requests, `route="${route}",method="${known}",status="${status}"`, 1);
    add(this.#bytes, `route="${route}"`, bytes);
    if (aborted) this.#aborted += 1;
  }

  text(): string {
    return [
      family('requests_total', 'counter', 'requests answered', this.#requests),
      family('sent_bytes_total', 'counter', 'bytes sent, headers included', this.#bytes),
      family('aborted_total', 'counter', 'answers that broke off', new Map([['', this.#aborted]])),
      family('open_connections', 'gauge', 'connections that are open', new Map([['', this.connections]])),
      family('requests_in_flight', 'gauge', 'requests that are being answered', new Map([['', this.inFlight]])),
    ].join('');
  }
}

function add(counters: Map<string, number>, labels: string, by: number): void {
  counters.set(labels, (counters.get(labels) ?? 0) + by);
}

function family(name: string, type: string, help: string, values: ReadonlyMap<string, number>): string {
  const full = `sealift_serve_${name}`;
  const lines = [...values].map(([labels, value]) => `${full}${labels === '' ? '' : `{${labels}}`} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join('')}`;
}
