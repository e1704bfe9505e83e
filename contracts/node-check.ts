import type { RegistryOptions } from './run-options.ts';

/** What `sealift check node` was asked. */
export interface NodeCheckRequest {
  /** addresses of the other nodes */
  nodes: string[];
  /** TCP ports on which nodes talk to each other */
  ports: number[];
  registry?: RegistryOptions & {
    /** `host[:port]` */
    host: string;
  };
  /** the interface that leads to the other nodes; found out when absent */
  interface?: string;
  /** free bytes that are wanted where images and state go */
  minDiskBytes: number;
  podCidr: string;
  serviceCidr: string;
}

export interface NodeFinding {
  subject: string;
  /** warning: works, but look at it; problem: the distribution will not install or run */
  status: 'ok' | 'warning' | 'problem';
  detail: string;
  /** empty when there is nothing to do */
  remedy: string;
}
