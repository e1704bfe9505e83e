import type {
  ClusterSpec,
  KubernetesObject,
  SpecObject,
  Taint,
  WorkerNodeGroup,
} from '../../../contracts/cluster-spec.ts';
import type { RenderRequest } from '../../../contracts/provider-plugin.ts';
import { countOfGroup, nameOfGroup } from '../spec/defaults.ts';
import type { MachineHost } from '../spec/rules/machine-rules.ts';
import { minorOf } from '../spec/syntax.ts';
import { healthChecks } from './health-checks.ts';
import { controlPlaneSettings, flags, kubeletSettings, type KubeletSettings } from './kubeadm-settings.ts';
import { mirroredImages, type NodeFile } from './mirror.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE, capiVersions, contractReference, templateObject } from './names.ts';
import { nodeSetup } from './node-setup.ts';

/** As EKS Anywhere: room for one machine more while control planes are replaced one by one. */
const MAX_SURGE = 1;

export interface NodeUser {
  name: string;
  sshAuthorizedKeys?: string[];
}

export type MachineRole = 'control-plane' | 'worker';

/** What a provider adds to the objects that every cluster has. */
export interface Infrastructure {
  /** the object that stands for the cluster's infrastructure */
  cluster: KubernetesObject;
  machineTemplate: { apiVersion: string; kind: string };
  /** `spec.template.spec` of a machine template; workers have a group */
  machineSpec(machine: SpecObject | undefined, role: MachineRole, group?: WorkerNodeGroup): object;
  users(machine: SpecObject | undefined): NodeUser[];
  /** names of the kubelet's flags without the dashes, and their values */
  kubeletArguments: Record<string, string>;
  /** names of kube-controller-manager's flags without the dashes, and their values */
  controllerManagerArguments?: Record<string, string>;
  /** name of a node for kubeadm; a template that cloud-init fills in */
  nodeName?: string;
  /** what every node does before kubeadm, after registry and proxy are set up */
  preKubeadmCommands?: readonly string[];
  /** how long a machine's node may take to come until the machine is replaced, e.g. `10m0s`; no check of it when absent */
  nodeStartupTimeout?: string;
  /** addresses that nodes reach without a proxy */
  localAddresses: readonly string[];
  controlPlane: { files: NodeFile[]; preKubeadmCommands: string[]; certSans: readonly string[] };
}

/**
 * The Cluster API objects of a cluster (v1beta2): Cluster, infrastructure, KubeadmControlPlane with its machine template,
 * for each worker group a MachineDeployment with its two templates, and what replaces machines that fail. Pure: the same request gives the same objects.
 *
 * @see the books of Cluster API and of EKS Anywhere; docs/providers.md compares field by field
 */
export function renderCluster(request: RenderRequest, infrastructure: Infrastructure): KubernetesObject[] {
  const { spec } = request;
  const controlPlane = renderControlPlane(request, infrastructure);
  const workers = (spec.cluster.spec.workerNodeGroupConfigurations ?? []).flatMap((group, index) =>
    renderWorkers(request, infrastructure, group, nameOfGroup(group, index) ?? `group-${index}`),
  );
  const { clusterNetwork } = spec.cluster.spec;
  const cluster: KubernetesObject = {
    ...named(capiVersions.cluster, 'Cluster', spec.name, spec),
    spec: {
      clusterNetwork: { pods: clusterNetwork.pods, services: clusterNetwork.services },
      controlPlaneRef: contractReference(controlPlane.at(-1)!),
      infrastructureRef: contractReference(infrastructure.cluster),
    },
  };
  const checks = healthChecks(spec, infrastructure.nodeStartupTimeout);
  return [cluster, infrastructure.cluster, ...controlPlane, ...workers, ...checks].map((object) =>
    ofCluster(object, spec),
  );
}

/** By its label an object is found that no controller has seen yet. */
function ofCluster(object: KubernetesObject, { name }: ClusterSpec): KubernetesObject {
  const labels = { ...object.metadata.labels, [CLUSTER_NAME_LABEL]: name };
  return { ...object, metadata: { ...object.metadata, labels } };
}

/** Metadata of an object that belongs to a cluster. */
export function named(apiVersion: string, kind: string, name: string, spec: ClusterSpec): KubernetesObject {
  const labels = { [CLUSTER_NAME_LABEL]: spec.name };
  return { apiVersion, kind, metadata: { name, namespace: CLUSTER_NAMESPACE, labels } };
}

function renderControlPlane(request: RenderRequest, infrastructure: Infrastructure): KubernetesObject[] {
  const { spec } = request;
  const { controlPlaneConfiguration: configuration } = spec.cluster.spec;
  const machine = machineOf(spec, configuration.machineGroupRef?.name);
  const machineSpec = infrastructure.machineSpec(machine, 'control-plane');
  const template = machineTemplate(infrastructure, `${spec.name}-control-plane`, machineSpec);
  const images = mirroredImages(request.images, spec.cluster.spec.registryMirrorConfiguration);
  const kubelet = kubeletSettings(spec, configuration.kubeletConfiguration, infrastructure.kubeletArguments);
  const registration = nodeRegistration(infrastructure, kubelet, controlPlaneMarks(spec));
  const { files, preKubeadmCommands } = nodeSetup(spec, infrastructure.localAddresses);
  const own = infrastructure.controlPlane;
  const settings = controlPlaneSettings(spec, infrastructure.controllerManagerArguments);
  const certSANs = [...(configuration.certSans ?? []), ...own.certSans];
  const kubeadm = {
    clusterConfiguration: {
      imageRepository: images.kubernetesRepository,
      etcd: { local: { imageRepository: parent(images.etcd.repository), imageTag: images.etcd.tag } },
      dns: { imageRepository: parent(images.coreDns.repository), imageTag: images.coreDns.tag },
      apiServer: { ...settings.apiServer, ...nonEmpty('certSANs', certSANs) },
      controllerManager: settings.controllerManager,
      scheduler: settings.scheduler,
    },
    initConfiguration: { nodeRegistration: registration, ...kubelet.patches },
    joinConfiguration: { nodeRegistration: registration, ...kubelet.patches },
    ...nonEmpty('files', [...files, ...kubelet.files, ...settings.files, ...own.files]),
    ...nonEmpty('preKubeadmCommands', [
      ...preKubeadmCommands,
      ...(infrastructure.preKubeadmCommands ?? []),
      ...own.preKubeadmCommands,
    ]),
    ...nonEmpty('users', nodeUsers(infrastructure, machine)),
    ...timeServers(machine),
  };
  const maxSurge = configuration.upgradeRolloutStrategy?.rollingUpdate?.maxSurge ?? MAX_SURGE;
  return [
    template,
    {
      ...named(capiVersions.controlPlane, 'KubeadmControlPlane', spec.name, spec),
      spec: {
        replicas: configuration.count,
        version: request.kubernetesVersion,
        rollout: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge } } },
        machineTemplate: { spec: { infrastructureRef: contractReference(template) } },
        kubeadmConfigSpec: kubeadm,
      },
    },
  ];
}

function renderWorkers(
  request: RenderRequest,
  infrastructure: Infrastructure,
  group: WorkerNodeGroup,
  groupName: string,
): KubernetesObject[] {
  const { spec } = request;
  const name = `${spec.name}-${groupName}`;
  const machine = machineOf(spec, group.machineGroupRef?.name);
  const template = machineTemplate(infrastructure, name, infrastructure.machineSpec(machine, 'worker', group));
  const { files, preKubeadmCommands } = nodeSetup(spec, infrastructure.localAddresses);
  const kubelet = kubeletSettings(spec, group.kubeletConfiguration, infrastructure.kubeletArguments);
  const bootstrap = templateObject(capiVersions.bootstrap, 'KubeadmConfigTemplate', name, {
    joinConfiguration: { nodeRegistration: nodeRegistration(infrastructure, kubelet, group), ...kubelet.patches },
    ...nonEmpty('files', [...files, ...kubelet.files]),
    ...nonEmpty('preKubeadmCommands', [...preKubeadmCommands, ...(infrastructure.preKubeadmCommands ?? [])]),
    ...nonEmpty('users', nodeUsers(infrastructure, machine)),
    ...timeServers(machine),
  });
  const labels = { [CLUSTER_NAME_LABEL]: spec.name, 'cluster.x-k8s.io/deployment-name': name };
  const rolling = group.upgradeRolloutStrategy?.rollingUpdate;
  const deployment = named(capiVersions.cluster, 'MachineDeployment', name, spec);
  const version = workerVersion(request, group);
  return [
    template,
    bootstrap,
    {
      ...deployment,
      metadata: { ...deployment.metadata, ...annotations(group, isOlder(version, request.kubernetesVersion)) },
      spec: {
        clusterName: spec.name,
        // with autoscaling the number is the autoscaler's to change
        ...(group.autoscalingConfiguration === undefined ? { replicas: countOfGroup(group) } : {}),
        rollout: {
          strategy: {
            type: 'RollingUpdate',
            rollingUpdate: { maxSurge: rolling?.maxSurge ?? MAX_SURGE, maxUnavailable: rolling?.maxUnavailable ?? 0 },
          },
        },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            clusterName: spec.name,
            version,
            bootstrap: { configRef: contractReference(bootstrap) },
            infrastructureRef: contractReference(template),
          },
        },
      },
    },
  ];
}

function machineTemplate(
  { machineTemplate: { apiVersion, kind } }: Infrastructure,
  base: string,
  spec: object,
): KubernetesObject {
  return templateObject(apiVersion, kind, base, spec);
}

function machineOf(spec: ClusterSpec, name: string | undefined): SpecObject | undefined {
  return name === undefined ? undefined : spec.machines[name];
}

/** Without workers, pods have no other place than the control plane: kubeadm's taint would keep them away. */
function controlPlaneMarks({ cluster }: ClusterSpec): { taints?: Taint[]; labels?: Record<string, string> } {
  const { controlPlaneConfiguration, workerNodeGroupConfigurations = [] } = cluster.spec;
  const { taints = workerNodeGroupConfigurations.length === 0 ? [] : undefined, labels } = controlPlaneConfiguration;
  return { ...(taints === undefined ? {} : { taints }), ...(labels === undefined ? {} : { labels }) };
}

function nodeRegistration(
  { nodeName }: Infrastructure,
  kubelet: KubeletSettings,
  { taints, labels }: { taints?: Taint[]; labels?: Record<string, string> },
): object {
  const nodeLabels = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const all = { ...kubelet.arguments, ...(nodeLabels.length === 0 ? {} : { 'node-labels': nodeLabels.join(',') }) };
  return {
    criSocket: 'unix:///var/run/containerd/containerd.sock',
    ...nonEmpty('kubeletExtraArgs', flags(all)),
    ...(nodeName === undefined ? {} : { name: nodeName }),
    ...(taints === undefined ? {} : { taints }),
  };
}

function timeServers(machine: SpecObject | undefined): object {
  const { hostOSConfiguration } = (machine?.spec ?? {}) as MachineHost;
  const servers = hostOSConfiguration?.ntpConfiguration?.servers;
  return servers === undefined ? {} : { ntp: { enabled: true, servers } };
}

function nodeUsers({ users }: Infrastructure, machine: SpecObject | undefined): object[] {
  return users(machine).map(({ name, sshAuthorizedKeys = [] }) => ({
    name,
    sudo: 'ALL=(ALL) NOPASSWD:ALL',
    ...nonEmpty('sshAuthorizedKeys', sshAuthorizedKeys),
  }));
}

/** Validation has seen to it that the bundle has the version. */
function workerVersion(request: RenderRequest, { kubernetesVersion }: WorkerNodeGroup): string {
  const { cluster } = request.spec;
  if (kubernetesVersion === undefined || kubernetesVersion === cluster.spec.kubernetesVersion) {
    return request.kubernetesVersion;
  }
  return request.workerVersions?.[kubernetesVersion] ?? request.kubernetesVersion;
}

function isOlder(version: string, controlPlane: string): boolean {
  return minorOf(version) !== minorOf(controlPlane);
}

function annotations(
  { autoscalingConfiguration }: WorkerNodeGroup,
  isOlder: boolean,
): { annotations?: Record<string, string> } {
  const autoscaler = 'cluster.x-k8s.io/cluster-api-autoscaler-node-group';
  const all = {
    ...(autoscalingConfiguration === undefined
      ? {}
      : {
          [`${autoscaler}-min-size`]: String(autoscalingConfiguration.minCount),
          [`${autoscaler}-max-size`]: String(autoscalingConfiguration.maxCount),
        }),
    // Cluster API makes no machine whose kubeadm is older than the control plane's, unless it is told to
    ...(isOlder ? { 'machineset.cluster.x-k8s.io/skip-preflight-checks': 'KubeadmVersionSkew' } : {}),
  };
  return Object.keys(all).length === 0 ? {} : { annotations: all };
}

function nonEmpty<T>(key: string, values: readonly T[]): Record<string, readonly T[]> {
  return values.length === 0 ? {} : { [key]: values };
}

// kubeadm adds `/etcd` and `/coredns` itself
function parent(repository: string): string {
  return repository.replace(/\/[^/]+$/, '');
}
