import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readCertifiedKey } from '../../core/bootstrap/control-plane-pki.ts';
import { ensureControlPlane, stopControlPlane, type ControlPlane } from '../../core/bootstrap/control-plane.ts';
import { stopProviders } from '../../core/bootstrap/provider-processes.ts';
import { writeRepository } from '../../core/cluster-api/repository.ts';
import { writeFileAtomically } from '../../core/host/atomic-file.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { readKubeconfig } from '../../core/kubernetes/kubeconfig.ts';
import { readLocal } from '../../core/sources/read-local.ts';
import { findTool, requireTool, temporaryFolder } from '../helpers/paths.ts';
import { startProcess, type RunningProcess } from '../helpers/processes.ts';
import { clusterApiReleases, type LabInfrastructure } from './components.ts';
import { startInMemoryCloud, type InMemoryCloud } from './in-memory-cloud.ts';
import { playKubelet } from './kubelet.ts';
import {
  controlPlaneFolder,
  ensureManagementCluster,
  findLabBinary,
  labPrograms,
  providersFolder,
  type ApiServerPlace,
  type ManagementCluster,
  type ManagementClusterSettings,
} from './management-cluster.ts';

/** Management clusters with the real Cluster API, and one cloud in memory that they all make machines in. */
export interface Lab extends AsyncDisposable {
  folder: string;
  cloud: InMemoryCloud;
  /** What `ensureManagementCluster` wants for a management cluster of this name, in this process or another. */
  settings(name: string): ManagementClusterSettings;
  /** A management cluster with an etcd and API server of its own; mended when it is there. */
  startManagementCluster(name: string): Promise<ManagementCluster>;
  /** How a workload cluster is reached, by the kubeconfig that Cluster API has made for it. */
  placeOf(management: ApiServerPlace, cluster: { namespace: string; name: string }): Promise<ApiServerPlace>;
  /**
   * Puts a real API server behind the endpoint of a workload cluster, for all but what its machines hold: the cluster can
   * become a management cluster then.
   * @param management where the Cluster is now
   */
  giveRealApiServer(management: ApiServerPlace, cluster: { namespace: string; name: string }): Promise<ApiServerPlace>;
  /**
   * The same for a cluster that is still to be made, whoever makes it: whatever providers are installed there run from then on.
   * @returns how its API server is reached without the imitation before it
   */
  expectManagementCluster(cluster: { namespace: string; name: string }): Promise<ApiServerPlace>;
  /**
   * Boots the machines that a provider which has no in-memory backend makes for a management cluster: they become nodes of
   * their clusters, whose API servers are imitations at the endpoint of the specification, an address of loopback.
   * @param kubeconfig of the management cluster, which need not be there yet
   * @returns the booter, to be ended before that cluster is replaced by another one; it ends with the lab
   */
  bootMachines(kubeconfig: string): Promise<RunningProcess>;
  /** Cluster API on a cluster that `giveRealApiServer` was called for. */
  makeManagementCluster(name: string, place: ApiServerPlace): Promise<ManagementCluster>;
  stop(): Promise<void>;
}

const tools = [
  ...['etcd', 'kube-apiserver', 'kube-controller-manager', 'clusterctl', 'in-memory-infrastructure'],
  ...['capi-core', 'capi-kubeadm-bootstrap', 'capi-kubeadm-control-plane'],
];

/** Of providers that are not the in-memory cloud's. */
const infrastructureTools: Record<LabInfrastructure, string[]> = {
  docker: [],
  vsphere: ['capv'],
  tinkerbell: ['capt', 'tinkerbell-stack', 'tinkerbell-agent'],
};

/** @returns why there can be no lab on this machine, or undefined when there can */
export async function labUnavailable(infrastructure: LabInfrastructure = 'docker'): Promise<string | undefined> {
  for (const tool of [...tools, ...infrastructureTools[infrastructure]]) {
    if ((await findTool(tool)) === undefined) return `${tool} is not in .cache/bin: run \`make setup\``;
  }
  return undefined;
}

/** Starts the cloud and writes the repository; management clusters are started one by one. */
export async function startLab(infrastructure: LabInfrastructure = 'docker'): Promise<Lab> {
  const { path: folder, remove } = await temporaryFolder('lab');
  guard(folder);
  const clusters = join(folder, 'clusters');
  await mkdir(clusters);
  const started = new Set<string>();
  const cloud = await startInMemoryCloud(folder);
  const releases = await clusterApiReleases({ infrastructure });
  const repository = await writeRepository(join(folder, 'repository'), {
    providers: releases,
    certManager: 'none',
    rewriteImage: (reference) => reference,
  });
  const providers = releases.map(({ name, type, version }) => ({ name, type, version }));
  const settings = (name: string): ManagementClusterSettings => {
    started.add(name);
    return { folder: join(clusters, name), repository, providers, cloud: cloud.socket };
  };
  const kubelets: (() => Promise<void>)[] = [];
  const booters: RunningProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const end of kubelets.splice(0)) await end();
    for (const booter of booters) await booter.stop();
    for (const name of started) {
      await stopProviders(providersFolder(join(clusters, name)));
      await stopControlPlane(controlPlaneFolder(join(clusters, name)));
    }
    await cloud.process.stop();
    await remove();
  };
  return {
    folder,
    cloud,
    settings,
    startManagementCluster: (name) => ensureManagementCluster(settings(name)),
    placeOf: (management, cluster) => readPlace(management, cluster, kubeconfigFile(folder, cluster)),
    async giveRealApiServer(management, { namespace, name }) {
      const unique = `${namespace}.${name}`;
      const plane = settings(unique).folder;
      await writeForward(controlPlaneFolder(plane), join(cloud.forwards, `${unique}.json`));
      return readPlace(management, { namespace, name }, kubeconfigFile(folder, { namespace, name }));
    },
    async expectManagementCluster({ namespace, name }) {
      const own = settings(`${namespace}.${name}`).folder;
      const plane = await writeForward(controlPlaneFolder(own), join(cloud.forwards, `${namespace}.${name}.json`));
      const { kubeconfig, url, ca } = plane;
      const programs = labPrograms(cloud.socket);
      const options = { folder: providersFolder(own), kubeconfig, server: { url, ca }, programs };
      kubelets.push(playKubelet({ ...options, findBinary: findLabBinary }));
      return { kubeconfig, url, ca };
    },
    async bootMachines(kubeconfig) {
      const [command, args] = [await requireTool('in-memory-infrastructure'), ['boot', `--kubeconfig=${kubeconfig}`]];
      const booter = await startProcess({ command, args, env: { IN_MEMORY_CLOUD: cloud.socket } });
      booters.push(booter);
      return booter;
    },
    makeManagementCluster: (name, place) => ensureManagementCluster(settings(name), place),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function kubeconfigFile(folder: string, { namespace, name }: { namespace: string; name: string }): string {
  return join(folder, 'kubeconfigs', `${namespace}.${name}`);
}

async function writeForward(folder: string, file: string): Promise<ControlPlane> {
  const plane = await ensureControlPlane({ folder, findBinary: findLabBinary, durable: false });
  const { url, ca } = plane;
  const { certificate: cert, key } = await readCertifiedKey(folder, 'admin');
  await writeFileAtomically(file, JSON.stringify({ url, ca, cert, key }));
  return plane;
}

/** The kubeconfig that Cluster API made for a cluster, in a file. */
async function readPlace(
  management: ApiServerPlace,
  { namespace, name }: { namespace: string; name: string },
  file: string,
): Promise<ApiServerPlace> {
  await using cluster = await openCluster(management.kubeconfig);
  const metadata = { namespace, name: `${name}-kubeconfig` };
  const secret = await cluster.get({ apiVersion: 'v1', kind: 'Secret', metadata });
  const { value = '' } = (secret?.['data'] ?? {}) as { value?: string };
  await writeFileAtomically(file, Buffer.from(value, 'base64').toString('utf8'));
  const read = (location: string): Promise<Uint8Array> => readLocal(location, 'local');
  const { server, ca = '' } = await readKubeconfig(file, undefined, { read, run: () => Promise.resolve(undefined) });
  return { kubeconfig: file, url: server, ca };
}

/**
 * What a lab runs in the background outlives whoever started it. When that is killed, so that nobody stops the lab, this
 * ends what the records in its folder name, and removes the folder.
 */
function guard(folder: string): void {
  const script = `
    while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 1; done
    for record in "$2"/clusters/*/*/*.pid; do
      [ -f "$record" ] || continue
      stat=$(sed -n 2p "$record"); pid=\${stat%% *}
      [ "$(cut -d' ' -f22 "/proc/$pid/stat")" = "$(echo "$stat" | cut -d' ' -f22)" ] && kill -9 "$pid"
    done
    rm -rf "$2"`;
  const arguments_ = ['-c', script, 'sh', String(process.pid), folder];
  spawn('/bin/sh', arguments_, { detached: true, stdio: 'ignore' }).unref();
}
