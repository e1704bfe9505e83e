import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import { mirrorHost } from '../spec/defaults.ts';
import { mirrorFiles, type NodeFile } from './mirror.ts';

/** What every node of a cluster gets beside Kubernetes itself, in the words of a KubeadmConfig. */
export interface NodeSetup {
  files: NodeFile[];
  preKubeadmCommands: string[];
}

const CONTAINERD_DROP_IN = '/etc/systemd/system/containerd.service.d/http-proxy.conf';
const CONTAINERD_CONFIG = '/etc/containerd/config.toml';
/** Says once where the folder with hosts.toml files is; a node image that says so already is left as it is. */
const APPEND_CONFIG_PATH = [
  `grep -q 'config_path *= *"/etc/containerd/certs.d"' ${CONTAINERD_CONFIG} 2>/dev/null`,
  `cat /etc/containerd/config_append.toml >> ${CONTAINERD_CONFIG}`,
].join(' || ');

/** Registry mirror and proxy of a cluster's nodes. Pure; the files that hold a password are named, not filled. */
export function nodeSetup(spec: ClusterSpec, localAddresses: readonly string[]): NodeSetup {
  const mirror = mirrorFiles(spec);
  const proxy = proxyFile(spec, localAddresses);
  const restart = mirror.length > 0 || proxy.length > 0;
  return {
    files: [...mirror, ...(mirror.length === 0 ? [] : [configAppend]), ...proxy],
    preKubeadmCommands: [
      ...(mirror.length === 0 ? [] : [APPEND_CONFIG_PATH]),
      ...(restart ? ['systemctl daemon-reload', 'systemctl restart containerd'] : []),
    ],
  };
}

const configAppend: NodeFile = {
  path: '/etc/containerd/config_append.toml',
  owner: 'root:root',
  permissions: '0644',
  content: '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n',
};

function proxyFile(spec: ClusterSpec, localAddresses: readonly string[]): NodeFile[] {
  const proxy = spec.cluster.spec.proxyConfiguration;
  if (proxy === undefined) return [];
  const { clusterNetwork, controlPlaneConfiguration, registryMirrorConfiguration } = spec.cluster.spec;
  const noProxy = [
    ...clusterNetwork.pods.cidrBlocks,
    ...clusterNetwork.services.cidrBlocks,
    ...(proxy.noProxy ?? []),
    ...(controlPlaneConfiguration.endpoint === undefined ? [] : [controlPlaneConfiguration.endpoint.host]),
    ...(registryMirrorConfiguration === undefined ? [] : [mirrorHost(registryMirrorConfiguration)]),
    ...localAddresses,
    ...['localhost', '127.0.0.1', '.svc'],
  ];
  const lines = [
    '[Service]',
    `Environment="HTTP_PROXY=${proxy.httpProxy}"`,
    `Environment="HTTPS_PROXY=${proxy.httpsProxy}"`,
    `Environment="NO_PROXY=${[...new Set(noProxy)].join(',')}"`,
  ];
  return [{ path: CONTAINERD_DROP_IN, owner: 'root:root', permissions: '0644', content: `${lines.join('\n')}\n` }];
}
