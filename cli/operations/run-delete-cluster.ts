import { resolve } from 'node:path';
import { deletePhases, type ClusterOperationInput, type KnownCluster } from '../../contracts/clusters.ts';
import type { ClusterRole, ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { SealiftHost } from '../../contracts/host.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { clusterSettings, type ClusterOptions } from '../options/cluster-options.ts';
import { clusterContent } from './cluster-content.ts';
import { clusterInputDigest } from './input-digest.ts';
import type { Opening } from './opening.ts';
import { clusterOperationId } from './operation-ids.ts';
import { managerOf, planDocument } from './run-cluster.ts';
import { runOperation } from './run-operation.ts';
import type { OperationRequest } from './start-operation.ts';

/** What the options of `delete cluster` say. */
export type DeleteClusterOptions = Omit<ClusterOptions, 'filename'> & { filename?: string };

type Request = OperationRequest & { input: ClusterOperationInput };

/**
 * Deletes a cluster: starts or attaches, watches, prints. A cluster that nobody knows is deleted already, and that is said.
 * @throws CliError InvalidInput; what `find` and runOperation throw
 */
export async function runDeleteCluster(
  context: CommandContext,
  opening: Opening,
  name: string | undefined,
  options: DeleteClusterOptions,
): Promise<void> {
  const request = await deleteRequest(context, opening.host, name, options);
  if (request === undefined) return sayUnknown(context, name!);
  await runOperation(context, opening, () => Promise.resolve(request), {
    detach: options.detach ?? false,
    // what was deleted before may have been made again since
    beforeStart: () => undefined,
  });
}

/** Says what a delete would do, and does nothing. @throws as runDeleteCluster */
export async function planDeleteCluster(
  context: CommandContext,
  name: string | undefined,
  options: DeleteClusterOptions,
): Promise<void> {
  const request = await deleteRequest(context, await context.host(), name, options);
  if (request === undefined) return sayUnknown(context, name!);
  context.result(planDocument(request, deletePhases[request.input.role]));
}

/** @returns undefined when only a name was given, and nobody knows it */
async function deleteRequest(
  context: CommandContext,
  machine: SealiftHost,
  given: string | undefined,
  options: DeleteClusterOptions,
): Promise<Request | undefined> {
  const { cwd } = context.terminal;
  const specFile = options.filename === undefined ? '' : resolve(cwd, options.filename);
  const written = specFile === '' ? undefined : await readSpec(machine, specFile);
  const name = nameOf(given, written);
  const settings = clusterSettings({ ...options, filename: specFile }, cwd);
  const known = await machine.clusters.find(name, settings.kubeconfig, managerIn(written)).catch((error: unknown) => {
    // the operation asks again, and waits until it is answered
    if (written !== undefined && (error as Error).name === 'ClusterUnreachable') return undefined;
    throw error;
  });
  const spec = written ?? known?.spec;
  if (spec === undefined) return undefined;
  const role = roleOf(spec, known, settings.kubeconfig);
  const kubeconfig = settings.kubeconfig ?? (role === 'workload' ? known?.kubeconfig : undefined);
  if (role === 'workload' && kubeconfig === undefined) throw noManagement(spec);
  const [content, hostTaskQueue] = await Promise.all([
    clusterContent(machine, options, { required: false, cwd }),
    machine.workers.hostTaskQueue(),
  ]);
  const managementCluster = await managerOf(machine, { ...spec, role }, kubeconfig);
  const input: ClusterOperationInput = {
    ...{ name, role, specFile, content, ...settings, hostTaskQueue },
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(managementCluster === undefined ? {} : { managementCluster }),
  };
  return {
    name: 'delete-cluster',
    id: clusterOperationId(managementCluster, name),
    input,
    inputDigest: await clusterInputDigest('delete-cluster', input),
    title: `delete cluster ${name} (${role}, ${spec.provider}, Kubernetes ${spec.cluster.spec.kubernetesVersion})`,
    details: specFile === '' ? '' : `Specification: \`${specFile}\``,
    distribution: 'eks-anywhere',
    cluster: name,
  };
}

/** The management cluster that a specification names, itself or another; it may leave that to --kubeconfig. */
function managerIn(written: ClusterSpec | undefined): string | undefined {
  const { management, managementCluster } = written?.cluster.spec ?? {};
  return management === undefined && managementCluster === undefined ? undefined : written?.managementCluster;
}

/** Values that are not allowed any more are no reason to keep a cluster. */
async function readSpec(machine: SealiftHost, file: string): Promise<ClusterSpec> {
  const { spec, findings } = await machine.clusters.readSpec(file);
  if (spec !== undefined) return spec;
  const found = findings.find(({ status }) => status === 'problem');
  throw new CliError('InvalidInput', {
    operation: 'read specification',
    subject: found?.position === undefined ? file : `${found.position.file}:${found.position.line}`,
    message: `${found?.subject}: ${found?.message}`,
    remedy: `${found?.remedy}; or delete the cluster by its name`,
  });
}

function nameOf(given: string | undefined, written: ClusterSpec | undefined): string {
  const name = written?.name ?? given;
  if (name !== undefined && (given === undefined || given === name)) return name;
  throw new CliError('InvalidInput', {
    operation: 'read options',
    subject: given ?? 'NAME',
    message: name === undefined ? 'no cluster is named' : `the specification is that of ${name}`,
    remedy: 'give the name of the cluster, or its specification with -f',
  });
}

/** What was decided when it was made counts: the specification may have left it to --kubeconfig. */
function roleOf(
  { role, cluster }: ClusterSpec,
  known: KnownCluster | undefined,
  kubeconfig: string | undefined,
): ClusterRole {
  const { management, managementCluster } = cluster.spec;
  if (known !== undefined) return known.spec.role;
  return kubeconfig !== undefined && management === undefined && managementCluster === undefined ? 'workload' : role;
}

function noManagement({ name, managementCluster }: ClusterSpec): CliError {
  const manager = managementCluster === undefined ? '' : ` of ${managementCluster}`;
  return new CliError('InvalidInput', {
    operation: 'read options',
    subject: '--kubeconfig',
    message: `${name} is a workload cluster${manager}, and this machine does not know how its management cluster is reached`,
    remedy: 'add --kubeconfig with the kubeconfig of its management cluster',
  });
}

function sayUnknown(context: CommandContext, name: string): void {
  const text = `Nothing is known of a cluster ${name}: there is nothing to delete.\n`;
  context.status().note('--kubeconfig asks a management cluster, -f takes a specification');
  context.result({ text, json: { kind: 'delete-cluster', name, wasThere: false } });
}
