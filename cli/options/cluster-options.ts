import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { BootstrapChoice, ClusterOperationInput, ClusterTimeouts, OvaFile } from '../../contracts/clusters.ts';
import type { OnFailure } from '../../contracts/run-options.ts';
import { CliError } from '../cli-error.ts';
import { addDetachOption } from './operation-options.ts';
import { collectCommaLists } from './parse.ts';
import { addConnectionOptions, parseRegistry, registryOptions, type ConnectionOptions } from './registry-options.ts';

/** What the options of every command that changes a cluster say. */
export interface ClusterOptions extends ConnectionOptions {
  filename: string;
  kubeconfig?: string;
  hardwareCsv?: string;
  ova?: OvaFile[];
  bundle?: string;
  registry?: string;
  bundlesOverride?: string;
  dryRun?: boolean;
  bootstrapKubeconfig?: string;
  keepBootstrap?: boolean;
  skipValidations?: string[];
  controlPlaneWaitTimeout: number;
  externalEtcdWaitTimeout: number;
  perMachineWaitTimeout: number;
  /** false after `--no-timeouts` */
  timeouts: boolean;
  onFailure: OnFailure;
  detach?: boolean;
}

/** Adds them; names and defaults are EKS Anywhere's where it has them. */
export function addClusterOptions(command: Command, filename = 'the specification of the cluster (required)'): Command {
  command
    .option('-f, --filename <file>', filename)
    .option('--kubeconfig <file>', 'kubeconfig of the management cluster: the cluster is a workload cluster')
    .addOption(new Option('-z, --hardware-csv <file>', 'the hardware of a bare metal cluster').env('HARDWARE_CSV'))
    .option('-b, --bundle <file>', 'the bundle with everything that clusters are made of')
    .option('-r, --registry <host[:port][/namespace]>', 'instead of a bundle: the registry that one was imported into')
    .option('--bundles-override <file>', 'not needed: the bundle says it all')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--bootstrap-kubeconfig <file>', 'use this cluster as the bootstrap cluster')
    .option('--keep-bootstrap', 'leave the bootstrap cluster there at the end')
    .option('--skip-validations <names>', 'validations to leave out, separated by commas', collectCommaLists)
    .option('--control-plane-wait-timeout <duration>', 'how long to wait for the control plane', seconds, 3600)
    .option('--external-etcd-wait-timeout <duration>', 'how long to wait for external etcd', seconds, 3600)
    .option('--per-machine-wait-timeout <duration>', 'how long to wait for each machine more', seconds, 600)
    .option('--no-timeouts', 'wait for ever')
    .addOption(
      new Option('--on-failure <what>', 'when a phase fails: wait for retry or abort, or fail')
        .choices(['park', 'fail'])
        .default('park'),
    );
  return addDetachOption(addConnectionOptions(command));
}

/** Adds the option of commands that make machines; to be called beside addClusterOptions. */
export function addOvaOption(command: Command): Command {
  return command.option(
    '--ova <file[=template]>',
    'an OVA that a template is imported from if it is not there (vSphere; repeatable)',
    collectOvas,
  );
}

/** `FILE.ova=TEMPLATE`; both may hold `=`, and only what follows the first `.ova=` is the template. */
function collectOvas(value: string, earlier: OvaFile[] = []): OvaFile[] {
  const [, file, template] = /^(.*?\.ova)=(.+)$/i.exec(value) ?? [];
  return [...earlier, file === undefined || template === undefined ? { file: value } : { file, template }];
}

/** What the options say, whatever is done to the cluster. @param cwd paths are relative to it */
export function clusterSettings(
  options: ClusterOptions,
  cwd: string,
): Omit<ClusterOperationInput, 'name' | 'role' | 'specFile' | 'content' | 'hostTaskQueue'> {
  const { kubeconfig, hardwareCsv, ova } = options;
  return {
    ...(kubeconfig === undefined ? {} : { kubeconfig: resolve(cwd, kubeconfig) }),
    ...(hardwareCsv === undefined ? {} : { hardwareCsv: resolve(cwd, hardwareCsv) }),
    ...(ova === undefined ? {} : { ovas: ova.map(({ file, ...rest }) => ({ file: resolve(cwd, file), ...rest })) }),
    bootstrap: bootstrapOf(options, cwd),
    keepBootstrap: options.keepBootstrap ?? false,
    skipValidations: options.skipValidations ?? [],
    timeouts: timeoutsOf(options),
    onFailure: options.onFailure,
    registry: registryOptions(options, cwd),
  };
}

function timeoutsOf(options: ClusterOptions): ClusterTimeouts {
  if (!options.timeouts) return {};
  return {
    controlPlane: options.controlPlaneWaitTimeout,
    externalEtcd: options.externalEtcdWaitTimeout,
    perMachine: options.perMachineWaitTimeout,
  };
}

function bootstrapOf(options: ClusterOptions, cwd: string): BootstrapChoice {
  const kubeconfig = options.bootstrapKubeconfig;
  return kubeconfig === undefined
    ? { driver: 'processes' }
    : { driver: 'kubeconfig', kubeconfig: resolve(cwd, kubeconfig) };
}

/**
 * What clusters are to be made of.
 * @throws CliError InvalidInput when a bundle and a registry are given, or neither and there has to be one
 */
export function contentChoice(
  { bundle, registry }: Pick<ClusterOptions, 'bundle' | 'registry'>,
  { required }: { required: boolean },
): { bundle?: string; registry?: { host: string; namespace: string } } {
  if (bundle !== undefined && registry !== undefined) {
    throw new CliError('InvalidInput', {
      operation: 'read options',
      subject: '--bundle, --registry',
      message: 'both are given, and only one can say what the cluster is made of',
      remedy: 'leave one of them out',
    });
  }
  if (bundle !== undefined) return { bundle };
  if (registry !== undefined) return { registry: parseRegistry(registry) };
  if (!required) return {};
  throw new CliError('InvalidInput', {
    operation: 'read options',
    subject: '--bundle',
    message: 'there is neither a bundle nor a registry to make the cluster from',
    remedy:
      'give the tar that `sealift export artifacts --source eks-anywhere` wrote; or with --registry the registry that it was imported into',
  });
}

// Go's time.ParseDuration, as far as upstream's users need it: 1h, 30m, 1h30m, 45s
function seconds(text: string): number {
  const [whole, hours = 0, minutes = 0, rest = 0] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  if (whole === undefined || whole === '') throw new InvalidArgumentError('It has the form 1h30m, 10m or 45s.');
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(rest);
}
