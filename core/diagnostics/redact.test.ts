import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { encodedForms } from './encoded-forms.ts';
import { redactedJson, redactText } from './redactor.ts';
import { SecretValues } from './secret-values.ts';
import { stripObject } from './strip-object.ts';

const CANARY = 'c4nary-Pa55&w"rd';

/** An object as it comes into the archive. */
function archived(object: KubernetesObject, secrets = new SecretValues()): string {
  return redactedJson(stripObject(object, secrets), secrets);
}

function object(apiVersion: string, kind: string, fields: object, metadata: object = {}): KubernetesObject {
  return { apiVersion, kind, metadata: { name: 'one', namespace: 'eksa-system', ...metadata }, ...fields };
}

function secret(data: Record<string, string>, type = 'Opaque'): KubernetesObject {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return object('v1', 'Secret', { type, data: Object.fromEntries(encoded) }, { labels: { app: 'x' } });
}

const kubeadmSpec = {
  files: [{ path: '/etc/app.conf', permissions: '0600', content: `password = '${CANARY}'\n` }],
  users: [{ name: 'ec2-user', passwd: CANARY, sshAuthorizedKeys: ['ssh-ed25519 AAAAC3Nza me@here'] }],
  joinConfiguration: { discovery: { bootstrapToken: { token: CANARY, apiServerEndpoint: '192.0.2.1:6443' } } },
};

describe('an object that holds a secret', () => {
  it.each<[string, KubernetesObject, string[]]>([
    ['Secret', secret({ password: CANARY }), ['"password"', '"Opaque"', '"app"']],
    [
      "kubectl's copy of one",
      object(
        'v1',
        'Secret',
        { data: {} },
        { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': CANARY } },
      ),
      ['"one"'],
    ],
    ['ConfigMap', object('v1', 'ConfigMap', { data: { 'vsphere.conf': CANARY } }), ['vsphere.conf']],
    [
      'KubeadmConfig',
      object('bootstrap.cluster.x-k8s.io/v1beta2', 'KubeadmConfig', { spec: kubeadmSpec }),
      ['/etc/app.conf', 'ec2-user', 'ssh-ed25519 AAAAC3Nza', '192.0.2.1:6443'],
    ],
    [
      'KubeadmControlPlane, copied for conversion',
      object(
        'controlplane.cluster.x-k8s.io/v1beta2',
        'KubeadmControlPlane',
        { spec: { kubeadmConfigSpec: kubeadmSpec } },
        { annotations: { 'cluster.x-k8s.io/conversion-data': JSON.stringify(kubeadmSpec) } },
      ),
      ['conversion-data', '/etc/app.conf'],
    ],
    [
      'VSphereClusterIdentity',
      object('infrastructure.cluster.x-k8s.io/v1beta1', 'VSphereClusterIdentity', {
        spec: { secretName: 'one-vsphere-credentials', password: CANARY },
      }),
      ['one-vsphere-credentials'],
    ],
    [
      "Deployment of vSphere's controllers",
      object('apps/v1', 'Deployment', {
        spec: {
          template: { spec: { containers: [{ env: [{ name: 'GOVC_PASSWORD', value: CANARY }], args: ['--v=2'] }] } },
        },
      }),
      ['GOVC_PASSWORD', '--v=2'],
    ],
    [
      'VSphereMachine behind a proxy',
      object('infrastructure.cluster.x-k8s.io/v1beta1', 'VSphereMachine', {
        spec: { server: 'vcenter.example', url: 'https://robot:c4nary-Pa55@vcenter.example/sdk', note: 'c4nary-Pa55' },
      }),
      ['vcenter.example', '***@'],
    ],
    [
      'Machine of a BMC',
      object('bmc.tinkerbell.org/v1alpha1', 'Machine', {
        spec: {
          connection: { host: '192.0.2.7', password: CANARY, authSecretRef: { name: 'bmc-one', namespace: 'x' } },
        },
      }),
      ['192.0.2.7', 'bmc-one'],
    ],
    [
      'Hardware',
      object('tinkerbell.org/v1alpha1', 'Hardware', {
        spec: { userData: `#cloud-config ${CANARY}`, bmcRef: { name: 'bmc-one' }, disks: [{ device: '/dev/sda' }] },
      }),
      ['bmc-one', '/dev/sda'],
    ],
    [
      'Template',
      object('tinkerbell.org/v1alpha1', 'Template', { spec: { data: `tasks: [{ CONTENTS: ${CANARY} }]` } }),
      ['"spec"'],
    ],
    [
      'TinkerbellTemplateConfig',
      object('anywhere.eks.amazonaws.com/v1alpha1', 'TinkerbellTemplateConfig', {
        spec: { template: { tasks: [{ actions: [{ name: 'write', environment: { CONTENTS: CANARY } }] }] } },
      }),
      ['"write"'],
    ],
    [
      'TinkerbellMachineTemplate',
      object('infrastructure.cluster.x-k8s.io/v1beta1', 'TinkerbellMachineTemplate', {
        spec: { template: { spec: { templateOverride: CANARY, hardwareAffinity: { required: [] } } } },
      }),
      ['hardwareAffinity'],
    ],
  ])('%s keeps what is of use, and not that', (_, found, kept) => {
    const text = archived(found);
    for (const form of encodedForms(CANARY)) expect(text).not.toContain(form);
    expect(text).not.toContain('c4nary-Pa55');
    for (const part of kept) expect(text).toContain(part);
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });
});

describe('text', () => {
  const knowing = (...values: string[]): SecretValues => {
    const secrets = new SecretValues();
    for (const value of values) secrets.add(value);
    return secrets;
  };

  it.each([
    ['as it is', (value: string) => value],
    ['in JSON', (value: string) => JSON.stringify(value)],
    ['in JSON in JSON', (value: string) => JSON.stringify(JSON.stringify(value))],
    ['in base64', (value: string) => Buffer.from(value).toString('base64')],
    ['in base64 with a user', (value: string) => Buffer.from(`robot:${value}`).toString('base64')],
    ['in base64 with another user', (value: string) => Buffer.from(`robots:${value}`).toString('base64')],
    ['in a URL', (value: string) => encodeURIComponent(value)],
    ['in hexadecimal digits', (value: string) => Buffer.from(value).toString('hex')],
  ])('loses a known secret that is written %s', (_, write) => {
    const written = write(CANARY);
    const cleaned = redactText(`before ${written} after`, knowing(CANARY));
    expect(cleaned).toMatch(/^before .*\*\*\*.* after$/);
    for (const form of encodedForms(CANARY)) expect(cleaned).not.toContain(form);
  });

  it('loses secrets that overlap, all of both', () => {
    expect(redactText('x abcdefghijkl y', knowing('abcdefgh', 'efghijkl'))).toBe('x *** y');
  });

  it('loses what is within a known Secret: the token and key of a kubeconfig, lines of a key, the password of a registry', () => {
    const secrets = new SecretValues();
    const key =
      '-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7Zk1\nq8n2yVbGhJ3kLm5PqRsT\n-----END RSA PRIVATE KEY-----\n';
    const auth = Buffer.from('robot:very-s3cret').toString('base64');
    for (const found of [
      secret({
        value: `users:\n- user:\n    token: tok3n-of-kubeconfig\n    client-key-data: ${Buffer.from(key).toString('base64')}\n`,
      }),
      secret(
        { '.dockerconfigjson': JSON.stringify({ auths: { 'r.example': { auth } } }) },
        'kubernetes.io/dockerconfigjson',
      ),
      secret({ 'hosts.toml': `authorization = ["Basic ${Buffer.from('robot:mirr0r-word').toString('base64')}"]` }),
    ]) {
      stripObject(found, secrets);
    }
    const said = 'tok3n-of-kubeconfig, q8n2yVbGhJ3kLm5PqRsT, very-s3cret, mirr0r-word, r.example';
    expect(redactText(said, secrets)).toBe('***, ***, ***, ***, r.example');
  });

  it.each([
    ['dial https://robot:hunter22@host.example/x?timeout=10s', 'dial https://robot:***@host.example/x?timeout=10s'],
    ['Authorization: Bearer abc123.DEF456', 'Authorization: Bearer ***'],
    ['login --password hunter22 --user robot', 'login --password *** --user robot'],
    ['{"token":"abc123","user":"robot"}', '{"token":***,"user":"robot"}'],
    ['msg="x" body="{\\"password\\":\\"hunter22\\",\\"a\\":1}"', 'msg="x" body="{\\"password\\":***,\\"a\\":1}"'],
    ['joined with abcdef.0123456789abcdef', 'joined with ***'],
    ['t=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl.', 't=***.'],
    ['-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nrest', '***\nrest'],
    ['-----BEGIN PRIVATE KEY-----\ncut off', '***'],
  ])('loses what looks like a secret: %s', (text, cleaned) => {
    expect(redactText(text, new SecretValues())).toBe(cleaned);
  });

  it.each([
    'Reconciling Cluster eksa-system/one, secret one-kubeconfig',
    'E1121 17:00:00.000000 1 machine.go:12] machine "one-md-0-x7k2p" is not ready: waiting for bootstrap data',
    'GET https://127.0.0.1:6443/api/v1/nodes?limit=500&timeout=10s 200 OK',
    'token=true, password=null',
  ])('keeps what does not: %s', (text) => {
    expect(redactText(text, knowing(CANARY))).toBe(text);
  });
});

describe('whatever value is in a Secret', () => {
  // marks of what was taken out may together look like a secret that is nothing but stars
  const value = fc
    .string({ minLength: 6, maxLength: 60, unit: 'binary' })
    .filter((text) => /[^*\s]{4}/.test(text.trim()));
  const around = fc.string({ maxLength: 30, unit: 'binary' });

  it('is nowhere in what is archived, wherever it was written', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), around, (values, filler) => {
        const secrets = new SecretValues();
        const data = Object.fromEntries(values.map((one, index) => [`key${index}`, one]));
        const objects = [
          secret(data),
          object('example.cluster.x-k8s.io/v1', 'Thing', {
            spec: { list: values, [`x${values[0]}`]: filler + values[0], nested: { text: values.join(filler) } },
            status: { conditions: [{ message: `${filler}${JSON.stringify(values)}` }] },
          }),
        ];
        const json = redactedJson(
          objects.map((one) => stripObject(one, secrets)),
          secrets,
        );
        const log = redactText(values.map((one) => `${filler}${one}${encodeURIComponent(one)}`).join('\n'), secrets);
        for (const one of values.map((text) => text.trim()).filter(({ length }) => length >= 6)) {
          for (const form of encodedForms(one)) {
            expect(log.includes(form), `${JSON.stringify(one)} in ${log}`).toBe(false);
            expect(json.includes(form), `${JSON.stringify(one)} in ${json}`).toBe(false);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
