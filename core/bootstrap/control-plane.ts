import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfPresent, writeFileAtomically } from '../host/atomic-file.ts';
import { createHttpClient } from '../http/client.ts';
import { acceptsConnections, freePort } from '../server/free-port.ts';
import type { FindBinary } from './binaries.ts';
import { LOOPBACK, pkiPath, readCertifiedKey, writeControlPlanePki } from './control-plane-pki.ts';
import {
  apiServerArguments,
  controllerManagerArguments,
  etcdArguments,
  type ControlPlanePorts,
} from './control-plane-programs.ts';
import { daemonLives, daemonServes, onFreePorts, startDaemon, stopDaemon, type Daemon } from './daemon.ts';
import { withFolderLock } from './folder-lock.ts';
import { writeKubeconfig } from './kubeconfig-file.ts';

export interface ControlPlaneOptions {
  /** its own: state, certificates, data and logs */
  folder: string;
  findBinary: FindBinary;
  /** false only where a power failure may take all: tests */
  durable?: boolean;
}

/** A real etcd, kube-apiserver and kube-controller-manager on loopback, without nodes. */
export interface ControlPlane {
  folder: string;
  /** `https://127.0.0.1:PORT` */
  url: string;
  /** of a member of system:masters; for its owner only */
  kubeconfig: string;
  /** PEM */
  ca: string;
}

const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;
type Program = (typeof programs)[number];

/**
 * Makes a control plane, or finds the one that is there: what lives is kept, what has ended is started again on its ports
 * and data. May be called by several processes at once and be killed at any point. The programs outlive the caller.
 * @throws SealiftError ToolMissing; ToolFailed with the last line of a program that ends; PathUnwritable, DiskFull
 */
export async function ensureControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { folder } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return withFolderLock(folder, async () => {
    if ((await readPorts(folder)) === undefined) {
      await writeControlPlanePki(folder);
      await writePorts(folder, await choosePorts());
    }
    for (const program of programs) await ensureProgram(program, options);
    return describe(folder, (await readPorts(folder))!);
  });
}

/** Whether a control plane was made in a folder and not removed since; it may have ended. */
export async function hasControlPlane(folder: string): Promise<boolean> {
  return (await readPorts(folder)) !== undefined;
}

/** The control plane of a folder when all of it runs. */
export async function findControlPlane(folder: string): Promise<ControlPlane | undefined> {
  const ports = await readPorts(folder);
  if (ports === undefined) return undefined;
  for (const program of programs) if (!(await daemonLives({ name: program, folder }))) return undefined;
  return describe(folder, ports);
}

/**
 * Ends all its programs. Idempotent; what is not there is no error.
 * @param remove the folder with certificates and data too
 * @throws SealiftError ToolFailed when a program does not end
 */
export async function stopControlPlane(folder: string, { remove = false } = {}): Promise<void> {
  if ((await readPorts(folder)) !== undefined) {
    await withFolderLock(folder, async () => {
      // etcd last: what the API server still has to say is written
      for (const name of programs.toReversed()) await stopDaemon({ name, folder });
    });
  }
  if (remove) await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

async function ensureProgram(program: Program, options: ControlPlaneOptions): Promise<void> {
  const { folder, findBinary } = options;
  const daemon: Daemon = { name: program, folder };
  if (await daemonServes({ ...daemon, ready: readinessOf(program, options, (await readPorts(folder))!) })) return;
  // one that lives and does not answer would keep the ports
  await stopDaemon(daemon);
  const command = await findBinary(program);
  await onFreePorts(daemon, async () => {
    const ports = await portsFor(program, folder);
    await startDaemon({
      ...daemon,
      command,
      args: await argumentsOf(program, options, ports),
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      ready: readinessOf(program, options, ports),
    });
  });
}

async function argumentsOf(
  program: Program,
  { folder, durable = true }: ControlPlaneOptions,
  ports: ControlPlanePorts,
): Promise<string[]> {
  const layout = { folder, ports, durable };
  switch (program) {
    case 'etcd':
      return etcdArguments(layout);
    case 'kube-apiserver':
      await writeKubeconfigs(folder, ports);
      return apiServerArguments(layout);
    case 'kube-controller-manager':
      return controllerManagerArguments(layout, kubeconfigPath(folder, 'controller-manager'));
  }
}

function readinessOf(program: Program, options: ControlPlaneOptions, ports: ControlPlanePorts): () => Promise<boolean> {
  const { folder } = options;
  switch (program) {
    case 'etcd':
      return () => acceptsConnections(ports.etcd);
    case 'kube-apiserver':
      return async () => {
        // without it this would wait for ever, and it may end at any time
        if (!(await daemonLives({ name: 'etcd', folder }))) await ensureProgram('etcd', options);
        return answersReady(folder, ports);
      };
    case 'kube-controller-manager':
      return () => acceptsConnections(ports.controllerManager);
  }
}

/** The ports as they were, where they are still free; others for a program that cannot have its own again. */
async function portsFor(program: Program, folder: string): Promise<ControlPlanePorts> {
  const ports = (await readPorts(folder))!;
  const wanted: Record<Program, (keyof ControlPlanePorts)[]> = {
    etcd: ['etcd', 'etcdPeer'],
    'kube-apiserver': ['apiServer'],
    'kube-controller-manager': ['controllerManager'],
  };
  const found = { ...ports };
  for (const name of wanted[program]) found[name] = await freePort(ports[name]);
  if (wanted[program].some((name) => found[name] !== ports[name])) {
    // those that come after it were told the old port
    for (const later of programs.slice(programs.indexOf(program) + 1)) await stopDaemon({ name: later, folder });
    await writePorts(folder, found);
  }
  return found;
}

async function choosePorts(): Promise<ControlPlanePorts> {
  return {
    etcd: await freePort(),
    etcdPeer: await freePort(),
    apiServer: await freePort(),
    controllerManager: await freePort(),
  };
}

async function writeKubeconfigs(folder: string, ports: ControlPlanePorts): Promise<void> {
  const { certificate: ca } = await readCertifiedKey(folder, 'ca');
  for (const name of ['admin', 'controller-manager']) {
    const user = await readCertifiedKey(folder, name);
    await writeKubeconfig(kubeconfigPath(folder, name), { name: 'bootstrap', server: urlOf(ports), ca, user });
  }
}

async function answersReady(folder: string, ports: ControlPlanePorts): Promise<boolean> {
  const { certificate: ca } = await readCertifiedKey(folder, 'ca');
  const { certificate: cert, key } = await readCertifiedKey(folder, 'admin');
  const settings = { plainHttp: false, insecureSkipTlsVerify: false, ca, tls: { cert, key } };
  const http = createHttpClient(settings, 'local');
  try {
    return (await http.request({ method: 'GET', url: `${urlOf(ports)}/readyz`, timeoutMs: 5_000 })).status === 200;
  } finally {
    await http.close();
  }
}

async function describe(folder: string, ports: ControlPlanePorts): Promise<ControlPlane> {
  const { certificate: ca } = await readCertifiedKey(folder, 'ca');
  return { folder, url: urlOf(ports), kubeconfig: kubeconfigPath(folder, 'admin'), ca };
}

function urlOf(ports: ControlPlanePorts): string {
  return `https://${LOOPBACK}:${ports.apiServer}`;
}

function kubeconfigPath(folder: string, name: string): string {
  return pkiPath(folder, `${name}.kubeconfig`);
}

/** @returns undefined as long as the certificates are not all there */
async function readPorts(folder: string): Promise<ControlPlanePorts | undefined> {
  const text = await readFileIfPresent(join(folder, 'control-plane.json'));
  return text === undefined ? undefined : (JSON.parse(text) as ControlPlanePorts);
}

async function writePorts(folder: string, ports: ControlPlanePorts): Promise<void> {
  await writeFileAtomically(join(folder, 'control-plane.json'), `${JSON.stringify(ports)}\n`);
}
