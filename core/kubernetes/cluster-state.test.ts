import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { clusterState, conditionText, type ClusterObjects } from './cluster-state.ts';

type Conditions = Record<string, [status: string, reason: string, message?: string]>;

/** As Cluster API 1.14 writes objects of API v1beta2. */
function object(
  kind: string,
  name: string,
  fields: { spec?: object; status?: object; conditions?: Conditions },
): KubernetesObject {
  const conditions = Object.entries(fields.conditions ?? {}).map(([type, [status, reason, message = '']]) => ({
    type,
    status,
    reason,
    message,
    observedGeneration: 2,
    lastTransitionTime: '2026-11-21T10:00:00Z',
  }));
  const group = kind === 'KubeadmControlPlane' ? 'controlplane.cluster.x-k8s.io' : 'cluster.x-k8s.io';
  return {
    apiVersion: `${group}/v1beta2`,
    kind,
    metadata: { name, namespace: 'default', generation: 2 },
    spec: fields.spec ?? {},
    status: { observedGeneration: 2, conditions, ...fields.status },
  };
}

const replicas = (
  all: number,
  { available = all, upToDate = all, total = all } = {},
): { spec: object; status: object } => ({
  spec: { replicas: all, version: 'v1.31.4' },
  status: { replicas: total, readyReplicas: available, availableReplicas: available, upToDateReplicas: upToDate },
});

function machine(
  name: string,
  role: 'control-plane' | 'worker',
  conditions: Conditions = {},
  version = 'v1.31.4',
): KubernetesObject {
  const made = object('Machine', name, {
    spec: { version },
    status: { phase: 'Running', nodeRef: { name: `node-${name}` }, nodeInfo: { kubeletVersion: version } },
    conditions: { Ready: ['True', 'Ready'], ...conditions },
  });
  const labels = { ...(role === 'control-plane' ? { 'cluster.x-k8s.io/control-plane': '' } : {}) };
  return { ...made, metadata: { ...made.metadata, labels } };
}

function healthy(): ClusterObjects {
  return {
    cluster: object('Cluster', 'prod', {
      status: { phase: 'Provisioned' },
      conditions: { Available: ['True', 'Available'], Paused: ['False', 'NotPaused'] },
    }),
    controlPlane: object('KubeadmControlPlane', 'prod', {
      ...replicas(1),
      conditions: { Available: ['True', 'Available'], ScalingUp: ['False', 'NotScalingUp'] },
    }),
    machineDeployments: [
      object('MachineDeployment', 'prod-md-0', { ...replicas(2), conditions: { Available: ['True', 'Available'] } }),
    ],
    machines: [machine('cp', 'control-plane'), machine('a', 'worker'), machine('b', 'worker')],
  };
}

describe('the state of a cluster', () => {
  it('is ready when all is', () => {
    const state = clusterState(healthy());
    expect(state).toMatchObject({ ready: true, detail: 'control plane 1 of 1 available, workers 2 of 2 available' });
    expect(state.problem).toBeUndefined();
    expect(state.machines[0]).toEqual({
      name: 'cp',
      role: 'control-plane',
      version: 'v1.31.4',
      kubeletVersion: 'v1.31.4',
      node: 'node-cp',
      phase: 'Running',
    });
  });

  it('is not ready while the controllers have not seen the newest specification', () => {
    const objects = healthy();
    objects.controlPlane!.metadata.generation = 3;
    expect(clusterState(objects).ready).toBe(false);
  });

  it('is not ready while an old machine is left, or one is being deleted', () => {
    const rolling = {
      ...healthy(),
      machineDeployments: [object('MachineDeployment', 'prod-md-0', replicas(2, { upToDate: 1, total: 3 }))],
    };
    expect(clusterState(rolling)).toMatchObject({
      ready: false,
      detail: expect.stringContaining('workers 2 of 2 available, 2 still old'),
    });
    const leaving = machine('c', 'worker');
    leaving.metadata.deletionTimestamp = '2026-11-21T10:00:00Z';
    const state = clusterState({ ...healthy(), machines: [...healthy().machines, leaving] });
    expect(state.ready).toBe(false);
    expect(state.machines.at(-1)?.phase).toBe('Deleting');
  });

  it('is not ready before there is a control plane', () => {
    const { cluster } = healthy();
    const state = clusterState({ cluster: { ...cluster, status: {} }, machineDeployments: [], machines: [] });
    expect(state).toMatchObject({ ready: false, detail: 'control plane 0 of 0 available, workers 0 of 0 available' });
  });

  it('names the cause, not what waits for it or sums it up', () => {
    const objects = healthy();
    objects.cluster = object('Cluster', 'prod', {
      conditions: {
        Available: ['False', 'NotAvailable', '* WorkersAvailable:\n  * MachineDeployment prod-md-0: 1 available'],
      },
    });
    objects.machines = [
      machine('a', 'worker', {
        Ready: ['False', 'NotReady', '* BootstrapConfigReady: waiting'],
        BootstrapConfigReady: ['False', 'WaitingForControlPlaneInitialized'],
      }),
      machine('b', 'worker', {
        Ready: ['False', 'NotReady', '* InfrastructureReady: no hardware'],
        NodeHealthy: ['Unknown', 'InspectionFailed', 'Waiting for GenericInfraMachine to report spec.providerID'],
        InfrastructureReady: ['False', 'NotReady', 'no hardware available:\n  selector type=worker'],
      }),
    ];
    const { problem, detail } = clusterState(objects);
    expect(conditionText(problem!)).toBe(
      'Machine default/b: InfrastructureReady is False (NotReady): no hardware available: selector type=worker',
    );
    expect(detail).toContain(conditionText(problem!));
  });

  it("finds the cluster's own trouble behind machines that wait for it", () => {
    const objects = healthy();
    objects.machines = [
      machine('cp', 'control-plane', { InfrastructureReady: ['False', 'WaitingForClusterInfrastructureReady'] }),
    ];
    objects.cluster = object('Cluster', 'prod', {
      conditions: { InfrastructureReady: ['False', 'NotReady', 'no datacenter dc0'] },
    });
    expect(clusterState(objects).problem).toMatchObject({
      object: 'Cluster default/prod',
      message: 'no datacenter dc0',
    });
  });

  it('tells that something is paused, or blocked', () => {
    const objects = healthy();
    objects.cluster = object('Cluster', 'prod', {
      conditions: { Paused: ['True', 'Paused', 'Cluster spec.paused is set to true'] },
    });
    expect(clusterState(objects).problem).toMatchObject({ type: 'Paused' });
    const blocked = 'Scaling up from 0 to 2 replicas is blocked because VSphereMachineTemplate does not exist';
    const scaling = object('MachineDeployment', 'prod-md-0', {
      ...replicas(2, { available: 0 }),
      conditions: { ScalingUp: ['True', 'ScalingUp', blocked] },
    });
    expect(clusterState({ ...healthy(), machineDeployments: [scaling] }).problem).toMatchObject({ message: blocked });
  });
});

/** Moments of a cluster that Cluster API 1.14.0 made and then upgraded on its in-memory provider, without what is not read. */
it('says of recorded objects what a person wants to know', async () => {
  const recorded = new URL('fixtures/recorded-states.json', import.meta.url);
  const moments = JSON.parse(await readFile(recorded, 'utf8')) as KubernetesObject[][];
  const details = moments.map((objects) => {
    const of = (wanted: string): KubernetesObject[] => objects.filter(({ kind }) => kind === wanted);
    const [cluster] = of('Cluster');
    const [controlPlane] = of('KubeadmControlPlane');
    const others = { machineDeployments: of('MachineDeployment'), machines: of('Machine') };
    const { ready, detail } = clusterState({ cluster: cluster!, controlPlane: controlPlane!, ...others });
    return `${ready ? 'ready: ' : ''}${detail}`;
  });
  expect(details).toMatchInlineSnapshot(`
    [
      "control plane 0 of 1 available, workers 0 of 1 available; Machine lab/rec-8dflx: InfrastructureReady is False (NotReady): * VMProvisioned: WaitingForStartupTimeout * NodeProvisioned: WaitingForVMProvisioned * EtcdProvisioned: WaitingForVMProvisioned * APIServerProvisioned: WaitingForVMProvisioned",
      "control plane 0 of 1 available, workers 0 of 1 available; Machine lab/rec-md-0-g8v4b-xmfpd: InfrastructureReady is False (NotReady): DevMachine status.initialization.provisioned is false",
      "control plane 1 of 1 available, workers 1 of 1 available; Cluster lab/rec: Available is False (NotAvailable): * WorkersAvailable: * MachineDeployment rec-md-0: 0 available replicas, at least 1 required (spec.strategy.rollout.maxUnavailable is 0, spec.replicas is 1)",
      "control plane 1 of 1 available, 1 still old, workers 1 of 1 available; Machine lab/rec-8dflx: UpToDate is False (NotUpToDate): * Version v1.34.6, v1.35.4 required",
      "control plane 1 of 1 available, 1 still old, workers 1 of 1 available; Machine lab/rec-6fpd8: NodeKubeadmLabelsAndTaintsSet is Unknown (InspectionFailed): Waiting for DevMachine to report spec.providerID",
      "control plane 1 of 1 available, 1 still old, workers 1 of 1 available, 1 still old; Machine lab/rec-8dflx: Deleting is True (WaitingForPreTerminateHook): Waiting for pre-terminate hooks to succeed (hooks: pre-terminate.delete.hook.machine.cluster.x-k8s.io/kcp-cleanup)",
      "control plane 1 of 1 available, 1 still old, workers 1 of 1 available, 1 still old; KubeadmControlPlane lab/rec: EtcdClusterHealthy is False (NotHealthy): * Machine rec-8dflx: * EtcdMemberHealthy: Etcd doesn't have an etcd member for Node rec-8dflx",
      "ready: control plane 1 of 1 available, workers 1 of 1 available",
    ]
  `);
});
