import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterSpec, KubernetesObject } from '../contracts/cluster-spec.ts';
import { refuseLeftovers, refuseNeeded, resumeForDeletion } from '../core/clusters/delete-checks.ts';
import { removeKeptSpec } from '../core/clusters/delete-spec.ts';
import { clusterObjects, deleteCluster } from '../core/clusters/delete.ts';
import { specDefinitions, specObjects } from '../core/clusters/definitions.ts';
import { findOwner } from '../core/clusters/find-owner.ts';
import { listClusters } from '../core/clusters/list-clusters.ts';
import { readKeptSpec } from '../core/clusters/read-kept-spec.ts';
import { readClusterSpec } from '../core/clusters/spec/read-spec.ts';
import { pauseAll } from '../core/gitops/pause.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { inMemory } from '../plugins/providers/in-memory/index.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from './helpers/kube-apiserver.ts';

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`nothing is deleted on a real API server: ${why}`);

const namespace = 'eksa-system';
const version = 'cluster.x-k8s.io/v1beta2';
const label = (name: string): Record<string, string> => ({ 'cluster.x-k8s.io/cluster-name': name });

/** A kind of Cluster API as `clusterctl init` brings it, without a controller behind it. */
function definition(kind: string, group = 'cluster.x-k8s.io'): KubernetesObject {
  const plural = `${kind.toLowerCase()}s`;
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, labels: { 'clusterctl.cluster.x-k8s.io': '' } },
    spec: {
      group,
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: [{ name: 'v1beta2', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}

function object(kind: string, name: string, more: object = {}, apiVersion = version): KubernetesObject {
  return { apiVersion, kind, metadata: { name, namespace, ...more } };
}

function specOf(name: string, manager: string, edit: (text: string) => string = String): ClusterSpec {
  const text = inMemory.specTemplate(name).replace(/(managementCluster:\n +name: ).*/, `$1${manager}`);
  const { spec, findings } = readClusterSpec(`${name}.yaml`, Buffer.from(edit(text)), [inMemory]);
  expect(findings.filter(({ status }) => status === 'problem')).toEqual([]);
  return spec!;
}

describe.skipIf(why !== undefined)('deleting on a real API server', () => {
  let api: KubeApiserver;
  let cluster: Cluster;
  const reports: string[] = [];
  const request = (name: string, seconds: number): Parameters<typeof deleteCluster>[0] => ({
    name,
    timeouts: { controlPlane: seconds, perMachine: 0 },
    report: ({ machines, of, detail }) => reports.push(`${machines} of ${of}: ${detail}`),
    signal: new AbortController().signal,
  });

  beforeAll(async () => {
    api = await startKubeApiserver();
    cluster = await openCluster(api.kubeconfig);
    expect(await listClusters(cluster, [inMemory])).toEqual([]);
    expect(await clusterObjects('one', cluster)).toEqual([]);
    expect(await findOwner('one', undefined, cluster)).toBe('nobody');
    await cluster.applyAll([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      ...['Cluster', 'Machine', 'MachineDeployment'].map((kind) => definition(kind)),
      definition('KubeadmControlPlane', 'controlplane.cluster.x-k8s.io'),
      definition('DevMachineTemplate', 'infrastructure.cluster.x-k8s.io'),
      ...specDefinitions([inMemory], '0.0.0'),
    ]);
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await api?.stop();
  });

  it('says which machines are left and what keeps them, and goes on where it was', async () => {
    const finalizers = ['test/keeps-it'];
    await cluster.applyAll([
      object('Cluster', 'kept'),
      object('Machine', 'kept-a', { labels: label('kept'), finalizers }),
      object('Machine', 'other-a', { labels: label('other') }),
    ]);
    await cluster.delete(object('Machine', 'kept-a'));
    await expect(deleteCluster(request('kept', 5), cluster)).rejects.toThrow(
      /1 machine left: kept-a; Machine eksa-system\/kept-a waits for test\/keeps-it/s,
    );
    const going = deleteCluster(request('kept', 60), cluster);
    await expect.poll(() => reports.at(-1)).toContain('1 of 1: 1 machine left: kept-a');
    await cluster.patch(object('Machine', 'kept-a'), { metadata: { finalizers: null } });
    await going;
    expect(await clusterObjects('kept', cluster)).toEqual([]);
    expect(await cluster.get(object('Machine', 'other-a'))).toBeDefined();
    await deleteCluster(request('other', 60), cluster);
  });

  it('deletes what no controller has seen, and secrets', async () => {
    const template = object(
      'DevMachineTemplate',
      'bare-0',
      { labels: label('bare') },
      'infrastructure.cluster.x-k8s.io/v1beta2',
    );
    const secret = object('Secret', 'bare-ca', { labels: label('bare') }, 'v1');
    const strange = object('Secret', 'strange', {}, 'v1');
    await cluster.applyAll([template, secret, strange]);
    await deleteCluster(request('bare', 60), cluster);
    expect(await Promise.all([template, secret, strange].map((one) => cluster.get(one)))).toEqual([
      undefined,
      undefined,
      expect.anything(),
    ]);
  });

  it('asks the infrastructure what is left, there where the cluster was', async () => {
    const left = {
      id: 'hardware',
      status: 'problem',
      subject: 'Hardware one',
      message: 'claimed',
      remedy: 'look',
    } as const;
    const provider: typeof inMemory = {
      ...inMemory,
      postDelete: async (spec, _context, management) =>
        (await management?.get(object('Cluster', spec.name))) === undefined ? [] : [left],
    };
    const spec = specOf('asked', 'mgmt');
    const context = {
      ...{ env: {}, scratch: '/nowhere', alive: () => undefined, warn: () => undefined },
      run: () => Promise.reject(new Error('nothing is run')),
    };
    await cluster.apply(object('Cluster', 'asked'));
    await expect(refuseLeftovers(provider, spec, context, cluster)).rejects.toThrow('Hardware one');
    await cluster.delete(object('Cluster', 'asked'));
    await refuseLeftovers(provider, spec, context, cluster);
  });

  it('resumes what Sealift has paused, and asks about what somebody else has', async () => {
    const paused = object('Cluster', 'paused');
    await cluster.apply({ ...paused, spec: {} });
    await pauseAll(cluster, [{ object: paused, means: 'cluster-api' }], 'cluster/paused');
    expect(await findOwner('paused', cluster, undefined)).toBe('bootstrap');
    await resumeForDeletion('paused', cluster);
    expect((await cluster.get(paused))?.['spec']).toEqual({});
    await cluster.patch(paused, { spec: { paused: true } });
    await expect(resumeForDeletion('paused', cluster)).rejects.toThrow(/paused at .* and not by this operation/);
    expect(await listClusters(cluster, [inMemory])).toMatchObject([{ name: 'paused', paused: true }]);
    await cluster.delete(paused);
  });

  it('reads back what is kept, and removes it but for what others refer to', async () => {
    const fleet = {
      apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1',
      kind: 'FluxConfig',
      metadata: { name: 'fleet' },
    };
    const shared = (text: string): string =>
      `${text.replace('  datacenterRef:', '  gitOpsRef:\n    kind: FluxConfig\n    name: fleet\n  datacenterRef:')}---\n${stringify({ ...fleet, spec: { git: { repositoryUrl: 'https://example.com/fleet.git' } } })}`;
    const mgmt = specOf('mgmt', 'mgmt', shared);
    const one = specOf('one', 'mgmt', shared);
    // its specification leaves the role to --kubeconfig
    const two = specOf('two', 'two', (text) => text.replace(/ {2}managementCluster:\n.*\n/, ''));
    await cluster.applyAll([mgmt, one, { ...two, role: 'workload' as const }].flatMap(specObjects));
    const inDefault = { namespace: 'default' };
    expect(await readKeptSpec('one', cluster, [inMemory])).toMatchObject({
      ...{ name: 'one', role: 'workload', managementCluster: 'mgmt', provider: 'in-memory', ...inDefault },
      gitOps: { spec: mgmt.gitOps!.spec },
      machines: { one: { spec: one.machines['one']!.spec } },
    });
    expect(await readKeptSpec('two', cluster, [inMemory])).toMatchObject({ role: 'workload' });
    expect(await readKeptSpec('three', cluster, [inMemory])).toBeUndefined();
    await expect(refuseNeeded('mgmt', cluster)).rejects.toThrow(/2 items failed/);
    const nothing = { machines: { ready: 0, desired: 0 }, paused: false, problem: 'nothing of it is made' };
    expect(await listClusters(cluster, [inMemory])).toEqual(
      ['mgmt', 'one', 'two'].map((name) => ({
        ...{
          name,
          role: name === 'mgmt' ? 'management' : 'workload',
          provider: 'in-memory',
          kubernetesVersion: '1.35',
        },
        ...nothing,
      })),
    );
    for (const name of ['one', 'two', 'two']) await removeKeptSpec(name, cluster);
    const left = async (kind: string): Promise<string[]> =>
      (await cluster.list({ apiVersion: fleet.apiVersion, kind })).map(({ metadata }) => metadata.name);
    expect(await left('Cluster')).toEqual(['mgmt']);
    expect(await left('InMemoryMachineConfig')).toEqual(['mgmt']);
    expect(await left('FluxConfig')).toEqual(['fleet']);
    await refuseNeeded('mgmt', cluster);
  });
});
