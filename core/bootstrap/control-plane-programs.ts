import { join } from 'node:path';
import { LOOPBACK, pkiPath } from './control-plane-pki.ts';

/** The ports of one control plane on loopback; taken again when its programs are started again. */
export interface ControlPlanePorts {
  etcd: number;
  etcdPeer: number;
  apiServer: number;
  controllerManager: number;
}

export interface ControlPlaneLayout {
  folder: string;
  ports: ControlPlanePorts;
  /** false: etcd does not wait for the disk, and what it wrote last may be lost when the machine loses power */
  durable: boolean;
}

/** etcd of one member. Clients need a certificate: on loopback every user of the machine could ask it. */
export function etcdArguments({ folder, ports, durable }: ControlPlaneLayout): string[] {
  const client = `https://${LOOPBACK}:${ports.etcd}`;
  const peer = `https://${LOOPBACK}:${ports.etcdPeer}`;
  const tls = (prefix: string): string[] => [
    `--${prefix}cert-file=${pkiPath(folder, 'etcd.crt')}`,
    `--${prefix}key-file=${pkiPath(folder, 'etcd.key')}`,
    `--${prefix}trusted-ca-file=${pkiPath(folder, 'etcd-ca.crt')}`,
    `--${prefix}client-cert-auth`,
  ];
  return [
    ...['--name=bootstrap', `--data-dir=${join(folder, 'etcd')}`, '--log-level=warn'],
    ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`, ...tls('')],
    ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, ...tls('peer-')],
    `--initial-cluster=bootstrap=${peer}`,
    ...(durable ? [] : ['--unsafe-no-fsync']),
  ];
}

export function apiServerArguments({ folder, ports }: ControlPlaneLayout): string[] {
  const pki = (file: string): string => pkiPath(folder, file);
  return [
    ...[`--bind-address=${LOOPBACK}`, `--advertise-address=${LOOPBACK}`, `--secure-port=${ports.apiServer}`],
    ...[`--tls-cert-file=${pki('apiserver.crt')}`, `--tls-private-key-file=${pki('apiserver.key')}`],
    ...[`--client-ca-file=${pki('ca.crt')}`, '--anonymous-auth=false', '--authorization-mode=RBAC'],
    ...[`--etcd-servers=https://${LOOPBACK}:${ports.etcd}`, `--etcd-cafile=${pki('etcd-ca.crt')}`],
    ...[`--etcd-certfile=${pki('etcd-client.crt')}`, `--etcd-keyfile=${pki('etcd-client.key')}`],
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki('service-account.pub')}`,
    `--service-account-signing-key-file=${pki('service-account.key')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    // no endpoint may have a loopback address, and nothing but this file's readers asks for one
    '--endpoint-reconciler-type=none',
    // it would refuse pods, of which there are none, for want of tokens, which TokenRequest gives
    '--disable-admission-plugins=ServiceAccount',
    // a provider's Deployment may ask for it; as a process it gets nothing by that
    '--allow-privileged=true',
    ...['--profiling=false', `--cert-dir=${join(folder, 'pki')}`],
  ];
}

/** Only the controllers that Cluster API needs: owner references, namespaces that end, roles made of roles. */
export function controllerManagerArguments({ folder, ports }: ControlPlaneLayout, kubeconfig: string): string[] {
  return [
    ...['--kubeconfig', '--authentication-kubeconfig', '--authorization-kubeconfig'].map((f) => `${f}=${kubeconfig}`),
    ...[`--bind-address=${LOOPBACK}`, `--secure-port=${ports.controllerManager}`, `--cert-dir=${join(folder, 'pki')}`],
    '--controllers=garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller',
    ...['--leader-elect=false', '--use-service-account-credentials=false', '--profiling=false'],
  ];
}
