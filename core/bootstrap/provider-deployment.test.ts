import { describe, expect, it } from 'vitest';
import {
  conversionChange,
  conversionRelease,
  imageName,
  managerArguments,
  readDeployment,
  webhookChange,
} from './provider-deployment.ts';

const ports = { webhook: 1001, health: 1002, diagnostics: 1003 };
const endpoint = { port: 1001, ca: 'CA' };

describe('the Deployment of a provider', () => {
  it.each([
    ['registry.k8s.io/cluster-api/cluster-api-controller:v1.14.0', 'cluster-api-controller'],
    ['mirror.local:5000/eks-a/cluster-api-controller', 'cluster-api-controller'],
    ['mirror.local:5000/a/manager:v1@sha256:0123', 'manager'],
    ['mirror.local:5000/a/manager@sha256:0123', 'manager'],
    ['manager', 'manager'],
  ])('is known by its image: %s', (reference, name) => {
    expect(imageName(reference)).toBe(name);
  });

  it('keeps its arguments, but for where to listen', () => {
    const args = ['--leader-elect', '--diagnostics-address=:8443', '--feature-gates=A=true', '--leader-elect-lease=1s'];
    expect(managerArguments(args, ports, '/certs')).toEqual([
      '--feature-gates=A=true',
      '--leader-elect=false',
      '--diagnostics-address=127.0.0.1:1003',
      '--insecure-diagnostics=true',
      '--webhook-port=1001',
      '--webhook-cert-dir=/certs',
      '--health-addr=127.0.0.1:1002',
    ]);
  });

  it('is told of no flag that it does not have or heed', () => {
    const args = ['--leader-elect', '--metrics-bind-addr=:8080'];
    const fixed = { metricsFlag: '--metrics-bind-addr', webhookPort: 9443 };
    expect(managerArguments(args, ports, '/certs', fixed)).toEqual([
      '--leader-elect=false',
      '--metrics-bind-addr=127.0.0.1:1003',
      '--health-addr=127.0.0.1:1002',
    ]);
  });

  it('runs its manager, whatever stands beside that', () => {
    const containers = [
      { name: 'proxy', image: 'proxy:v1' },
      { name: 'manager', image: 'manager:v1', env: [{ name: 'A', value: 'b' }, { name: 'POD' }] },
    ];
    const labels = { 'cluster.x-k8s.io/provider': 'infrastructure-vsphere' };
    const metadata = { name: 'capv', namespace: 'capv-system', uid: 'u', generation: 3, labels };
    const spec = { template: { spec: { serviceAccountName: 'capv-manager', containers } } };
    expect(readDeployment({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec })).toEqual({
      namespace: 'capv-system',
      name: 'capv',
      generation: 3,
      uid: 'u',
      replicas: 1,
      provider: 'infrastructure-vsphere',
      image: 'manager:v1',
      args: [],
      env: { A: 'b' },
      serviceAccount: 'capv-manager',
    });
  });
});

describe('webhooks of a provider', () => {
  const service = { namespace: 'capi-system', name: 'capi-webhook-service', path: '/mutate' };
  const url = { url: 'https://127.0.0.1:1001/mutate', caBundle: 'Q0E=' };
  const configuration = (clientConfig: object) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'a' },
    webhooks: [{ name: 'default.example', clientConfig }],
  });

  it('are called at a port of this machine', () => {
    expect(webhookChange(configuration({ service }), endpoint)).toEqual({
      webhooks: [{ name: 'default.example', clientConfig: url }],
    });
  });

  it('are left alone when they are already, and changed when the port is another', () => {
    expect(webhookChange(configuration({ caBundle: url.caBundle, url: url.url }), endpoint)).toBeUndefined();
    expect(webhookChange(configuration(url), { port: 7, ca: 'CA' })).toEqual({
      webhooks: [{ name: 'default.example', clientConfig: { ...url, url: 'https://127.0.0.1:7/mutate' } }],
    });
  });

  it('convert objects there too', () => {
    const definition = (spec: object) => ({ apiVersion: 'v1', kind: 'CRD', metadata: { name: 'a' }, spec });
    const converting = definition({ conversion: { strategy: 'Webhook', webhook: { clientConfig: { service } } } });
    expect(conversionChange(converting, endpoint)).toEqual({
      spec: { conversion: { webhook: { clientConfig: { ...url, service: null } } } },
    });
    expect(conversionChange(definition({ conversion: { strategy: 'None' } }), endpoint)).toBeUndefined();
  });

  it('have their Service again before clusterctl brings another version', () => {
    const definition = (clientConfig: object) => ({
      ...{ apiVersion: 'v1', kind: 'CRD', metadata: { name: 'a' } },
      spec: { conversion: { strategy: 'Webhook', webhook: { clientConfig } } },
    });
    expect(conversionRelease(definition(url), 'capi-system')).toEqual({
      spec: {
        conversion: {
          webhook: {
            clientConfig: {
              url: null,
              service: { namespace: 'capi-system', name: 'webhook-service', path: '/mutate' },
            },
          },
        },
      },
    });
    expect(conversionRelease(definition({ service }), 'capi-system')).toBeUndefined();
  });
});
