import type { KubernetesObject } from '../../contracts/cluster-spec.ts';

export interface PlainCluster {
  namespace: string;
  name: string;
  /** e.g. `v1.35.4` */
  version: string;
  controlPlanes: number;
  workers: number;
}

/** A cluster on the in-memory provider without a ClusterClass: its machines are there in a second. */
export function plainCluster({ namespace, name, version, controlPlanes, workers }: PlainCluster): KubernetesObject[] {
  const object = (group: string, kind: string, suffix: string, spec: object): KubernetesObject => ({
    apiVersion: `${group}cluster.x-k8s.io/v1beta2`,
    kind,
    metadata: { namespace, name: name + suffix },
    spec,
  });
  const reference = (group: string, kind: string, suffix = ''): object => ({
    apiGroup: `${group}cluster.x-k8s.io`,
    kind,
    name: name + suffix,
  });
  const nodeRegistration = { criSocket: 'unix:///var/run/containerd/containerd.sock' };
  const kubeadm = { initConfiguration: { nodeRegistration }, joinConfiguration: { nodeRegistration } };
  const labels = { 'cluster.x-k8s.io/cluster-name': name, 'cluster.x-k8s.io/deployment-name': `${name}-md-0` };
  return [
    object('', 'Cluster', '', {
      clusterNetwork: { pods: { cidrBlocks: ['192.168.0.0/16'] }, services: { cidrBlocks: ['10.96.0.0/12'] } },
      controlPlaneRef: reference('controlplane.', 'KubeadmControlPlane'),
      infrastructureRef: reference('infrastructure.', 'DevCluster'),
    }),
    devCluster(object('infrastructure.', 'DevCluster', '', { backend: { inMemory: {} } })),
    object('infrastructure.', 'DevMachineTemplate', '', machineTemplate()),
    object('controlplane.', 'KubeadmControlPlane', '', {
      version,
      replicas: controlPlanes,
      machineTemplate: { spec: { infrastructureRef: reference('infrastructure.', 'DevMachineTemplate') } },
      kubeadmConfigSpec: kubeadm,
    }),
    object('bootstrap.', 'KubeadmConfigTemplate', '', {
      template: { spec: { joinConfiguration: { nodeRegistration } } },
    }),
    object('', 'MachineDeployment', '-md-0', {
      clusterName: name,
      replicas: workers,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          clusterName: name,
          version,
          bootstrap: { configRef: reference('bootstrap.', 'KubeadmConfigTemplate') },
          infrastructureRef: reference('infrastructure.', 'DevMachineTemplate'),
        },
      },
    }),
  ];
}

/** Its controller writes into the map of annotations, and panics where there is none (Cluster API 1.14.0). */
function devCluster(object: KubernetesObject): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, annotations: { 'sealift.dev/lab': '' } } };
}

function machineTemplate(): object {
  const soon = { provisioning: { startupDuration: '1s' } };
  return { template: { spec: { backend: { inMemory: { vm: soon, node: soon, apiServer: soon, etcd: soon } } } } };
}
