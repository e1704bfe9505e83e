import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { FixedListening } from '../../contracts/provider-plugin.ts';

/** Set by clusterctl on everything that belongs to a provider, e.g. `infrastructure-vsphere`. */
export const PROVIDER_LABEL = 'cluster.x-k8s.io/provider';

/** What a kubelet would have to know of a provider's Deployment. */
export interface ProviderDeployment {
  namespace: string;
  name: string;
  generation: number;
  uid: string;
  /** 0 while clusterctl replaces the provider by another version */
  replicas: number;
  /** value of PROVIDER_LABEL: its webhook configurations and definitions carry the same */
  provider: string;
  image: string;
  args: string[];
  /** the plain values; those taken from fields of the pod are not in here */
  env: Record<string, string>;
  serviceAccount: string;
}

/** Where one provider's process listens, on loopback. */
export interface ProviderPorts {
  webhook: number;
  health: number;
  diagnostics: number;
}

interface DeploymentSpec {
  replicas?: number;
  template: { spec: { serviceAccountName?: string; containers: Container[] } };
}

interface Container {
  name: string;
  image: string;
  args?: string[];
  env?: { name: string; value?: string }[];
}

export function readDeployment({ metadata, spec }: KubernetesObject): ProviderDeployment {
  const { replicas = 1, template } = spec as DeploymentSpec;
  const { serviceAccountName, containers } = template.spec;
  const manager = containers.find(({ name }) => name === 'manager') ?? containers[0]!;
  const plain = (manager.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]));
  return {
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    generation: metadata.generation ?? 1,
    uid: metadata.uid ?? '',
    replicas,
    provider: metadata.labels?.[PROVIDER_LABEL] ?? '',
    image: manager.image,
    args: manager.args ?? [],
    env: Object.fromEntries(plain),
    serviceAccount: serviceAccountName ?? 'default',
  };
}

/** The last part of an image's repository, which a mirror keeps: `cluster-api-controller`. */
export function imageName(reference: string): string {
  return /([^/:@]+)(?::[^/@]+)?(?:@.+)?$/.exec(reference)?.[1] ?? reference;
}

const LOOPBACK = '127.0.0.1';
const replaced =
  /^--(leader-elect|diagnostics-address|insecure-diagnostics|webhook-port|webhook-cert-dir|health-addr)\b/;

/**
 * The Deployment's own arguments, but for those that say where to listen. There is one process of each provider, so nobody
 * is elected; metrics are on loopback, where only a token review could protect them, which not every provider may do.
 */
export function managerArguments(
  args: readonly string[],
  ports: ProviderPorts,
  certificates: string,
  fixed?: FixedListening,
): string[] {
  const metrics = `${LOOPBACK}:${ports.diagnostics}`;
  const listening =
    fixed === undefined
      ? [
          `--diagnostics-address=${metrics}`,
          '--insecure-diagnostics=true',
          `--webhook-port=${ports.webhook}`,
          `--webhook-cert-dir=${certificates}`,
        ]
      : [`${fixed.metricsFlag}=${metrics}`];
  return [
    ...args.filter((arg) => !replaced.test(arg) && arg.split('=', 1)[0] !== fixed?.metricsFlag),
    '--leader-elect=false',
    ...listening,
    `--health-addr=${LOOPBACK}:${ports.health}`,
  ];
}

interface ClientConfig {
  url?: string;
  caBundle?: string;
  service?: { path?: string };
}

/** What a Service and cert-manager's CA injector would do: the API server finds a provider's webhooks at a port of this machine. */
export interface WebhookEndpoint {
  port: number;
  /** PEM */
  ca: string;
}

/** @returns the merge patch for a webhook configuration, or undefined when it says so already */
export function webhookChange(configuration: KubernetesObject, endpoint: WebhookEndpoint): object | undefined {
  const { webhooks = [] } = configuration as unknown as { webhooks?: { clientConfig: ClientConfig }[] };
  const changed = webhooks.map((webhook) => ({ ...webhook, clientConfig: atUrl(webhook.clientConfig, endpoint) }));
  // a merge patch replaces the whole list
  return isSame(changed, webhooks) ? undefined : { webhooks: changed };
}

/** @returns the merge patch for a CustomResourceDefinition; undefined when it converts nothing, or says so already */
export function conversionChange(definition: KubernetesObject, endpoint: WebhookEndpoint): object | undefined {
  const { conversion } = definition['spec'] as { conversion?: { webhook?: { clientConfig?: ClientConfig } } };
  const config = conversion?.webhook?.clientConfig;
  if (config === undefined) return undefined;
  const changed = atUrl(config, endpoint);
  if (isSame(changed, config)) return undefined;
  return { spec: { conversion: { webhook: { clientConfig: { ...changed, service: null } } } } };
}

/**
 * Takes `conversionChange` back: clusterctl merges the Service of a provider's next version into what it finds, and there may
 * not be both a Service and an URL.
 * @returns the merge patch for a CustomResourceDefinition; undefined when no URL is there
 */
export function conversionRelease(definition: KubernetesObject, namespace: string): object | undefined {
  const { conversion } = definition['spec'] as { conversion?: { webhook?: { clientConfig?: ClientConfig } } };
  const url = conversion?.webhook?.clientConfig?.url;
  if (url === undefined) return undefined;
  const service = { namespace, name: 'webhook-service', path: new URL(url).pathname };
  return { spec: { conversion: { webhook: { clientConfig: { url: null, service } } } } };
}

function atUrl(config: ClientConfig, { port, ca }: WebhookEndpoint): ClientConfig {
  const path = config.url === undefined ? (config.service?.path ?? '/') : new URL(config.url).pathname;
  return { caBundle: Buffer.from(ca).toString('base64'), url: `https://${LOOPBACK}:${port}${path}` };
}

function isSame(one: unknown, other: unknown): boolean {
  const sorted = (value: unknown): string =>
    JSON.stringify(value, (_, part: unknown) =>
      part !== null && typeof part === 'object' && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    );
  return sorted(one) === sorted(other);
}
