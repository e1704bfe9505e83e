import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { canonicalJson } from '../canonical-json.ts';
import { writeFileAtomically } from '../host/atomic-file.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { parseYamlDocuments } from '../sources/yaml-documents.ts';
import { CLUSTER_NAMESPACE } from './render/names.ts';
import { mirroredReference } from './render/mirror.ts';
import { splitTag, type CiliumRelease, type ClusterRelease } from './release.ts';

const NAMESPACE = 'kube-system';
const AGENT = 'cilium';
/** On the agent's DaemonSet, which is applied last: what all of it was made from. */
export const NETWORK_ANNOTATION = 'sealift.dev/network-digest';
const HELM_TIMEOUT_MS = 120_000;

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
 * @throws SealiftError ToolMissing, ToolFailed (helm), InvalidInput when the chart makes no YAML; those of Cluster.applyAll
 */
export async function installNetwork(
  installation: NetworkInstallation,
  workload: Cluster,
  signal: AbortSignal,
): Promise<void> {
  const { spec, release, context } = installation;
  if (!bringsNetwork(installation)) return;
  const cilium = release.cilium!;
  const values = ciliumValues(spec, cilium);
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  const digest = digestOf({ chart: digestOf(cilium.chart), values, mirror, version: release.kubernetesVersion });
  const there = await workload.get({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: AGENT, namespace: NAMESPACE },
  });
  if (there?.metadata.annotations?.[NETWORK_ANNOTATION] === digest) return;
  context.alive('installing Cilium');
  const rendered = await template(installation, { ...values, ...compatibility(there) });
  const objects = [...rendered, ...openNamespaces(installation, values)].map((object) => withMirror(object, mirror));
  const [agents, others] = [objects.filter(isAgent), objects.filter((object) => !isAgent(object))];
  await workload.applyAll(others, { signal });
  await workload.applyAll(
    agents.map((agent) => annotated(agent, digest)),
    { signal },
  );
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

async function template({ release, context }: NetworkInstallation, values: object): Promise<KubernetesObject[]> {
  const chart = join(context.scratch, 'cilium.tgz');
  const settings = join(context.scratch, 'cilium-values.yaml');
  await writeFileAtomically(chart, release.cilium!.chart);
  await writeFileAtomically(settings, stringify(values));
  const output = await context.run(
    'helm',
    [
      ...['template', AGENT, chart, '--namespace', NAMESPACE, '--values', settings],
      ...['--kube-version', release.kubernetesVersion],
    ],
    { timeoutMs: HELM_TIMEOUT_MS },
  );
  return parseYamlDocuments("Cilium's chart", new TextEncoder().encode(output))
    .map(({ value }) => value as KubernetesObject)
    .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
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

function withMirror<T>(value: T, mirror: Parameters<typeof mirroredReference>[1]): T {
  if (Array.isArray(value)) return value.map((entry: unknown) => withMirror(entry, mirror)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([field, inner]: [string, unknown]) => [
    field,
    field === 'image' && typeof inner === 'string' ? mirroredReference(inner, mirror) : withMirror(inner, mirror),
  ]);
  return Object.fromEntries(entries) as T;
}

function isAgent({ kind, metadata }: KubernetesObject): boolean {
  return kind === 'DaemonSet' && metadata.name === AGENT;
}

function annotated(object: KubernetesObject, digest: string): KubernetesObject {
  const annotations = { ...object.metadata.annotations, [NETWORK_ANNOTATION]: digest };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function digestOf(content: unknown): string {
  const bytes = content instanceof Uint8Array ? content : canonicalJson(content);
  return createHash('sha256').update(bytes).digest('hex');
}
