import { createHash } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import type { FixedListening, ProviderProgram } from '../../contracts/provider-plugin.ts';
import { SealiftError } from '../errors.ts';
import { readFileIfPresent, writeFileAtomically } from '../host/atomic-file.ts';
import { openApiServer, type ApiServer } from '../kubernetes/api-server.ts';
import { openCluster } from '../kubernetes/cluster-access.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { freePort } from '../server/free-port.ts';
import type { FindBinary } from './binaries.ts';
import { createAuthority, issueCertificate } from './certificates.ts';
import {
  daemonLives,
  daemonPid,
  daemonServes,
  logPath,
  onFreePorts,
  startDaemon,
  stopDaemon,
  type Daemon,
  type DaemonStart,
} from './daemon.ts';
import { withFolderLock } from './folder-lock.ts';
import { writeKubeconfig } from './kubeconfig-file.ts';
import {
  conversionChange,
  conversionRelease,
  imageName,
  managerArguments,
  PROVIDER_LABEL,
  readDeployment,
  webhookChange,
  type ProviderDeployment,
  type ProviderPorts,
} from './provider-deployment.ts';

export type { ProviderProgram };

/** Programs by the name of their image (`imageName`): Cluster API's own providers. */
export const clusterApiPrograms: Record<string, ProviderProgram> = {
  'cluster-api-controller': { binary: 'capi-core' },
  'kubeadm-bootstrap-controller': { binary: 'capi-kubeadm-bootstrap' },
  'kubeadm-control-plane-controller': { binary: 'capi-kubeadm-control-plane' },
};

export interface ProviderProcessesOptions {
  /** its own: certificates, tokens, ports, logs */
  folder: string;
  /** of an administrator of the cluster */
  kubeconfig: string;
  /** URL and certificate authority (PEM) by which providers reach that cluster's API server */
  server: { url: string; ca: string };
  programs: Record<string, ProviderProgram>;
  findBinary: FindBinary;
  readyTimeoutMs?: number;
}

export interface ProviderProcess {
  /** of its Deployment */
  namespace: string;
  name: string;
  pid: number;
  /** where it writes to */
  log: string;
}

const CLUSTERCTL_LABEL = 'clusterctl.cluster.x-k8s.io';
/** Asked for anew at every `ensureProviders`; a process reads the file again by itself. */
const TOKEN_SECONDS = 7 * 86_400;
const webhookKinds = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].map((kind) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
}));
const deploymentKind = { apiVersion: 'apps/v1', kind: 'Deployment' };
/** Where controller-runtime looks for its webhooks' certificate below the folder for temporary files, unless told otherwise. */
const defaultCertificates = ['k8s-webhook-server', 'serving-certs'];
const definitionKind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };

/**
 * Plays kubelet, Service and CA injector for the Deployments that `clusterctl init` created: runs each provider's program as
 * a process of this machine with the Deployment's arguments and the rights of its ServiceAccount, and says on the
 * Deployment that it is available once it is ready. May be called at any time: what lives is kept, what has ended or whose
 * Deployment says something else now is started again, and what is scaled down to nothing is stopped.
 * @throws SealiftError ToolMissing when nobody knows a Deployment's program; ToolFailed with the last line of one that ends;
 * those of a Cluster; PathUnwritable, DiskFull
 */
export async function ensureProviders(options: ProviderProcessesOptions): Promise<ProviderProcess[]> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  return withFolderLock(options.folder, async () => {
    await using cluster = await openCluster(options.kubeconfig);
    await using server = await openApiServer(options.kubeconfig);
    const deployments = await cluster.list(deploymentKind, { labelSelector: CLUSTERCTL_LABEL });
    const context = { ...options, cluster, server, reach: options.server };
    const wanted = deployments.map(readDeployment);
    await Promise.all(wanted.filter(({ replicas }) => replicas === 0).map((one) => endProvider(one, context)));
    return await Promise.all(wanted.filter(({ replicas }) => replicas > 0).map((one) => ensureProvider(one, context)));
  });
}

/** Ends all that `ensureProviders` has started for a folder. @throws SealiftError ToolFailed when one does not end */
export async function stopProviders(folder: string): Promise<void> {
  const files = await readdir(folder).catch(() => undefined);
  if (files === undefined) return;
  await withFolderLock(folder, async () => {
    const names = files.filter((file) => file.endsWith('.pid')).map((file) => file.slice(0, -'.pid'.length));
    await Promise.all(names.map((name) => stopDaemon({ name, folder })));
  });
}

type Context = Omit<ProviderProcessesOptions, 'server'> & {
  cluster: Cluster;
  server: ApiServer;
  reach: ProviderProcessesOptions['server'];
};

async function endProvider(deployment: ProviderDeployment, { folder, cluster }: Context): Promise<void> {
  await stopDaemon(daemonOf(deployment, folder));
  const labelSelector = `${PROVIDER_LABEL}=${deployment.provider}`;
  for (const definition of await cluster.list(definitionKind, { labelSelector })) {
    const change = conversionRelease(definition, deployment.namespace);
    if (change !== undefined) await cluster.patch(definition, change);
  }
  await reportStatus(deployment, cluster, { isAvailable: false });
}

function daemonOf({ namespace, name }: ProviderDeployment, folder: string): Daemon {
  return { name: `${namespace}.${name}`, folder };
}

function ensureProvider(deployment: ProviderDeployment, context: Context): Promise<ProviderProcess> {
  const daemon = daemonOf(deployment, context.folder);
  return onFreePorts(daemon, () => startProvider(deployment, daemon, context));
}

async function startProvider(
  deployment: ProviderDeployment,
  daemon: Daemon,
  context: Context,
): Promise<ProviderProcess> {
  const program = programOf(deployment, context.programs);
  const state = await ensureState(daemon, program);
  await writeToken(deployment, daemon, context);
  await redirectWebhooks(deployment, state, context.cluster);
  const command = await context.findBinary(program.binary, deployment.image);
  const start: DaemonStart = {
    ...daemon,
    command,
    args: managerArguments(deployment.args, state.ports, certificateFolder(daemon), program.listening),
    env: environmentOf(deployment, program, daemon),
    ready: () => answersReady(state.ports.health),
    readyTimeoutMs: context.readyTimeoutMs ?? 120_000,
  };
  await ensureRunning(start, context.reach.url);
  await reportStatus(deployment, context.cluster, { isAvailable: true });
  const pid = (await daemonPid(daemon)) ?? 0;
  return {
    namespace: deployment.namespace,
    name: deployment.name,
    pid,
    log: logPath(daemon),
  };
}

function programOf({ image, namespace }: ProviderDeployment, programs: Context['programs']): ProviderProgram {
  const program = programs[imageName(image)];
  if (program !== undefined) return program;
  throw new SealiftError('ToolMissing', {
    side: 'local',
    operation: 'start provider',
    subject: namespace,
    message: `the bootstrap cluster of processes does not know what runs in ${image}`,
    remedy: 'use an existing cluster as bootstrap cluster, with --bootstrap-kubeconfig',
  });
}

interface ProviderState {
  ports: ProviderPorts;
  /** PEM of the authority of its webhooks' certificate; its key is nowhere */
  webhookCa: string;
}

/** Ports and certificate, made once; a port that somebody else took since is changed while the process is not there. */
async function ensureState(daemon: Daemon, { listening }: ProviderProgram): Promise<ProviderState> {
  const file = join(daemon.folder, `${daemon.name}.json`);
  const text = await readFileIfPresent(file);
  const known = text === undefined ? undefined : (JSON.parse(text) as ProviderState);
  if (known !== undefined && (await daemonLives(daemon))) return known;
  const ports = {
    webhook: listening?.webhookPort ?? (await freePort(known?.ports.webhook)),
    health: await freePort(known?.ports.health),
    diagnostics: await freePort(known?.ports.diagnostics),
  };
  const webhookCa = known?.webhookCa ?? (await writeWebhookCertificate(daemon, listening));
  await writeFileAtomically(file, `${JSON.stringify({ ports, webhookCa })}\n`);
  return { ports, webhookCa };
}

async function writeWebhookCertificate(daemon: Daemon, fixed?: FixedListening): Promise<string> {
  const folder =
    fixed === undefined ? certificateFolder(daemon) : join(certificateFolder(daemon), ...defaultCertificates);
  const authority = await createAuthority(`${daemon.name}-webhooks`);
  const issued = await issueCertificate(authority, {
    commonName: daemon.name,
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
  await writeFileAtomically(join(folder, 'tls.crt'), issued.certificate);
  await writeFileAtomically(join(folder, 'tls.key'), issued.key);
  return authority.certificate;
}

async function writeToken(deployment: ProviderDeployment, daemon: Daemon, { server, reach }: Context): Promise<void> {
  const { namespace, serviceAccount } = deployment;
  const { body } = await server.ask({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: TOKEN_SECONDS },
    },
    operation: 'get token',
    subject: `ServiceAccount ${namespace}/${serviceAccount}`,
  });
  const { status } = body as { status: { token: string } };
  const tokenFile = join(daemon.folder, `${daemon.name}.token`);
  await writeFileAtomically(tokenFile, status.token);
  await writeKubeconfig(kubeconfigOf(daemon), {
    name: 'bootstrap',
    server: reach.url,
    ca: reach.ca,
    user: { tokenFile },
    namespace,
  });
}

/** Before the process is ready: as soon as its Deployment is available, objects of its kinds are made. */
async function redirectWebhooks(deployment: ProviderDeployment, state: ProviderState, cluster: Cluster): Promise<void> {
  const endpoint = { port: state.ports.webhook, ca: state.webhookCa };
  const labelSelector = `${PROVIDER_LABEL}=${deployment.provider}`;
  for (const kind of webhookKinds) {
    for (const configuration of await cluster.list(kind, { labelSelector })) {
      const change = webhookChange(configuration, endpoint);
      if (change !== undefined) await cluster.patch(configuration, change);
    }
  }
  for (const definition of await cluster.list(definitionKind, { labelSelector })) {
    const change = conversionChange(definition, endpoint);
    if (change !== undefined) await cluster.patch(definition, change);
  }
}

function environmentOf(
  deployment: ProviderDeployment,
  program: ProviderProgram,
  daemon: Daemon,
): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: daemon.folder,
    ...deployment.env,
    // what a pod's fields would say
    POD_NAMESPACE: deployment.namespace,
    POD_NAME: `${deployment.name}-0`,
    POD_UID: deployment.uid,
    POD_IP: '127.0.0.1',
    ...program.env,
    ...(program.listening === undefined ? {} : { TMPDIR: certificateFolder(daemon) }),
    KUBECONFIG: kubeconfigOf(daemon),
  };
}

async function ensureRunning(start: DaemonStart, server: string): Promise<void> {
  const { command, args, env } = start;
  const file = join(start.folder, `${start.name}.started`);
  // a hash, since the environment may hold credentials
  const wanted = createHash('sha256')
    .update(JSON.stringify([command, args, env, server]))
    .digest('hex');
  if ((await readFileIfPresent(file)) === wanted && (await daemonServes(start))) return;
  await stopDaemon(start);
  await writeFileAtomically(file, wanted);
  await startDaemon(start);
}

async function answersReady(port: number): Promise<boolean> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`);
  await body.dump();
  return statusCode === 200;
}

/** As the controller of Deployments would. */
async function reportStatus(
  { namespace, name, generation }: ProviderDeployment,
  cluster: Cluster,
  { isAvailable }: { isAvailable: boolean },
): Promise<void> {
  const now = new Date().toISOString();
  const condition = {
    type: 'Available',
    status: isAvailable ? 'True' : 'False',
    reason: isAvailable ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: isAvailable ? 'its process is ready' : 'it is scaled down',
    lastUpdateTime: now,
    lastTransitionTime: now,
  };
  const one = isAvailable ? 1 : 0;
  const replicas = { replicas: one, readyReplicas: one, updatedReplicas: one, availableReplicas: one };
  const status = { observedGeneration: generation, ...replicas, conditions: [condition] };
  await cluster.patch({ ...deploymentKind, metadata: { namespace, name } }, { status }, 'status');
}

function certificateFolder({ folder, name }: Daemon): string {
  return join(folder, `${name}-certificates`);
}

function kubeconfigOf({ folder, name }: Daemon): string {
  return join(folder, `${name}.kubeconfig`);
}
