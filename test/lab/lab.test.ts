import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { daemonPid } from '../../core/bootstrap/daemon.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { waitFor } from '../../core/kubernetes/wait.ts';
import { projectRoot } from '../helpers/paths.ts';
import { startLab, type Lab } from './lab.ts';
import { whyNotLong } from './long.ts';
import {
  controlPlaneFolder,
  labClusterctl,
  providersFolder,
  type ApiServerPlace,
  type ManagementCluster,
} from './management-cluster.ts';
import { plainCluster } from './plain-cluster.ts';

const one = { namespace: 'lab', name: 'one' };
/** its API server is a real one from the beginning */
const two = { namespace: 'lab', name: 'two' };
const clusterKind = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster' };
const machineKind = { ...clusterKind, kind: 'Machine' };

describe.skipIf(whyNotLong !== undefined)(`a lab of real parts ${whyNotLong ?? ''}`, () => {
  let lab: Lab;
  let bootstrap: ManagementCluster;
  let place: ApiServerPlace;

  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab.stop());

  it(
    'makes a management cluster from nothing, whose starter is killed -9 again and again',
    { timeout: 300_000 },
    async () => {
      const { folder } = lab.settings('bootstrap');
      const moments = [
        join(controlPlaneFolder(folder), 'pki', 'ca.crt'),
        join(controlPlaneFolder(folder), 'kube-apiserver.pid'),
        join(folder, 'clusterctl', 'clusterctl.pid'),
        join(providersFolder(folder), 'capi-system.capi-controller-manager.pid'),
      ];
      for (const moment of moments) await killedOnce(lab, moment);
      bootstrap = await lab.startManagementCluster('bootstrap');
      expect(bootstrap.providers.map(({ namespace }) => namespace).sort()).toEqual([
        'capd-system',
        'capi-kubeadm-bootstrap-system',
        'capi-kubeadm-control-plane-system',
        'capi-system',
      ]);
      expect(await programsBelow(folder)).toEqual([
        ...['capi-core', 'capi-kubeadm-bootstrap', 'capi-kubeadm-control-plane', 'etcd'],
        ...['in-memory-infrastructure', 'kube-apiserver', 'kube-controller-manager'],
      ]);
    },
  );

  it('finds all of it again, and starts only what has ended', async () => {
    const [dead, ...alive] = bootstrap.providers;
    process.kill(dead!.pid, 'SIGKILL');
    const etcd = { name: 'etcd', folder: controlPlaneFolder(bootstrap.folder) };
    const etcdBefore = await daemonPid(etcd);
    process.kill(etcdBefore!, 'SIGKILL');
    const again = await lab.startManagementCluster('bootstrap');
    expect(again.providers.slice(1)).toEqual(alive);
    expect(again.providers[0]?.pid).not.toBe(dead!.pid);
    expect(await daemonPid(etcd)).not.toBe(etcdBefore);
    expect(again.url).toBe(bootstrap.url);
    bootstrap = again;
  });

  it('makes machines, and the Cluster becomes available', { timeout: 300_000 }, async () => {
    await lab.expectManagementCluster(two);
    await using cluster = await openCluster(bootstrap.kubeconfig);
    const size = { version: 'v1.35.4', controlPlanes: 1, workers: 1 };
    await cluster.applyAll([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: one.namespace } },
      ...[one, two].flatMap((wanted) => plainCluster({ ...wanted, ...size })),
    ]);
    await Promise.all([one, two].map((wanted) => untilAvailable(bootstrap, wanted)));
    const machines = await cluster.list(machineKind, { namespace: one.namespace });
    expect(machines).toHaveLength(4);
  });

  it('refuses what the real webhooks refuse', async () => {
    await using cluster = await openCluster(bootstrap.kubeconfig);
    const [object] = plainCluster({
      namespace: one.namespace,
      name: 'bad',
      version: 'v1.35.4',
      controlPlanes: 1,
      workers: 1,
    });
    const spec = { ...(object!['spec'] as object), clusterNetwork: { pods: { cidrBlocks: ['nonsense'] } } };
    await expect(cluster.apply({ ...object!, spec })).rejects.toThrow(/admission webhook .*cidrBlocks/s);
  });

  it('puts a real API server behind the endpoint of a cluster, and leaves its nodes as they are', async () => {
    const before = await nodesOf(await lab.placeOf(bootstrap, one));
    place = await lab.giveRealApiServer(bootstrap, one);
    expect(await nodesOf(place)).toEqual(before);
    await using cluster = await openCluster(place.kubeconfig);
    const definition = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'real', namespace: 'default' } };
    await cluster.apply(definition);
    expect((await cluster.get(definition))?.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('runs the providers that are installed on a new cluster', { timeout: 300_000 }, async () => {
    const { kubeconfig } = await lab.placeOf(bootstrap, two);
    const settings = lab.settings('bootstrap');
    await (await labClusterctl(settings)).init(kubeconfig, settings.providers);
    await using cluster = await openCluster(kubeconfig);
    await waitFor(cluster, {
      subject: 'providers',
      watched: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
      timeoutMs: 240_000,
      decide(found) {
        const available = found.filter((object) => conditionOf(object, 'Available')?.status === 'True');
        return { done: available.length === 4, detail: `${available.length} are available` };
      },
    });
    expect(await nodesOf({ kubeconfig })).toHaveLength(2);
  });

  it('moves the cluster to itself, and its nodes stay', { timeout: 300_000 }, async () => {
    const before = await nodesOf(place);
    await lab.makeManagementCluster('lab.one', place);
    const clusterctl = await labClusterctl(lab.settings('bootstrap'));
    const { namespace } = one;
    const directory = join(lab.folder, 'backup');
    await clusterctl.saveTo({ from: bootstrap.kubeconfig, directory, namespace });
    expect((await readdir(directory)).some((file) => file.startsWith('Cluster_'))).toBe(true);
    await clusterctl.move({ from: bootstrap.kubeconfig, to: place.kubeconfig, namespace });
    await using source = await openCluster(bootstrap.kubeconfig);
    expect(await source.list(machineKind, { namespace })).toEqual([]);
    await untilAvailable(place, one);
    expect(await nodesOf(place)).toEqual(before);
    expect(before).toHaveLength(2);
  });

  it('leaves no process and no file', { timeout: 60_000 }, async () => {
    await lab.stop();
    expect(existsSync(lab.folder)).toBe(false);
    await expect.poll(() => programsBelow(lab.folder), { timeout: 30_000 }).toEqual([]);
  });
});

/** Starts making the management cluster in a process of its own, and kills that as soon as a file is there. */
async function killedOnce(lab: Lab, moment: string): Promise<void> {
  const script = join(projectRoot, 'test', 'lab', 'start-management-cluster.ts');
  const settings = JSON.stringify(lab.settings('bootstrap'));
  const child = spawn(process.execPath, ['--import', 'tsx', script, settings], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  while (!existsSync(moment)) {
    if (hasEnded(child)) throw new Error(`it ended before ${moment} was there: ${said}`);
    await sleep(5);
  }
  child.kill('SIGKILL');
  await ended;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Names of the programs whose arguments or environment name a folder, sorted. */
async function programsBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const [name = '', ...rest] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (rest.some((argument) => argument.includes(`${folder}/`)) && !name.endsWith('/sh'))
      found.push(name.split('/').at(-1)!);
  }
  return found.sort();
}

async function untilAvailable({ kubeconfig }: ApiServerPlace, wanted: typeof one): Promise<void> {
  await using cluster = await openCluster(kubeconfig);
  await waitFor(cluster, {
    subject: `Cluster ${wanted.name}`,
    watched: [{ ...clusterKind, ...wanted }],
    timeoutMs: 240_000,
    decide([object]) {
      const available = conditionOf(object, 'Available');
      return { done: available?.status === 'True', detail: available?.message ?? 'nothing is said yet' };
    },
  });
}

function conditionOf(object: KubernetesObject | undefined, wanted: string): Condition | undefined {
  const { conditions = [] } = (object?.['status'] ?? {}) as { conditions?: Condition[] };
  return conditions.find(({ type }) => type === wanted);
}

interface Condition {
  type: string;
  status: string;
  message?: string;
}

async function nodesOf({ kubeconfig }: Pick<ApiServerPlace, 'kubeconfig'>): Promise<string[]> {
  await using cluster = await openCluster(kubeconfig);
  const nodes = await cluster.list({ apiVersion: 'v1', kind: 'Node' });
  return nodes.map(({ metadata }) => `${metadata.name} ${metadata.creationTimestamp}`).sort();
}
