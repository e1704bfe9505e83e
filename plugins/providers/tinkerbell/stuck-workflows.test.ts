import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awaitCluster } from '../../../core/clusters/await.ts';
import { CLUSTER_NAMESPACE, CLUSTER_NAME_LABEL, capiVersions } from '../../../core/clusters/render/names.ts';
import { openCluster } from '../../../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../../../core/kubernetes/cluster.ts';
import {
  kubeApiserverUnavailable,
  startKubeApiserver,
  type KubeApiserver,
} from '../../../test/helpers/kube-apiserver.ts';
import { looseDefinition } from '../../../test/helpers/loose-definition.ts';
import { stuckWorkflows } from './stuck-workflows.ts';

const unavailable = await kubeApiserverUnavailable();
if (unavailable !== undefined) console.warn(`workflows that failed not tested: ${unavailable}`);

const machineKind = { apiVersion: capiVersions.cluster, kind: 'Machine' };
const object = (kind: { apiVersion: string; kind: string }, name: string) => ({
  ...kind,
  metadata: { name, namespace: CLUSTER_NAMESPACE, labels: { [CLUSTER_NAME_LABEL]: 'prod' } },
});

describe.skipIf(unavailable !== undefined)('machines that Tinkerbell could not install', () => {
  let server: KubeApiserver;
  let cluster: Cluster;

  beforeAll(async () => {
    server = await startKubeApiserver();
    cluster = await openCluster(server.kubeconfig);
    await cluster.applyAll([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CLUSTER_NAMESPACE } },
      looseDefinition({ apiVersion: capiVersions.cluster, kind: 'Cluster' }, 'clusters'),
      looseDefinition({ apiVersion: capiVersions.cluster, kind: 'MachineDeployment' }, 'machinedeployments'),
      looseDefinition({ apiVersion: capiVersions.controlPlane, kind: 'KubeadmControlPlane' }, 'kubeadmcontrolplanes'),
      looseDefinition(machineKind, 'machines'),
      looseDefinition(stuckWorkflows.kind, 'workflows'),
    ]);
    await cluster.applyAll([
      object({ apiVersion: capiVersions.cluster, kind: 'Cluster' }, 'prod'),
      ...['prod-md-0-abc', 'prod-cp-abc'].map((name) => object(machineKind, name)),
      ...['prod-md-0-abc', 'prod-cp-abc', 'another-abc'].map((name) => object(stuckWorkflows.kind, name)),
    ]);
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    await server.stop();
  });

  const become = (name: string, status: object): Promise<void> =>
    cluster.patch(object(stuckWorkflows.kind, name), { status }, 'status');
  const waiting = (): Promise<void> =>
    awaitCluster(
      {
        ...{ spec: { name: 'prod' }, machines: 2, stuck: stuckWorkflows, report: () => undefined },
        ...{ timeouts: { controlPlane: 1, perMachine: 0 }, signal: new AbortController().signal },
      },
      cluster,
    );

  it('are waited for as long as nothing failed that is theirs', async () => {
    await become('prod-cp-abc', { state: 'RUNNING' });
    await become('another-abc', { state: 'FAILED' });
    await expect(waiting()).rejects.toThrow('not ready after');
  });

  it('end the wait with what failed, and what to do', async () => {
    const conditions = [
      { type: 'AllowNetbootTrue', status: 'True' },
      { type: 'BootJobFailed', status: 'True', message: 'job failed' },
    ];
    await become('prod-md-0-abc', { state: 'FAILED', conditions });
    await expect(waiting()).rejects.toMatchObject({
      type: 'ClusterNotReady',
      problem: {
        side: 'cluster',
        subject: 'Workflow prod-md-0-abc',
        message: expect.stringMatching(/does not try again: BootJobFailed: job failed$/),
        remedy: expect.stringContaining('delete machines.cluster.x-k8s.io -n eksa-system prod-md-0-abc'),
      },
    });
    const actions = [
      { name: 'stream image', state: 'SUCCESS' },
      { name: 'write network config', state: 'TIMEOUT', message: 'no answer' },
    ];
    await become('prod-md-0-abc', { state: 'TIMEOUT', conditions: [], tasks: [{ actions }] });
    await expect(waiting()).rejects.toThrow('action "write network config" timeout: no answer');
  });

  it('are waited for again once their Machine is on its way out', async () => {
    const machine = object(machineKind, 'prod-md-0-abc');
    await cluster.patch(machine, { metadata: { finalizers: ['example.com/slow'] } });
    await cluster.delete(machine);
    await expect(waiting()).rejects.toThrow('not ready after');
  });
});
