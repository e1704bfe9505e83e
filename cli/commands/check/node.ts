import { Command } from 'commander';
import { isIP } from 'node:net';
import type { NodeCheckRequest } from '../../../contracts/node-check.ts';
import { CliError } from '../../cli-error.ts';
import type { CommandContext } from '../../context.ts';
import { findingsText } from '../../display/result/findings.ts';
import { byteSize, collect, positiveInteger } from '../../options/parse.ts';
import {
  addConnectionOptions,
  parseRegistry,
  registryOptions,
  type ConnectionOptions,
} from '../../options/registry-options.ts';

interface CheckNodeOptions extends ConnectionOptions {
  node?: string[];
  port?: number[];
  registry?: string;
  interface?: string;
  minDisk: number;
  podCidr: string;
  serviceCidr: string;
}

/** Canonical Kubernetes: cluster daemon, API server, kubelet, Cilium's health check. */
const NODE_PORTS = [6400, 6443, 10250, 4240];
const MIN_DISK = '20G';

// some things are not as they must be: the exit code of what is done in part
const PROBLEM_EXIT_CODE = 5;

/** `sealift check node` */
export function checkNodeCommand(context: CommandContext): Command {
  const command = new Command('node')
    .description('Look at this machine as a node on the far side, before or after the installation. Changes nothing.')
    .option('--node <ip>', 'another node that has to be reachable; repeatable', collect)
    .option(
      '--port <n>',
      `a TCP port on which nodes talk; repeatable (default: ${NODE_PORTS.join(', ')})`,
      (value, earlier: number[] | undefined) => [...(earlier ?? []), positiveInteger(value)],
    )
    .option('--registry <host[:port]>', 'the registry that the node pulls from')
    .option('--interface <name>', 'the interface that leads to the other nodes; found out when not given')
    .option('--min-disk <size>', 'free space that is wanted in /var/lib and /var/snap', byteSize, byteSize(MIN_DISK))
    .option('--pod-cidr <cidr>', 'addresses of pods, which NO_PROXY must cover', '10.1.0.0/16')
    .option('--service-cidr <cidr>', 'addresses of services, which NO_PROXY must cover', '10.152.183.0/24');
  return addConnectionOptions(command).action((options: CheckNodeOptions) => checkNode(context, options));
}

async function checkNode(context: CommandContext, options: CheckNodeOptions): Promise<void> {
  const host = await context.host();
  const findings = await host.checkNode(requestOf(options, context.terminal.cwd));
  context.result({ text: findingsText(findings), json: { kind: 'node-check', findings } });
  if (findings.some(({ status }) => status === 'problem')) context.exitCode = PROBLEM_EXIT_CODE;
}

/** @throws CliError InvalidInput */
function requestOf(options: CheckNodeOptions, cwd: string): NodeCheckRequest {
  for (const node of options.node ?? []) {
    if (isIP(node) === 0) throw wrong('--node', node, 'it is no IP address');
  }
  for (const [name, cidr] of [
    ['--pod-cidr', options.podCidr],
    ['--service-cidr', options.serviceCidr],
  ] as const) {
    const [address = '', bits = ''] = cidr.split('/');
    const family = isIP(address);
    if (family === 0 || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
      throw wrong(name, cidr, 'it has not the form ADDRESS/BITS');
    }
  }
  return {
    nodes: options.node ?? [],
    ports: options.port ?? NODE_PORTS,
    ...(options.registry === undefined
      ? {}
      : { registry: { ...registryOptions(options, cwd), host: parseRegistry(options.registry).host } }),
    ...(options.interface === undefined ? {} : { interface: options.interface }),
    minDiskBytes: options.minDisk,
    podCidr: options.podCidr,
    serviceCidr: options.serviceCidr,
  };
}

function wrong(option: string, given: string, message: string): CliError {
  return new CliError('InvalidInput', {
    operation: `read ${option}`,
    subject: given,
    message,
    remedy: 'add --help to see what the command takes',
  });
}
