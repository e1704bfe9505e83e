import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { ChartsRequest, ProviderChart } from '../../../contracts/provider-plugin.ts';
import { mirrorHost } from '../../../core/clusters/spec/defaults.ts';
import { CLUSTER_NAMESPACE } from '../../../core/clusters/render/names.ts';
import { splitTag } from '../../../core/clusters/release.ts';
import { EMBEDDED, proxyVariables } from './install-template.ts';
import { BOOT_PORT, METADATA_PORT, WORKFLOW_PORT } from './ports.ts';
import type { TinkerbellDatacenterSpec } from './schema.ts';
import { bootstrapAddress } from './tinkerbell-address.ts';

/** Helm's names of the releases, and where they are, as with EKS Anywhere: its own are taken over. */
const SERVICES = 'tinkerbell';
const DEFINITIONS = 'tinkerbell-crds';

const onControlPlanes = [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }];

/** Tinkerbell's definitions and services, with the settings that EKS Anywhere gives them. Pure. */
export function charts(request: ChartsRequest): ProviderChart[] {
  const definitions: ProviderChart = {
    ...{ chart: 'definitions', name: DEFINITIONS, namespace: CLUSTER_NAMESPACE, values: {} },
    mark: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'hardware.tinkerbell.org' },
    },
  };
  const services: ProviderChart = {
    ...{ chart: 'services', name: SERVICES, namespace: CLUSTER_NAMESPACE, values: servicesValues(request) },
    mark: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: SERVICES, namespace: CLUSTER_NAMESPACE } },
  };
  return [definitions, services];
}

/**
 * On a bootstrap cluster the services have a node's own network and its address; on a management cluster an address of their
 * own, which kube-vip announces, and an interface on the machines' network, where DHCP is heard.
 */
function servicesValues({ spec, place, stack }: ChartsRequest): Record<string, unknown> {
  const datacenter = spec.datacenter.spec as unknown as TinkerbellDatacenterSpec;
  const onHost = place === 'bootstrap';
  const own = onHost ? bootstrapAddress(spec) : undefined;
  const address = own ?? datacenter.tinkerbellIP;
  const { repository, tag } = splitTag(stack.images.services);
  const { loadBalancerInterface: networkInterface = '' } = datacenter;
  return {
    name: SERVICES,
    publicIP: address,
    trustedProxies: [spec.cluster.spec.clusterNetwork.pods.cidrBlocks[0]],
    deployment: {
      ...{ image: repository, imageTag: tag, agentImage: `${EMBEDDED}/tink-worker`, agentImageTag: 'latest' },
      hostNetwork: onHost,
      tolerations: onControlPlanes,
      affinity: preferWorkers,
      init: {
        enabled: !onHost,
        image: stack.images.interface,
        interfaceMode: 'macvlan',
        ...(networkInterface === '' ? {} : { sourceInterface: networkInterface }),
      },
      envs: {
        globals: {
          backend: 'kube',
          backendKubeNamespace: CLUSTER_NAMESPACE,
          // on a node with several addresses it would listen at that of the default route
          ...(own === undefined ? {} : { bindAddr: own }),
          ...enabled,
        },
        smee: bootValues(address, datacenter, { spec, stack }),
        tootles: { bindPort: METADATA_PORT },
        tinkServer: { bindPort: WORKFLOW_PORT },
        tinkController: { enableLeaderElection: true, maxConcurrentReconciles: 5 },
        rufio: { enableLeaderElection: true, maxConcurrentReconciles: 10 },
      },
    },
    service: { type: 'LoadBalancer', loadBalancerIP: address, lbClass: 'kube-vip.io/kube-vip-class' },
    optional: {
      // HookOS comes from hookImagesURLPath
      hookos: { enabled: false },
      kubevip: {
        enabled: !onHost && datacenter.skipLoadBalancerDeployment !== true,
        image: stack.images.loadBalancer,
        tolerations: onControlPlanes,
        additionalEnv: [
          { name: 'prometheus_server', value: ':2213' },
          // services of others are none of its business
          { name: 'lb_class_only', value: 'true' },
        ],
        ...(networkInterface === '' ? {} : { interface: networkInterface }),
      },
    },
  };
}

/** Definitions come with a chart before them, and nobody logs in to consoles. */
const enabled = {
  ...{ enableSmee: true, enableTootles: true, enableTinkServer: true, enableTinkController: true },
  ...{ enableRufioController: true, enableSecondstar: false, enableCRDMigrations: false },
};

const preferWorkers = {
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 1,
        preference: { matchExpressions: [{ key: onControlPlanes[0]!.key, operator: 'DoesNotExist' }] },
      },
    ],
  },
};

/** What boots machines: where it says that it is, and what they boot. */
function bootValues(
  address: string,
  { hookImagesURLPath = '', hookIsoURL = '' }: TinkerbellDatacenterSpec,
  { spec, stack }: Pick<ChartsRequest, 'spec' | 'stack'>,
): Record<string, unknown> {
  return {
    ...{ dhcpEnabled: true, dhcpMode: 'reservation', tftpServerEnabled: true, syslogEnabled: true },
    ...{ dhcpIPForPacket: address, dhcpSyslogIP: address, dhcpTftpIP: address },
    ...{ dhcpIpxeHttpBinaryHost: address, dhcpIpxeHttpBinaryPort: BOOT_PORT },
    ...{ dhcpIpxeHttpScriptHost: address, dhcpIpxeHttpScriptPort: BOOT_PORT, ipxeHttpScriptBindPort: BOOT_PORT },
    ipxeHttpScriptOsieURL: (hookImagesURLPath === '' ? stack.installer.files : hookImagesURLPath).replace(/\/+$/, ''),
    ipxeHttpScriptExtraKernelArgs: kernelArguments(spec),
    ipxeScriptTinkServerAddrPort: `${address}:${WORKFLOW_PORT}`,
    ipxeScriptTinkServerInsecureTLS: true,
    ...{ isoEnabled: true, isoStaticIPAMEnabled: true },
    isoUpstreamURL: hookIsoURL === '' ? stack.installer.iso : hookIsoURL,
  };
}

/** What HookOS needs to know to pull images of actions: they come from the mirror, whose certificate it cannot check. */
function kernelArguments(spec: ClusterSpec): string[] {
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  return [
    ...(mirror === undefined ? [] : [`insecure_registries=${mirrorHost(mirror)}`]),
    ...Object.entries(proxyVariables(spec)).map(([name, value]) => `${name}=${value}`),
  ];
}
