import type { NodeCheckRequest, NodeFinding } from '../../contracts/node-check.ts';
import { hostnameOf } from '../http/addresses.ts';
import { checkHostname, checkName, checkResolvConf } from './names.ts';
import { checkNetwork } from './network.ts';
import { checkOtherNode } from './nodes.ts';
import { checkProxies } from './proxy.ts';
import { checkRegistry } from './registry.ts';
import { checkKernel, checkStorage } from './storage.ts';

/**
 * Looks at the machine this runs on as a node on the far side: what would keep a distribution from being installed or from
 * running there. Changes nothing.
 * @param configDir where `certs.d` may hold authorities
 * @returns in the order in which a person would mend
 */
export async function checkNode(
  request: NodeCheckRequest,
  { configDir, env }: { configDir: string; env: NodeJS.ProcessEnv },
): Promise<NodeFinding[]> {
  const { registry, nodes, ports, podCidr, serviceCidr } = request;
  const network = await checkNetwork(request.interface);
  const registryHost = registry === undefined ? [] : [hostnameOf(registry.host)];
  const direct = { hosts: [...network.addresses, ...nodes, ...registryHost], cidrs: [podCidr, serviceCidr] };
  const findings = await Promise.all([
    Promise.resolve(network.findings),
    ...nodes.map(async (node) => [await checkOtherNode(node, ports)]),
    checkResolvConf().then((finding) => [finding]),
    checkHostname(network.addresses).then((finding) => [finding]),
    registry === undefined ? Promise.resolve([]) : checkRegistryByName(registry, configDir),
    checkProxies(direct, env),
    checkStorage(request.minDiskBytes),
    checkKernel(),
  ]);
  return findings.flat();
}

async function checkRegistryByName(
  registry: NonNullable<NodeCheckRequest['registry']>,
  configDir: string,
): Promise<NodeFinding[]> {
  const name = await checkName(hostnameOf(registry.host));
  // without an address there is nothing more to find out
  if (name?.status === 'problem') return [name];
  return [...(name === undefined ? [] : [name]), ...(await checkRegistry(registry, configDir))];
}
