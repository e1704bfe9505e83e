import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { readClusterState } from '../../core/clusters/await.ts';
import { movedObjects, nameOf } from '../../core/clusters/move-inventory.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../../core/kubernetes/cluster.ts';
import { noneIfUnknown } from '../../core/kubernetes/unknown-kind.ts';
import type { SealiftHome } from '../helpers/sealift.ts';

const namespace = 'eksa-system';
const capi = 'cluster.x-k8s.io/v1beta2';
const kept = 'anywhere.eks.amazonaws.com/v1alpha1';
const PAUSED = 'anywhere.eks.amazonaws.com/paused';
const MARK = 'sealift.dev/paused';

/** A cluster as its specification says. */
export interface ExpectedCluster {
  name: string;
  /** e.g. `v1.35.4` */
  version: string;
  /** roles of its machines */
  machines: ('control-plane' | 'worker')[];
}

/**
 * After operations have ended: exactly the clusters that are expected are there, each owned by one of the management
 * clusters; all machines are as specified; nothing is paused.
 * @param kubeconfigs of all management clusters that live
 */
export async function expectAtRest(
  kubeconfigs: readonly string[],
  clusters: readonly ExpectedCluster[],
): Promise<void> {
  const all: string[] = [];
  const uids: string[] = [];
  for (const kubeconfig of kubeconfigs) {
    await using cluster = await openCluster(kubeconfig);
    const there = await clustersAt(cluster);
    all.push(...there.map(({ metadata }) => metadata.name));
    expect(there.filter(isPaused).map(nameOfObject), `paused at ${cluster.server}`).toEqual([]);
    expect(await pausedByOthers(cluster), `paused for others at ${cluster.server}`).toEqual([]);
    const objects = await movedObjects(cluster);
    expect(objects.filter(({ deleting }) => deleting).map(nameOf), 'on their way out').toEqual([]);
    uids.push(...objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    for (const { metadata } of there) {
      const expected = clusters.find(({ name }) => name === metadata.name);
      if (expected !== undefined) await expectMachines(cluster, expected);
    }
  }
  expect(all.sort()).toEqual(clusters.map(({ name }) => name).sort());
  expect(
    uids.filter((one, index) => uids.indexOf(one) !== index),
    'there twice',
  ).toEqual([]);
}

/**
 * After an operation has ended in any way: whoever owns clusters has none paused, nor anything else for them. A copy that a
 * move has left behind, and that is paused, is nobody's.
 * @param kubeconfigs of the management clusters that are there
 */
export async function expectNothingPaused(kubeconfigs: readonly string[]): Promise<void> {
  const paused = new Set<string>();
  const awake = new Set<string>();
  for (const kubeconfig of kubeconfigs) {
    await using cluster = await openCluster(kubeconfig);
    for (const one of await clustersAt(cluster)) (isPaused(one) ? paused : awake).add(one.metadata.name);
    expect(await pausedFlux(cluster), `paused at ${cluster.server}`).toEqual([]);
  }
  expect(
    [...paused].filter((name) => !awake.has(name)),
    'paused everywhere',
  ).toEqual([]);
}

/** In the middle of anything: no cluster has two owners that are awake. @param kubeconfigs what may be there and answer */
export async function expectOneOwner(kubeconfigs: readonly string[]): Promise<void> {
  const awake: string[] = [];
  for (const kubeconfig of kubeconfigs) {
    await using cluster = await openCluster(kubeconfig).catch(() => undefined);
    if (cluster === undefined) continue;
    // an API server that is not there yet, or not any more, owns nothing
    const there = await clustersAt(cluster).catch(() => []);
    awake.push(...there.filter((one) => !isPaused(one)).map(({ metadata }) => metadata.name));
  }
  expect(
    awake.filter((name, index) => awake.indexOf(name) !== index),
    'owned twice',
  ).toEqual([]);
}

/** No process that was started for a home is left, the lab's own excepted. */
export async function expectNoProcess(home: SealiftHome): Promise<void> {
  expect(await home.processes()).toEqual([]);
  const below = `${join(home.state, 'clusters')}/`;
  const left = (await commandLines()).filter((line) => line.includes(below));
  expect(left).toEqual([]);
}

async function expectMachines(on: Cluster, { name, version, machines }: ExpectedCluster): Promise<void> {
  const health = async (): Promise<string | undefined> => {
    const state = await readClusterState(name, on);
    return state?.ready === true ? 'well' : state?.detail;
  };
  // a controller that gets no answer in time, which happens on a busy machine, says for a moment that it does not know
  await expect.poll(health, { message: `health of ${name}`, timeout: 60_000, interval: 1_000 }).toBe('well');
  const found = (await readClusterState(name, on))!.machines.map(({ role, version: its }) => `${role} ${its}`).sort();
  expect(found).toEqual(machines.map((role) => `${role} ${version}`).sort());
  // what a machine is made of is there once for each
  const labelSelector = `cluster.x-k8s.io/cluster-name=${name}`;
  for (const kind of [
    { apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta2', kind: 'DevMachine' },
    { apiVersion: 'bootstrap.cluster.x-k8s.io/v1beta2', kind: 'KubeadmConfig' },
  ]) {
    expect(await on.list(kind, { namespace, labelSelector }), `${kind.kind} of ${name}`).toHaveLength(machines.length);
  }
}

function clustersAt(cluster: Cluster): Promise<KubernetesObject[]> {
  return cluster.list({ apiVersion: capi, kind: 'Cluster' }).catch(noneIfUnknown);
}

function isPaused({ spec, metadata }: KubernetesObject): boolean {
  return (spec as { paused?: boolean }).paused === true || hasMark(metadata);
}

/** What is paused on a management cluster for EKS Anywhere's controller and for Flux. @param kubeconfig its own */
export async function pausedAt(kubeconfig: string): Promise<string[]> {
  await using cluster = await openCluster(kubeconfig);
  const clusters = (await clustersAt(cluster)).filter(isPaused).map(nameOfObject);
  return [...clusters, ...(await pausedByOthers(cluster))];
}

/** EKS Anywhere's documents, and Flux's objects but for those whose name says that somebody else suspended them. */
async function pausedByOthers(cluster: Cluster): Promise<string[]> {
  const kinds = ['Cluster', 'InMemoryDatacenterConfig', 'InMemoryMachineConfig'];
  const listed = kinds.map((kind) => cluster.list({ apiVersion: kept, kind }).catch(noneIfUnknown));
  const documents = (await Promise.all(listed)).flat();
  const paused = documents.filter(({ metadata }) => PAUSED in (metadata.annotations ?? {}) || hasMark(metadata));
  return [...paused.map(nameOfObject), ...(await pausedFlux(cluster))];
}

async function pausedFlux(cluster: Cluster): Promise<string[]> {
  const kind = { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' };
  const flux = await cluster.list(kind).catch(noneIfUnknown);
  const isSuspended = ({ spec }: KubernetesObject): boolean => (spec as { suspend?: boolean }).suspend === true;
  expect(flux.filter(({ metadata }) => metadata.name === 'theirs').every(isSuspended)).toBe(true);
  const ours = flux.filter(({ metadata }) => metadata.name !== 'theirs');
  return ours.filter((one) => isSuspended(one) || hasMark(one.metadata)).map(nameOfObject);
}

function hasMark({ annotations = {} }: KubernetesObject['metadata']): boolean {
  return Object.keys(annotations).some((name) => name.startsWith(MARK));
}

function nameOfObject({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.map((line) => line.replaceAll('\0', ' ').trim());
}
