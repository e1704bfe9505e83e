import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { installChart, isInstalled, type Chart, type ChartInstallation } from './charts.ts';
import { CLUSTER_NAMESPACE } from './render/names.ts';
import { splitTag, type CiliumRelease, type ClusterRelease } from './release.ts';

const NAMESPACE = 'kube-system';
const AGENT = 'cilium';

interface CiliumConfig {
  policyEnforcementMode?: string;
  egressMasqueradeInterfaces?: string;
  skipUpgrade?: boolean;
  routingMode?: string;
  ipv4NativeRoutingCIDR?: string;
  ipv6NativeRoutingCIDR?: string;
  cniExclusive?: boolean;
  helmValues?: Record<string, unknown>;
}

export interface NetworkInstallation {
  spec: ClusterSpec;
  /** what the cluster was made from, when it is upgraded */
  previous?: ClusterSpec;
  provider: Pick<ProviderPlugin, 'capi'>;
  release: Pick<ClusterRelease, 'kubernetesVersion' | 'cilium'>;
  context: ProviderContext;
}

/**
 * Whether Sealift brings the network between pods: Cilium is asked for, the release has it (those of tests may not), and an
 * upgrade is not told to leave it to its operator (`skipUpgrade`).
 */
export function bringsNetwork({
  spec,
  previous,
  release,
}: Pick<NetworkInstallation, 'spec' | 'previous' | 'release'>): boolean {
  const config = ciliumConfig(spec);
  if (config === undefined || release.cilium === undefined) return false;
  return previous === undefined || config.skipUpgrade !== true;
}

/**
 * Installs the release's Cilium on a cluster that answers, its images from the registry mirror: without it no node is ever
 * ready. May be repeated: what was installed from the same chart and values is left as it is.
 * @param workload the cluster itself
 * @throws SealiftError those of installChart
 */
export async function installNetwork(
  installation: NetworkInstallation,
  workload: Cluster,
  signal: AbortSignal,
): Promise<void> {
  if (!bringsNetwork(installation)) return;
  const { chart, how } = networkChart(installation);
  await installChart(chart, how, workload, signal);
}

/**
 * Whether `installNetwork` would leave a cluster as it is.
 * @param workload the cluster itself
 * @throws SealiftError those of Cluster.get
 */
export async function isNetworkCurrent(installation: NetworkInstallation, workload: Cluster): Promise<boolean> {
  if (!bringsNetwork(installation)) return true;
  const { chart, how } = networkChart(installation);
  return isInstalled(chart, how, workload);
}

function networkChart(installation: NetworkInstallation): { chart: Chart; how: ChartInstallation } {
  const { spec, release, context } = installation;
  const cilium = release.cilium!;
  const values = ciliumValues(spec, cilium);
  return {
    chart: {
      ...{ name: AGENT, namespace: NAMESPACE, archive: cilium.chart, version: cilium.version, values },
      mark: { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: AGENT, namespace: NAMESPACE } },
    },
    how: {
      mirror: spec.cluster.spec.registryMirrorConfiguration,
      kubernetesVersion: release.kubernetesVersion,
      context,
      beside: openNamespaces(installation, values),
      valuesFor: compatibility,
    },
  };
}

function ciliumConfig({ cluster }: ClusterSpec): CiliumConfig | undefined {
  const { cni, cniConfig } = cluster.spec.clusterNetwork;
  return (cniConfig?.['cilium'] as CiliumConfig | undefined) ?? (cni === 'cilium' ? {} : undefined);
}

/**
 * Values for Cilium's chart, with the settings that EKS Anywhere gives it; `helmValues` of a specification takes the place of all
 * of them, as there. Pure.
 * @see https://docs.cilium.io/en/stable/helm-reference
 */
export function ciliumValues(spec: ClusterSpec, { agent, operator }: CiliumRelease): Record<string, unknown> {
  const config = ciliumConfig(spec) ?? {};
  if (config.helmValues !== undefined) return config.helmValues;
  const { controlPlaneConfiguration, workerNodeGroupConfigurations = [] } = spec.cluster.spec;
  const isSingle = workerNodeGroupConfigurations.length === 0 && controlPlaneConfiguration.count === 1;
  const [agentImage, operatorImage] = [splitTag(agent), splitTag(operator)];
  return {
    cni: {
      chainingMode: 'portmap',
      ...(config.cniExclusive === undefined ? {} : { exclusive: config.cniExclusive }),
    },
    ipam: { mode: 'kubernetes' },
    identityAllocationMode: 'crd',
    prometheus: { enabled: true },
    rollOutCiliumPods: true,
    envoy: { enabled: false },
    image: agentImage,
    operator: {
      // the chart adds the name of the cloud itself
      image: { ...operatorImage, repository: operatorImage.repository.replace(/-generic$/, '') },
      prometheus: { enabled: true },
      tolerations: [
        'node-role.kubernetes.io/control-plane',
        'node.kubernetes.io/not-ready',
        'node.cilium.io/agent-not-ready',
      ].map((key) => ({ key, operator: 'Exists' })),
      ...(isSingle ? { replicas: 1 } : {}),
    },
    ...routing(config),
    ...given('policyEnforcementMode', config.policyEnforcementMode),
    ...given('egressMasqueradeInterfaces', config.egressMasqueradeInterfaces),
  };
}

function routing({ routingMode, ipv4NativeRoutingCIDR, ipv6NativeRoutingCIDR }: CiliumConfig): object {
  if (routingMode !== 'direct') return { routingMode: 'tunnel', tunnelProtocol: 'geneve' };
  return {
    routingMode: 'native',
    autoDirectNodeRoutes: true,
    ...given('ipv4NativeRoutingCIDR', ipv4NativeRoutingCIDR),
    ...given('ipv6NativeRoutingCIDR', ipv6NativeRoutingCIDR),
  };
}

function given(name: string, value: string | undefined): object {
  return value === undefined || value === '' ? {} : { [name]: value };
}

/** Agents of two versions live side by side for a while; the chart keeps what the older one knows. */
function compatibility(there: KubernetesObject | undefined): { upgradeCompatibility?: string } {
  const containers = (there as { spec?: { template?: { spec?: { containers?: { image?: string }[] } } } } | undefined)
    ?.spec?.template?.spec?.containers;
  const minor = /:v?(\d+\.\d+)\.\d+[^:/]*$/.exec(containers?.[0]?.image?.replace(/@.*$/, '') ?? '')?.[1];
  return minor === undefined ? {} : { upgradeCompatibility: minor };
}

/**
 * Where nothing may talk unless a policy says so (`always`), the namespaces that a cluster itself lives by are opened, as with
 * EKS Anywhere; those of Cluster API too where it runs.
 */
function openNamespaces(
  { spec, provider, context }: NetworkInstallation,
  values: Record<string, unknown>,
): KubernetesObject[] {
  if (values['policyEnforcementMode'] !== 'always') return [];
  const capi = ['capi', 'capi-kubeadm-bootstrap', 'capi-kubeadm-control-plane'].map((name) => `${name}-system`);
  const flux = spec.gitOps === undefined ? [] : [spec.gitOps.spec.systemNamespace ?? 'flux-system'];
  const own = [CLUSTER_NAMESPACE, 'cert-manager', ...capi, provider.capi(spec, context).namespace, ...flux];
  return [NAMESPACE, ...(spec.role === 'management' ? own : [])].flatMap((namespace): KubernetesObject[] => [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `allow-all-${namespace}`, namespace },
      spec: { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] },
    },
  ]);
}
