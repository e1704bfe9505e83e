import type { ClusterSpec, KubernetesObject, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { RenderRequest } from '../../../contracts/provider-plugin.ts';
import {
  named,
  renderCluster,
  type Infrastructure,
  type NodeUser,
} from '../../../core/clusters/render/cluster-objects.ts';
import { controlPlaneEndpoint, kubeVipSetup } from '../../../core/clusters/render/kube-vip.ts';
import { mirrorHost } from '../../../core/clusters/spec/defaults.ts';
import { installTemplate } from './install-template.ts';
import { BOOT_PORT } from './ports.ts';
import type { TinkerbellDatacenterSpec, TinkerbellMachineSpec } from './schema.ts';
import { tinkerbellAddresses } from './tinkerbell-address.ts';

export const INFRASTRUCTURE = 'infrastructure.cluster.x-k8s.io/v1beta1';

/** The Cluster API objects of a cluster on bare metal, see renderCluster. Pure; no password is in them. */
export function render(request: RenderRequest): KubernetesObject[] {
  return renderCluster(request, infrastructure(request));
}

function infrastructure(request: RenderRequest): Infrastructure {
  const { spec } = request;
  return {
    cluster: {
      ...named(INFRASTRUCTURE, 'TinkerbellCluster', spec.name, spec),
      spec: { ...controlPlaneEndpoint(spec), ...imageLookup(spec) },
    },
    machineTemplate: { apiVersion: INFRASTRUCTURE, kind: 'TinkerbellMachineTemplate' },
    machineSpec: (machine) => machineSpec(spec, machine as unknown as SpecObject<TinkerbellMachineSpec>),
    users: (machine) => (machine?.spec['users'] as NodeUser[] | undefined) ?? [],
    // Cluster API's provider puts the machine's own id in the place of the word
    kubeletArguments: { 'provider-id': 'PROVIDER_ID', 'read-only-port': '0', 'anonymous-auth': 'false' },
    nodeStartupTimeout: '20m0s',
    localAddresses: tinkerbellAddresses(spec),
    controlPlane: { ...kubeVipSetup(request), certSans: [] },
  };
}

/** Every machine template says what is installed; without this, a default would still name a registry on the Internet. */
function imageLookup({ cluster }: ClusterSpec): object {
  const mirror = cluster.spec.registryMirrorConfiguration;
  return mirror === undefined ? {} : { imageLookupBaseRegistry: mirrorHost(mirror) };
}

function machineSpec(spec: ClusterSpec, machine: SpecObject<TinkerbellMachineSpec>): object {
  const { hardwareAffinity, hardwareSelector = {} } = machine.spec;
  const templateOverride = installTemplate(spec, machine);
  return {
    hardwareAffinity: hardwareAffinity ?? { required: [{ labelSelector: { matchLabels: hardwareSelector } }] },
    bootOptions: bootOptions(spec),
    ...(templateOverride === undefined ? {} : { templateOverride }),
  };
}

function bootOptions(spec: ClusterSpec): object {
  const { isoBoot = false } = spec.datacenter.spec as unknown as TinkerbellDatacenterSpec;
  if (!isoBoot) return { bootMode: 'netboot' };
  // Tinkerbell makes an image for each machine from the one of the datacenter, always under this name
  return { bootMode: 'iso', isoURL: `http://${tinkerbellAddresses(spec)[0]}:${BOOT_PORT}/iso/hook.iso` };
}
