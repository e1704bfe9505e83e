import { namespaceOf } from '../../../core/oci/rewrite.ts';
import type { NodeConfigRequest } from '../../../contracts/source-plugin.ts';

/** Where the nodes find things, as the variables of Kubespray's inventory say it. */
export interface OfflineInventory {
  registry?: NonNullable<NodeConfigRequest['registry']>;
  /** what `sealift serve` answers at, without a slash at the end: files lie below it as HOST/PATH */
  filesUrl?: string;
  /** apt repository of the nodes */
  debianUrl?: string;
  /** URL of a Helm repository that has Cilium's chart */
  ciliumCharts?: string;
  /** path of the registry's CA certificate on the nodes */
  caOnNode?: string;
  /** user of the registry; the password is the variable `registry_pass`, never a value */
  user?: string;
}

/** Kubespray's variable for the registry that an image of its own comes from. */
const imageRepositories = {
  kube_image_repo: 'registry.k8s.io',
  gcr_image_repo: 'gcr.io',
  docker_image_repo: 'docker.io',
  quay_image_repo: 'quay.io',
  github_image_repo: 'ghcr.io',
} as const;

const fileHosts = {
  github_url: 'github.com',
  dl_k8s_io_url: 'dl.k8s.io',
  storage_googleapis_url: 'storage.googleapis.com',
  get_helm_url: 'get.helm.sh',
} as const;

const ENCODED_CREDENTIALS = `{{ (registry_user ~ ':' ~ registry_pass) | b64encode }}`;
/** Value of an Authorization header, as Ansible's variables give it. */
export const PASSWORD_HEADER = `Basic ${ENCODED_CREDENTIALS}`;

/**
 * `group_vars/all/offline.yml` of an inventory (Kubespray, docs/operations/offline-environment.md). Holds no secret: where
 * the registry wants a password, it refers to `registry_pass`.
 */
export function offlineInventory(inventory: OfflineInventory): string {
  const { debianUrl, ciliumCharts } = inventory;
  return [
    '# Variables for a Kubespray cluster without internet access, written by sealift generate node-config.',
    '# Put this file into group_vars/all of the inventory.',
    ...registryLines(inventory),
    ...fileLines(inventory),
    ...(debianUrl === undefined ? [] : variables({ debian_repo: debianUrl, ubuntu_repo: debianUrl })),
    ...(ciliumCharts === undefined ? [] : variables({ cilium_install_extra_flags: `--repository ${ciliumCharts}` })),
    '',
  ].join('\n');
}

function registryLines({ registry, user, caOnNode }: OfflineInventory): string[] {
  if (registry === undefined) return [];
  const { host, prefix, map } = registry;
  const repository = (origin: string): string => {
    const namespace = namespaceOf(origin, { namespace: prefix, map });
    if (namespace === prefix) return '{{ registry_host }}';
    return namespace === '' ? '{{ registry_addr }}' : `{{ registry_addr }}/${namespace}`;
  };
  const repositories = Object.entries(imageRepositories).map(([name, origin]) => [name, repository(origin)]);
  return [
    '',
    ...variables({ registry_addr: host, registry_host: prefix === '' ? host : `${host}/${prefix}` }),
    ...variables(Object.fromEntries(repositories) as Record<string, string>),
    ...(user === undefined ? [] : credentialLines(user)),
    '',
    '# Kubespray before 2.27 lets containerd read hosts.toml only with this',
    'containerd_use_config_path: true',
    'containerd_registries_mirrors:',
    // replaces Kubespray's default, which would send Docker Hub's images to the internet
    ...mirrorLines(registry, caOnNode, user !== undefined),
  ];
}

function credentialLines(user: string): string[] {
  return [
    '',
    '# registry_pass is not here: keep it in a file of its own, encrypted with ansible-vault.',
    ...variables({ registry_user: user }),
    '# containerd before 2.0; encoded, since a quote in a bare password would end the string it is written into',
    'containerd_registry_auth:',
    '  - registry: "{{ registry_addr }}"',
    `    auth: ${JSON.stringify(ENCODED_CREDENTIALS)}`,
  ];
}

// `server` too names the registry: containerd would otherwise speak HTTPS to one that has none.
function mirrorLines(
  registry: NonNullable<OfflineInventory['registry']>,
  ca: string | undefined,
  withPassword: boolean,
): string[] {
  const url = JSON.stringify(baseUrl(registry));
  return [
    `  - prefix: ${JSON.stringify(registry.host)}`,
    `    server: ${url}`,
    '    mirrors:',
    `      - host: ${url}`,
    '        capabilities: ["pull", "resolve"]',
    '        skip_verify: false',
    ...(ca === undefined ? [] : [`        ca: [${JSON.stringify(ca)}]`]),
    ...(withPassword ? ['        header:', `          Authorization: [${JSON.stringify(PASSWORD_HEADER)}]`] : []),
  ];
}

function fileLines({ filesUrl }: OfflineInventory): string[] {
  if (filesUrl === undefined) return [];
  const hosts = Object.entries(fileHosts).map(([name, host]) => [name, `{{ files_repo }}/${host}`]);
  return [
    '',
    ...variables({ files_repo: filesUrl, ...(Object.fromEntries(hosts) as Record<string, string>) }),
    '# not below any of these in Kubespray itself',
    ...variables({
      argocd_install_url:
        '{{ files_repo }}/raw.githubusercontent.com/argoproj/argo-cd/v{{ argocd_version }}/manifests/install.yaml',
    }),
    '',
  ];
}

function variables(values: Record<string, string>): string[] {
  return Object.entries(values).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
}

function baseUrl({ host, plainHttp }: NonNullable<OfflineInventory['registry']>): string {
  return `${plainHttp ? 'http' : 'https'}://${host}`;
}
