import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { VSphereDatacenterSpec } from './schema.ts';

const HTTPS_PORT = 443;

export interface VCenterUser {
  /** with its domain, e.g. `administrator@vsphere.local` */
  name: string;
  password: string;
}

/** Where vCenter is, and how its certificate is checked. */
export interface VCenter {
  /** name or address, and a port if it has one of its own */
  server: string;
  /** SHA-1 or SHA-256 of the certificate, in capitals as govmomi compares it; empty: certificate authorities decide */
  thumbprint: string;
  /** nothing is checked, because the specification says so */
  insecure: boolean;
}

export function vcenterOf(spec: ClusterSpec): VCenter {
  const { server, thumbprint = '', insecure = false } = datacenterOf(spec);
  return { server, thumbprint: insecure ? '' : thumbprint.toUpperCase(), insecure };
}

export function datacenterOf({ datacenter }: ClusterSpec): VSphereDatacenterSpec {
  return datacenter.spec as unknown as VSphereDatacenterSpec;
}

/** vCenter's name or address, and its port. */
export function splitServer(server: string): { host: string; port: number } {
  const { hostname, port } = new URL(`https://${server}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? HTTPS_PORT : Number(port) };
}
