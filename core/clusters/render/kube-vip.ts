import { stringify } from 'yaml';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { RenderRequest } from '../../../contracts/provider-plugin.ts';
import { mirroredReference, type NodeFile } from './mirror.ts';
import type { NodeSetup } from './node-setup.ts';

/** The port of the API server, at the endpoint as on the machines. */
export const API_SERVER_PORT = 6443;

const MANIFEST = '/etc/kubernetes/manifests/kube-vip.yaml';
const HOSTS = '/etc/kube-vip.hosts';
/** Of this file cloud-init leaves kubeadm only the one for `kubeadm init`. */
const KUBEADM_INIT_CONFIG = '/run/kubeadm/kubeadm.yaml';
/** From here on admin.conf may do nothing until kubeadm has bound its group (kube-vip issue 684). */
const FIRST_WITH_SUPER_ADMIN = 29;
const USE_SUPER_ADMIN = [
  `if [ -f ${KUBEADM_INIT_CONFIG} ]; then`,
  `sed -i 's#path: /etc/kubernetes/admin.conf#path: /etc/kubernetes/super-admin.conf#' ${MANIFEST}; fi`,
].join(' ');

/**
 * kube-vip as a static pod of the control plane: it holds the endpoint's address by ARP, on one machine at a time. Nothing when
 * the specification says that the load balancer is somebody else's, or names no endpoint.
 */
export function kubeVipSetup({ spec, images, kubernetesVersion }: RenderRequest): NodeSetup {
  const { endpoint, skipLoadBalancerDeployment } = spec.cluster.spec.controlPlaneConfiguration;
  if (endpoint === undefined || images.kubeVip === undefined || skipLoadBalancerDeployment === true) {
    return { files: [], preKubeadmCommands: [] };
  }
  const image = mirroredReference(images.kubeVip, spec.cluster.spec.registryMirrorConfiguration);
  const minor = Number(/^v?1\.(\d+)/.exec(kubernetesVersion)?.[1]);
  return {
    files: [
      rootFile(MANIFEST, stringify(pod(endpoint.host, image))),
      // kube-vip asks the API server of its own machine, by the name that the certificate has
      rootFile(HOSTS, '127.0.0.1 localhost kubernetes\n'),
    ],
    preKubeadmCommands: minor >= FIRST_WITH_SUPER_ADMIN ? [USE_SUPER_ADMIN] : [],
  };
}

/** Address and port of the API server, as infrastructure objects have it. */
export function controlPlaneEndpoint({ cluster }: ClusterSpec): { controlPlaneEndpoint?: object } {
  const { endpoint } = cluster.spec.controlPlaneConfiguration;
  return endpoint === undefined ? {} : { controlPlaneEndpoint: { host: endpoint.host, port: API_SERVER_PORT } };
}

function rootFile(path: string, content: string): NodeFile {
  return { path, owner: 'root:root', permissions: '0644', content };
}

function pod(address: string, image: string): object {
  const settings = {
    vip_arp: 'true',
    port: String(API_SERVER_PORT),
    // the same twice: releases before 0.8 read the first, later ones the second
    vip_cidr: '32',
    vip_subnet: '32',
    cp_enable: 'true',
    cp_namespace: 'kube-system',
    vip_ddns: 'false',
    vip_leaderelection: 'true',
    vip_leaseduration: '15',
    vip_renewdeadline: '10',
    vip_retryperiod: '2',
    address,
  };
  const container = {
    name: 'kube-vip',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['manager'],
    env: Object.entries(settings).map(([name, value]) => ({ name, value })),
    securityContext: { capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } },
    volumeMounts: [
      { name: 'kubeconfig', mountPath: '/etc/kubernetes/admin.conf' },
      { name: 'hosts', mountPath: '/etc/hosts' },
    ],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'kube-vip', namespace: 'kube-system' },
    spec: {
      containers: [container],
      hostNetwork: true,
      volumes: [
        { name: 'kubeconfig', hostPath: { path: '/etc/kubernetes/admin.conf' } },
        { name: 'hosts', hostPath: { path: HOSTS, type: 'File' } },
      ],
    },
  };
}
