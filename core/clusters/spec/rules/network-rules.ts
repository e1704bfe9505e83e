import type { EksaClusterSpec } from '../../../../contracts/cluster-spec.ts';
import { contains, overlap, parseCidr, type Cidr } from '../cidr.ts';
import type { Finder, FindingPath } from '../findings.ts';

const network = ['spec', 'clusterNetwork'];
/** kube-controller-manager's own default and limit: node CIDR allocation keeps a bitmap of 2^16 subnets at most. */
const defaultNodeMask = { 4: 24, 6: 64 };
const largestMaskDifference = 16;

export function networkRules(cluster: EksaClusterSpec, at: Finder): void {
  const { pods, services, nodes } = cluster.clusterNetwork;
  const podBlock = onlyBlock(pods.cidrBlocks, 'pods', at);
  const serviceBlock = onlyBlock(services.cidrBlocks, 'services', at);
  if (podBlock !== undefined && serviceBlock !== undefined && overlap(podBlock, serviceBlock)) {
    const message = `the addresses of services (${services.cidrBlocks[0]}) overlap those of pods (${pods.cidrBlocks[0]})`;
    at.problem('cidr', [...network, 'services', 'cidrBlocks', 0], message, 'choose blocks that share no address');
  }
  if (podBlock !== undefined) nodeMaskRules(podBlock, nodes?.cidrMaskSize, at);
  endpointRules(cluster, { pods: podBlock, services: serviceBlock }, at);
  cniRules(cluster, at);
}

function onlyBlock(blocks: readonly string[], kind: 'pods' | 'services', at: Finder): Cidr | undefined {
  const path = [...network, kind, 'cidrBlocks'];
  const [first, second] = blocks;
  if (first === undefined) {
    at.problem('cidr', path, `there is no block of addresses for ${kind}`, 'add one, such as 192.168.0.0/16');
    return undefined;
  }
  if (second !== undefined) {
    at.problem('cidr', [...path, 1], `${kind} have one block of addresses`, 'leave one');
  }
  const block = parseCidr(first);
  if (block === undefined) {
    at.problem('cidr', [...path, 0], `${JSON.stringify(first)} is no CIDR block`, 'write it as 192.168.0.0/16');
  }
  return block;
}

function nodeMaskRules(pods: Cidr, size: number | undefined, at: Finder): void {
  const mask = size ?? defaultNodeMask[pods.family];
  const path = size === undefined ? [...network, 'pods', 'cidrBlocks', 0] : [...network, 'nodes', 'cidrMaskSize'];
  if (mask <= pods.prefix || mask > (pods.family === 4 ? 32 : 128)) {
    const message = `a /${pods.prefix} for all pods cannot be divided into a /${mask} for each node`;
    at.problem('node-mask', path, message, 'make the block of the pods larger, or cidrMaskSize greater');
  } else if (mask - pods.prefix > largestMaskDifference) {
    const message = `a /${pods.prefix} has more than 2^${largestMaskDifference} subnets of the size /${mask}`;
    at.problem('node-mask', path, message, 'make the block of the pods smaller, or cidrMaskSize less');
  }
}

function endpointRules(cluster: EksaClusterSpec, blocks: Record<string, Cidr | undefined>, at: Finder): void {
  const host = cluster.controlPlaneConfiguration.endpoint?.host;
  for (const [kind, block] of Object.entries(blocks)) {
    if (host === undefined || block === undefined || !contains(block, host)) continue;
    const message = `the API server's address ${host} is one of those for ${kind}`;
    const path: FindingPath = ['spec', 'controlPlaneConfiguration', 'endpoint', 'host'];
    at.problem('endpoint', path, message, `choose an address outside, or another block for ${kind}`);
  }
}

const ciliumModes = ['default', 'always', 'never'];
const ciliumRoutings = ['overlay', 'direct'];
const namedCnis = ['cilium', 'kindnetd'];

interface CiliumConfig {
  policyEnforcementMode?: string;
  skipUpgrade?: boolean;
  routingMode?: string;
  ipv4NativeRoutingCIDR?: string;
  ipv6NativeRoutingCIDR?: string;
}

function cniRules(cluster: EksaClusterSpec, at: Finder): void {
  const { cni, cniConfig } = cluster.clusterNetwork;
  if (cni !== undefined) namedCniRules(cni, cniConfig !== undefined, at);
  if (cni === undefined && cniConfig === undefined) {
    at.problem('cni', network, 'nothing says which network plugin pods get', 'add cniConfig: {cilium: {}}');
  }
  if (cniConfig === undefined) return;
  const chosen = Object.keys(cniConfig);
  if (chosen.length !== 1) {
    const message =
      chosen.length === 0 ? 'cniConfig names no network plugin' : `cniConfig names ${chosen.join(' and ')}`;
    at.problem('cni', [...network, 'cniConfig'], message, 'name one, such as cilium: {}');
  }
  if ('cilium' in cniConfig) ciliumRules(cniConfig['cilium'] as CiliumConfig, at);
}

function namedCniRules(cni: string, configured: boolean, at: Finder): void {
  const path = [...network, 'cni'];
  if (configured) {
    at.problem('cni', path, 'cni and cniConfig both say which network plugin pods get', 'leave cniConfig only');
  } else if (!namedCnis.includes(cni)) {
    at.problem('cni', path, `there is no network plugin ${JSON.stringify(cni)}`, 'use cniConfig: {cilium: {}}');
  } else {
    at.warning('cni', path, 'cni is the older way to say this', `write cniConfig: {${cni}: {}}`);
  }
}

function ciliumRules(cilium: CiliumConfig, at: Finder): void {
  const path = [...network, 'cniConfig', 'cilium'];
  const { policyEnforcementMode: mode, routingMode: routing } = cilium;
  if (cilium.skipUpgrade === true && mode !== undefined) {
    const message = 'with skipUpgrade Cilium is left to its operator';
    at.problem('cni', [...path, 'policyEnforcementMode'], message, 'take policyEnforcementMode out, or skipUpgrade');
  }
  if (mode !== undefined && !ciliumModes.includes(mode)) {
    const message = `${JSON.stringify(mode)} is no policy enforcement mode`;
    at.problem('cni', [...path, 'policyEnforcementMode'], message, `use one of ${ciliumModes.join(', ')}`);
  }
  if (routing !== undefined && !ciliumRoutings.includes(routing)) {
    const message = `${JSON.stringify(routing)} is no routing mode`;
    at.problem('cni', [...path, 'routingMode'], message, `use one of ${ciliumRoutings.join(', ')}`);
  }
  if (routing === 'direct' && cilium.ipv4NativeRoutingCIDR === undefined) {
    const message = 'direct routing needs ipv4NativeRoutingCIDR';
    at.problem('cni', [...path, 'routingMode'], message, 'say which addresses are routed natively');
  }
  for (const field of ['ipv4NativeRoutingCIDR', 'ipv6NativeRoutingCIDR'] as const) {
    const block = cilium[field];
    if (block === undefined || parseCidr(block) !== undefined) continue;
    at.problem('cidr', [...path, field], `${JSON.stringify(block)} is no CIDR block`, 'write it as 10.0.0.0/8');
  }
}
