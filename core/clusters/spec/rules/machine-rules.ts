import { isIP } from 'node:net';
import type { ClusterSpec, SpecObject } from '../../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../../contracts/clusters.ts';
import { certificateFaults } from '../certificates.ts';
import { finder, subjectOf, type Finder } from '../findings.ts';
import type { MachineUse } from '../machine-uses.ts';
import { isHost } from '../syntax.ts';

/** What every kind of machine says about its operating system. */
export interface MachineHost {
  osFamily?: string;
  users?: { name: string; sshAuthorizedKeys?: string[] }[];
  hostOSConfiguration?: {
    ntpConfiguration?: { servers: string[] };
    bottlerocketConfiguration?: { kubernetes?: { clusterDNSIPs?: string[]; maxPods?: number } };
    certBundles?: { name: string; data: string }[];
  };
}

/** Users and host OS configuration of a machine config. */
export function hostRules(machine: SpecObject<MachineHost>, at: Finder, now: Date): void {
  const { users = [], hostOSConfiguration: host } = machine.spec;
  const [user] = users;
  if (user === undefined) {
    at.problem('users', ['spec', 'users'], 'there is no user to log in as', 'add one, with a public SSH key');
  } else if ((user.sshAuthorizedKeys?.[0] ?? '') === '') {
    const message = `${user.name} has no SSH key, so nobody could ever log in`;
    at.problem('users', ['spec', 'users', 0, 'sshAuthorizedKeys'], message, 'add a public key');
  }
  ntpRules(host?.ntpConfiguration?.servers, at);
  bottlerocketRules(machine.spec, at, now);
}

function ntpRules(servers: readonly string[] | undefined, at: Finder): void {
  const path = ['spec', 'hostOSConfiguration', 'ntpConfiguration', 'servers'];
  if (servers?.length === 0) at.problem('ntp', path, 'it names no server', 'add one, or take ntpConfiguration out');
  for (const [index, server] of (servers ?? []).entries()) {
    if (isHost(server.replace(/^(udp|ntp):\/\//, '').replace(/(?<=^[^:]*):\d+$/, ''))) continue;
    const message = `${JSON.stringify(server)} is neither an IP address nor a DNS name`;
    at.problem('ntp', [...path, index], message, 'correct it, or take it out');
  }
}

function bottlerocketRules({ osFamily, hostOSConfiguration: host = {} }: MachineHost, at: Finder, now: Date): void {
  const path = ['spec', 'hostOSConfiguration'];
  for (const field of ['bottlerocketConfiguration', 'certBundles'] as const) {
    if (host[field] === undefined || osFamily === undefined || osFamily === 'bottlerocket') continue;
    const message = `it is for Bottlerocket, and this machine has ${osFamily}`;
    at.problem('bottlerocket', [...path, field], message, `take it out, or set osFamily: bottlerocket`);
  }
  for (const [index, { name, data }] of (host.certBundles ?? []).entries()) {
    const bundle = [...path, 'certBundles', index];
    if (name === '') at.problem('cert-bundle', [...bundle, 'name'], 'it is empty', 'name the bundle');
    for (const fault of certificateFaults(data, now)) {
      at.problem('cert-bundle', [...bundle, 'data'], fault, 'put in PEM certificates that are valid');
    }
  }
  const { clusterDNSIPs = [], maxPods = 0 } = host.bottlerocketConfiguration?.kubernetes ?? {};
  const kubernetes = [...path, 'bottlerocketConfiguration', 'kubernetes'];
  for (const [index, address] of clusterDNSIPs.entries()) {
    if (isIP(address) !== 0) continue;
    const message = `${JSON.stringify(address)} is no IP address`;
    at.problem('bottlerocket', [...kubernetes, 'clusterDNSIPs', index], message, 'correct it, or take it out');
  }
  if (maxPods < 0) at.problem('bottlerocket', [...kubernetes, 'maxPods'], 'it is negative', 'use 0 or more');
}

/** What clusters on real infrastructures need and those of tests do not: an endpoint, machines for every role, and Cilium. */
export function infrastructureRules(spec: ClusterSpec, uses: readonly MachineUse[]): Finding[] {
  const findings: Finding[] = [];
  const at = finder(findings, subjectOf(spec.cluster), 'spec');
  const { controlPlaneConfiguration: plane, clusterNetwork } = spec.cluster.spec;
  if (plane.endpoint === undefined) {
    const message = 'nothing says which address the API server gets';
    const remedy = 'add endpoint: {host: IP}, an address that nothing else has';
    at.problem('endpoint', ['spec', 'controlPlaneConfiguration', 'endpoint'], message, remedy);
  } else if (isHost(plane.endpoint.host) && isIP(plane.endpoint.host) === 0) {
    const message = `kube-vip needs an IP address, and ${plane.endpoint.host} is a name`;
    at.problem(
      'endpoint',
      ['spec', 'controlPlaneConfiguration', 'endpoint', 'host'],
      message,
      'give the address itself',
    );
  }
  for (const { role, path, reference } of uses) {
    if (reference !== undefined) continue;
    const message = `nothing says which machines the ${role} has`;
    at.problem('machine-group', [...path, 'machineGroupRef'], message, 'add machineGroupRef: {kind, name}');
  }
  if (clusterNetwork.cni === 'kindnetd' || clusterNetwork.cniConfig?.['kindnetd'] !== undefined) {
    const path = ['spec', 'clusterNetwork', clusterNetwork.cni === undefined ? 'cniConfig' : 'cni'];
    at.problem('cni', path, 'kindnetd works between containers of one machine only', 'use cniConfig: {cilium: {}}');
  }
  return findings;
}
