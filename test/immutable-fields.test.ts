import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../contracts/cluster-spec.ts';
import { immutableFields } from '../core/clusters/spec/compare-specs.ts';
import { exampleSpec, type ExampleSpec } from '../core/clusters/spec/testing.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from './helpers/kube-apiserver.ts';

const unavailable = await kubeApiserverUnavailable();
if (unavailable !== undefined) console.warn(`rules of the API server not tested: ${unavailable}`);

const text = { type: 'string' };
const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const blocks = { type: 'object', properties: { cidrBlocks: { type: 'array', items: text } } };
const reference = { type: 'object', properties: { kind: text, name: text } };

/** CEL sees only what the schema names, so this has the fields of the table and those that say the role. */
const spec = {
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  properties: {
    management: { type: 'boolean' },
    managementCluster: { type: 'object', properties: { name: text } },
    datacenterRef: reference,
    controlPlaneConfiguration: {
      ...open,
      properties: { endpoint: { type: 'object', properties: { host: text } } },
    },
    externalEtcdConfiguration: { type: 'object', properties: { count: { type: 'integer' } } },
    clusterNetwork: {
      ...open,
      properties: {
        pods: blocks,
        services: blocks,
        nodes: { type: 'object', properties: { cidrMaskSize: { type: 'integer' } } },
        dns: { type: 'object', properties: { resolvConf: { type: 'object', properties: { path: text } } } },
      },
    },
    proxyConfiguration: {
      type: 'object',
      properties: { httpProxy: text, httpsProxy: text, noProxy: { type: 'array', items: text } },
    },
    podIamConfig: { type: 'object', properties: { serviceAccountIssuer: text } },
    identityProviderRefs: { type: 'array', items: reference },
  },
};

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'clusters.anywhere.eks.amazonaws.com' },
  spec: {
    group: 'anywhere.eks.amazonaws.com',
    names: { kind: 'Cluster', plural: 'clusters' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec },
            'x-kubernetes-validations': immutableFields.map(({ celRule, reason }) => ({
              rule: celRule,
              message: reason,
            })),
          },
        },
      },
    ],
  },
};

describe.skipIf(unavailable !== undefined)('the rules for fields that may not change, in a real API server', () => {
  let server: KubeApiserver;
  let cluster: Cluster;
  beforeAll(async () => {
    server = await startKubeApiserver();
    cluster = await openCluster(server.kubeconfig);
    const { cluster: first } = exampleSpec();
    // an object after the definition, so that it is waited for
    await cluster.applyAll([definition, { ...first, metadata: { name: 'first', namespace: 'default' } }]);
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  type Change = (spec: ExampleSpec['cluster']['spec']) => void;

  /** Makes a cluster and changes it. @returns what the API server says, or `accepted` */
  async function changed(name: string, before: Change, after: Change): Promise<string> {
    const object = exampleSpec().cluster;
    Object.assign(object.metadata, { name, namespace: 'default' });
    before(object.spec);
    await cluster.apply(object);
    after(object.spec);
    return cluster.apply(object as unknown as KubernetesObject).then(
      () => 'accepted',
      (error: unknown) => String(error),
    );
  }

  const changes: [string, Change][] = [
    ['spec.datacenterRef', (fields) => (fields.datacenterRef.name = 'other')],
    [
      'spec.controlPlaneConfiguration.endpoint',
      (fields) => (fields.controlPlaneConfiguration.endpoint = { host: '192.0.2.9' }),
    ],
    ['spec.clusterNetwork.pods', (fields) => (fields.clusterNetwork.pods.cidrBlocks = ['172.16.0.0/16'])],
    ['spec.clusterNetwork.services', (fields) => (fields.clusterNetwork.services.cidrBlocks = ['10.0.0.0/16'])],
    ['spec.clusterNetwork.nodes', (fields) => (fields.clusterNetwork.nodes = { cidrMaskSize: 25 })],
    ['spec.externalEtcdConfiguration', (fields) => (fields.externalEtcdConfiguration = { count: 3 })],
    ['spec.clusterNetwork.dns', (fields) => (fields.clusterNetwork.dns = { resolvConf: { path: '/etc/other' } })],
    ['spec.proxyConfiguration', (fields) => (fields.proxyConfiguration = { httpProxy: 'a:1', httpsProxy: 'a:1' })],
    ['spec.podIamConfig', (fields) => (fields.podIamConfig = { serviceAccountIssuer: 'https://a' })],
    ['spec.identityProviderRefs', (fields) => (fields.identityProviderRefs = [{ kind: 'OIDCConfig', name: 'a' }])],
  ];

  it('are all tried here', () => {
    expect(changes.map(([field]) => field)).toEqual(immutableFields.map(({ path }) => path.join('.')));
  });

  it.each(changes)('%s', async (field, change) => {
    const { relaxedForWorkload, reason } = immutableFields.find(({ path }) => path.join('.') === field)!;
    const name = field.toLowerCase().replaceAll('.', '-');
    expect(await changed(`${name}-m`, () => undefined, change)).toContain(reason);
    const manager: Change = (fields) => (fields.managementCluster = { name: `${name}-n` });
    expect(await changed(`${name}-n`, manager, change)).toContain(reason);
    const expected = relaxedForWorkload ? 'accepted' : expect.stringContaining(reason);
    expect(await changed(`${name}-w`, (fields) => (fields.management = false), change)).toEqual(expected);
    expect(await changed(`${name}-x`, (fields) => (fields.managementCluster = { name: 'mgmt' }), change)).toEqual(
      expected,
    );
  });

  it('let the rest change', async () => {
    const rest: Change = (fields) => {
      fields.kubernetesVersion = '1.32';
      fields.controlPlaneConfiguration.count = 5;
    };
    expect(await changed('rest', () => undefined, rest)).toBe('accepted');
    const etcd: Change = (fields) => (fields.externalEtcdConfiguration = { count: 3 });
    expect(await changed('etcd', etcd, (fields) => (fields.externalEtcdConfiguration = { count: 5 }))).toBe('accepted');
  });
});
