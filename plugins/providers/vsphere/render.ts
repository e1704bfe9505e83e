import type { ClusterSpec, KubernetesObject, SpecObject, WorkerNodeGroup } from '../../../contracts/cluster-spec.ts';
import type { RenderRequest } from '../../../contracts/provider-plugin.ts';
import {
  named,
  renderCluster,
  type Infrastructure,
  type NodeUser,
} from '../../../core/clusters/render/cluster-objects.ts';
import { controlPlaneEndpoint, kubeVipSetup } from '../../../core/clusters/render/kube-vip.ts';
import { mirroredReference } from '../../../core/clusters/render/mirror.ts';
import { cloudProviderObjects } from './cloud-provider.ts';
import { credentialsName } from './credentials.ts';
import { machineDefaults } from './placements.ts';
import type { VSphereMachineSpec } from './schema.ts';
import { datacenterOf, splitServer, vcenterOf } from './vcenter.ts';

const INFRASTRUCTURE = 'infrastructure.cluster.x-k8s.io/v1beta2';
/** Filled in by cloud-init: the name that Cluster API gave the virtual machine. */
const HOST_NAME = '{{ ds.meta_data.hostname }}';

/** The name in vCenter is the name of the node; cloud-init of some images leaves the template's. */
const useHostName = [
  `hostname "${HOST_NAME}"`,
  `echo "${HOST_NAME}" >/etc/hostname`,
  'echo "::1 ipv6-localhost ipv6-loopback" >/etc/hosts',
  `echo "127.0.0.1 localhost ${HOST_NAME}" >>/etc/hosts`,
];

/** The objects of a cluster on vSphere, for Cluster API's provider of v1beta2. Pure; no password is in them. */
export function render(request: RenderRequest): KubernetesObject[] {
  const { spec, images } = request;
  const { registryMirrorConfiguration: mirror } = spec.cluster.spec;
  const cloudProvider =
    images.cloudProvider === undefined
      ? []
      : cloudProviderObjects(spec, mirroredReference(images.cloudProvider, mirror));
  return [...renderCluster(request, infrastructure(request)), ...cloudProvider];
}

function infrastructure(request: RenderRequest): Infrastructure {
  const { spec } = request;
  const { server } = vcenterOf(spec);
  return {
    cluster: {
      ...named(INFRASTRUCTURE, 'VSphereCluster', spec.name, spec),
      spec: {
        ...controlPlaneEndpoint(spec),
        identityRef: { kind: 'Secret', name: credentialsName(spec) },
        ...vcenter(spec),
      },
    },
    machineTemplate: { apiVersion: INFRASTRUCTURE, kind: 'VSphereMachineTemplate' },
    machineSpec: (machine, _role, group) => machineSpec(spec, machine, group),
    users: (machine) => (machine?.spec['users'] as NodeUser[] | undefined) ?? [],
    kubeletArguments: { 'cloud-provider': 'external', 'read-only-port': '0', 'anonymous-auth': 'false' },
    controllerManagerArguments: { 'cloud-provider': 'external' },
    nodeName: HOST_NAME,
    preKubeadmCommands: useHostName,
    nodeStartupTimeout: '10m0s',
    localAddresses: [splitServer(server).host],
    controlPlane: { ...kubeVipSetup(request), certSans: [] },
  };
}

function machineSpec(spec: ClusterSpec, machine: SpecObject | undefined, group: WorkerNodeGroup | undefined): object {
  const { datacenter, network, failureDomains = [] } = datacenterOf(spec);
  const wanted = { ...machineDefaults, ...(machine?.spec as unknown as VSphereMachineSpec) };
  // a worker group is in one failure domain, which says where all of its machines go
  const domain = failureDomains.find(({ name }) => name === group?.failureDomains?.[0]);
  const { datastore, folder, resourcePool } = domain ?? wanted;
  const networks = domain === undefined ? (wanted.networks ?? [network]) : [domain.network];
  return {
    cloneMode: wanted.cloneMode,
    datacenter,
    datastore,
    diskGiB: wanted.diskGiB,
    ...(folder === undefined || folder === '' ? {} : { folder }),
    memoryMiB: wanted.memoryMiB,
    network: { devices: networks.map((networkName) => ({ dhcp4: true, networkName })) },
    numCPUs: wanted.numCPUs,
    os: 'Linux',
    powerOffMode: 'trySoft',
    resourcePool,
    ...(wanted.storagePolicyName === undefined ? {} : { storagePolicyName: wanted.storagePolicyName }),
    ...(wanted.tags === undefined ? {} : { tagIDs: wanted.tags }),
    template: wanted.template,
    ...vcenter(spec),
  };
}

/** Without a thumbprint Cluster API's provider does not look at the certificate at all. */
function vcenter(spec: ClusterSpec): { server: string; thumbprint?: string } {
  const { server, thumbprint } = vcenterOf(spec);
  return { server, ...(thumbprint === '' ? {} : { thumbprint }) };
}
