import { stringify } from 'yaml';
import type { ClusterSpec, KubernetesObject } from '../../../contracts/cluster-spec.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE } from '../../../core/clusters/render/names.ts';
import { datacenterOf, splitServer, vcenterOf, type VCenterUser } from './vcenter.ts';

const NAMESPACE = 'kube-system';
const ACCOUNT = 'cloud-controller-manager';
const SETTINGS = 'vsphere-cloud-config';
const CREDENTIALS = 'cloud-provider-vsphere-credentials';
const APP = 'vsphere-cloud-controller-manager';
const rbac = 'rbac.authorization.k8s.io';

/**
 * The cloud controller manager of vSphere (cloud-provider-vsphere), which tells nodes the machines that they are: until it has,
 * Kubernetes runs nothing on them. A ClusterResourceSet puts it into the cluster as soon as that answers.
 */
export function cloudProviderObjects(spec: ClusterSpec, image: string): KubernetesObject[] {
  const objects = [settings(spec), ...account(), daemonSet(image)];
  return [
    {
      ...setObject(spec, 'v1', 'ConfigMap'),
      data: { 'cloud-provider.yaml': objects.map((object) => stringify(object)).join('---\n') },
    },
    {
      ...setObject(spec, 'addons.cluster.x-k8s.io/v1beta2', 'ClusterResourceSet'),
      spec: {
        clusterSelector: { matchLabels: { [CLUSTER_NAME_LABEL]: spec.name } },
        resources: ['Secret', 'ConfigMap'].map((kind) => ({ kind, name: setName(spec) })),
        // a new image with a new Kubernetes, and a new password, arrive too
        strategy: 'Reconcile',
      },
    },
  ];
}

/** What the ClusterResourceSet puts into the cluster as the cloud provider's own Secret. */
export function cloudProviderSecret(spec: ClusterSpec, user: VCenterUser): KubernetesObject {
  const { host } = splitServer(vcenterOf(spec).server);
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: CREDENTIALS, namespace: NAMESPACE },
    stringData: { [`${host}.username`]: user.name, [`${host}.password`]: user.password },
  };
  const object = setObject(spec, 'v1', 'Secret');
  return {
    ...object,
    type: 'addons.cluster.x-k8s.io/resource-set',
    stringData: { 'credentials.yaml': stringify(secret) },
  };
}

function setName({ name }: ClusterSpec): string {
  return `${name}-cloud-provider`;
}

function setObject(spec: ClusterSpec, apiVersion: string, kind: string): KubernetesObject {
  const labels = { [CLUSTER_NAME_LABEL]: spec.name, 'clusterctl.cluster.x-k8s.io/move': '' };
  return { apiVersion, kind, metadata: { name: setName(spec), namespace: CLUSTER_NAMESPACE, labels } };
}

function settings(spec: ClusterSpec): object {
  const { datacenter } = datacenterOf(spec);
  const { server, thumbprint } = vcenterOf(spec);
  const { host, port } = splitServer(server);
  const trust = thumbprint === '' ? { insecureFlag: true } : { insecureFlag: false, thumbprint };
  const secret = { secretName: CREDENTIALS, secretNamespace: NAMESPACE };
  const configuration = {
    global: { port, ...trust, ...secret },
    vcenter: { [host]: { server: host, port, datacenters: [datacenter], ...trust, ...secret } },
  };
  return { ...inCluster('v1', 'ConfigMap', SETTINGS), data: { 'vsphere.conf': stringify(configuration) } };
}

function account(): object[] {
  const subjects = [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: NAMESPACE }];
  const reader = { apiGroup: rbac, kind: 'Role', name: 'extension-apiserver-authentication-reader' };
  const role = { apiGroup: rbac, kind: 'ClusterRole', name: ACCOUNT };
  return [
    inCluster('v1', 'ServiceAccount', ACCOUNT),
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: ACCOUNT }, rules },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: ACCOUNT }, roleRef: role, subjects },
    { ...inCluster(`${rbac}/v1`, 'RoleBinding', `${ACCOUNT}-authentication-reader`), roleRef: reader, subjects },
  ];
}

/** The rights that cloud-provider-vsphere's own manifests give it. */
const rules = [
  ...[
    ['events', 'create', 'patch', 'update'],
    ['nodes', '*'],
    ['nodes/status', 'patch'],
    ['services', 'list', 'patch', 'update', 'watch'],
    ['services/status', 'patch'],
    ['serviceaccounts', 'create', 'get', 'list', 'watch', 'update'],
    ['persistentvolumes', 'get', 'list', 'update', 'watch'],
    ['endpoints', 'create', 'get', 'list', 'watch', 'update'],
    ['secrets', 'get', 'list', 'watch'],
  ].map(([resource, ...verbs]) => ({ apiGroups: [''], resources: [resource], verbs })),
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'list', 'watch', 'update'] },
];

function daemonSet(image: string): object {
  const labels = { app: APP };
  const container = {
    name: APP,
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['--cloud-provider=vsphere', '--v=2', '--cloud-config=/etc/cloud/vsphere.conf'],
    volumeMounts: [{ name: 'config', mountPath: '/etc/cloud', readOnly: true }],
  };
  const onControlPlane = { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' };
  const pod = {
    // it must run before anything else can, and before there is a network between pods
    tolerations: [
      { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' },
      { ...onControlPlane, effect: 'NoSchedule' },
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoSchedule' },
      { key: 'CriticalAddonsOnly', operator: 'Exists', effect: 'NoExecute' },
    ],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [onControlPlane] }],
        },
      },
    },
    hostNetwork: true,
    priorityClassName: 'system-node-critical',
    securityContext: { runAsUser: 1001, fsGroup: 1001 },
    serviceAccountName: ACCOUNT,
    containers: [container],
    volumes: [{ name: 'config', configMap: { name: SETTINGS } }],
  };
  return {
    ...inCluster('apps/v1', 'DaemonSet', APP),
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
  };
}

function inCluster(apiVersion: string, kind: string, name: string): object {
  return { apiVersion, kind, metadata: { name, namespace: NAMESPACE } };
}
