import { resolve } from 'node:path';
import {
  createPhases,
  upgradePhases,
  type ClusterOperationInput,
  type ClusterOperationName,
  type ClusterPhase,
  type Finding,
} from '../../contracts/clusters.ts';
import type { ClusterRole, ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Problem } from '../../contracts/errors.ts';
import type { SealiftHost } from '../../contracts/host.ts';
import { CliError, OperationFailedError } from '../cli-error.ts';
import type { CommandContext, ResultDocument } from '../context.ts';
import { printable } from '../display/format.ts';
import { clusterSettings, type ClusterOptions } from '../options/cluster-options.ts';
import { clusterContent, contentText } from './cluster-content.ts';
import { clusterInputDigest } from './input-digest.ts';
import type { Opening } from './opening.ts';
import { clusterOperationId } from './operation-ids.ts';
import { runOperation } from './run-operation.ts';
import type { OperationRequest } from './start-operation.ts';

/**
 * Runs an operation on a cluster: starts or attaches, watches, prints. What is wrong with the specification is said before
 * anything starts.
 *
 * @throws OperationFailedError with every finding; what runOperation throws
 */
export async function runCluster(
  context: CommandContext,
  opening: Opening,
  name: ClusterOperationName,
  options: ClusterOptions,
): Promise<void> {
  sayIgnored(context, options);
  await runOperation(context, opening, (host) => clusterRequest(context, host, name, options), {
    detach: options.detach ?? false,
    // the same cluster is not made twice: what it was made from is what counts, not that it is asked for again; an upgrade
    // looks at what there is
    beforeStart: (finished) => (name === 'upgrade-cluster' ? undefined : finished),
  });
}

/** Says what an operation would do, and does nothing. @throws OperationFailedError with every finding */
export async function planCluster(
  context: CommandContext,
  name: ClusterOperationName,
  options: ClusterOptions,
): Promise<void> {
  sayIgnored(context, options);
  const request = await clusterRequest(context, await context.host(), name, options);
  const phases = name === 'upgrade-cluster' ? upgradePhases : createPhases;
  context.result(planDocument(request, phases[request.input.role]));
}

/** The phases that an operation would go through. */
export function planDocument(
  {
    id,
    title,
    input: { role },
  }: Pick<OperationRequest, 'id' | 'title'> & { input: Pick<ClusterOperationInput, 'role'> },
  phases: readonly ClusterPhase[],
): ResultDocument {
  const text = [title, ...phases.map((phase, index) => `  ${index + 1}. ${phase}`)].join('\n');
  return { text: `${text}\n`, json: { kind: 'cluster-plan', operation: id, role, phases } };
}

/**
 * What an operation on a cluster is started with, from the command line and the specification.
 * @throws CliError InvalidInput; OperationFailedError with everything that is wrong with the specification
 */
export async function clusterRequest(
  context: CommandContext,
  machine: SealiftHost,
  name: ClusterOperationName,
  options: ClusterOptions,
): Promise<OperationRequest & { input: ClusterOperationInput }> {
  const { cwd } = context.terminal;
  const specFile = resolve(cwd, options.filename);
  const spec = await readSpec(context, machine, specFile);
  const role = roleOf(spec, name, options);
  const [content, hostTaskQueue] = await Promise.all([
    clusterContent(machine, options, { required: true, cwd }),
    machine.workers.hostTaskQueue(),
  ]);
  const settings = clusterSettings(options, cwd);
  if (settings.ovas !== undefined && spec.provider !== 'vsphere') throw needsNoOva(spec);
  const manager = await managerOf(machine, { ...spec, role }, settings.kubeconfig);
  const input: ClusterOperationInput = {
    ...{ name: spec.name, role, specFile, content, ...settings, hostTaskQueue },
    ...(manager === undefined ? {} : { managementCluster: manager }),
  };
  const title = `${name.replace('-', ' ')} ${spec.name} (${role}, ${spec.provider}, Kubernetes ${spec.cluster.spec.kubernetesVersion})`;
  return {
    name,
    id: clusterOperationId(manager, spec.name),
    input,
    inputDigest: await clusterInputDigest(name, input),
    title,
    details: [`Specification: \`${specFile}\``, contentText(content)].join('\n\n'),
    distribution: 'eks-anywhere',
    cluster: spec.name,
  };
}

/**
 * What tells a workload cluster from others of its name: the management cluster that its specification names, or else the one
 * whose kubeconfig is given.
 * @returns undefined for a management cluster
 * @throws what `managerOf` of the host throws
 */
export async function managerOf(
  machine: SealiftHost,
  { name, role, managementCluster }: Pick<ClusterSpec, 'name' | 'role' | 'managementCluster'>,
  kubeconfig: string | undefined,
): Promise<string | undefined> {
  if (role === 'management') return undefined;
  // a specification that says nothing describes a management cluster, its own
  if (managementCluster !== undefined && managementCluster !== name) return managementCluster;
  return kubeconfig === undefined ? undefined : machine.clusters.managerOf(kubeconfig);
}

/**
 * `--kubeconfig` makes a workload cluster of one whose specification says neither (EKS Anywhere's design for workload clusters).
 * @throws CliError InvalidInput when the two contradict each other
 */
function roleOf(
  { name, role, managementCluster, cluster }: ClusterSpec,
  operation: ClusterOperationName,
  { kubeconfig }: ClusterOptions,
): ClusterRole {
  const { management, managementCluster: manager } = cluster.spec;
  if (kubeconfig !== undefined && management === undefined && manager === undefined) return 'workload';
  // one that is there may be reached by its own kubeconfig
  if (role === 'management' && operation !== 'create-cluster') return role;
  if ((role === 'workload') === (kubeconfig !== undefined)) return role;
  throw new CliError('InvalidInput', {
    operation: 'read options',
    subject: '--kubeconfig',
    message:
      role === 'workload'
        ? `${name} is a workload cluster${managementCluster === undefined ? '' : ` of ${managementCluster}`}, and no management cluster is given to make it`
        : `${name} is a management cluster by its specification, which no other cluster makes`,
    remedy:
      role === 'workload'
        ? 'add --kubeconfig with the kubeconfig of its management cluster'
        : 'leave --kubeconfig out, or name the management cluster in spec.managementCluster',
  });
}

function needsNoOva({ name, provider }: ClusterSpec): CliError {
  return new CliError('InvalidInput', {
    operation: 'read options',
    subject: '--ova',
    message: `the machines of ${name} are ${provider}'s, which are not made from OVAs`,
    remedy: 'leave it out',
  });
}

async function readSpec(context: CommandContext, machine: SealiftHost, file: string): Promise<ClusterSpec> {
  const { spec, findings } = await machine.clusters.readSpec(file);
  const problems = findings.filter(({ status }) => status === 'problem');
  for (const finding of findings) {
    if (finding.status === 'warning') context.status().note(`Warning: ${printable(findingText(finding))}`);
  }
  if (spec !== undefined && problems.length === 0) return spec;
  throw new OperationFailedError(problems.map(problemOf));
}

function problemOf(finding: Finding): Problem {
  const { position, subject } = finding;
  return {
    type: 'InvalidInput',
    side: 'local',
    operation: 'read specification',
    subject: position === undefined ? subject : `${position.file}:${position.line}:${position.column}`,
    message: position === undefined ? finding.message : `${subject}: ${finding.message}`,
    remedy: finding.remedy,
  };
}

function findingText({ subject, message, remedy, position }: Finding): string {
  const place = position === undefined ? '' : `${position.file}:${position.line}: `;
  return `${place}${subject}: ${message}${remedy === '' ? '' : ` (${remedy})`}`;
}

function sayIgnored(context: CommandContext, { bundlesOverride }: ClusterOptions): void {
  if (bundlesOverride === undefined) return;
  context.status().note('--bundles-override is not needed: the manifests that the bundle carries are used');
}
