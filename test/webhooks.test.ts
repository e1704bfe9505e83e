import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMap, parseAllDocuments, stringify } from 'yaml';
import type { KubernetesObject } from '../contracts/cluster-spec.ts';
import type { ProviderContext, ProviderPlugin, RenderRequest } from '../contracts/provider-plugin.ts';
import { mirrorSecret } from '../core/clusters/render/mirror.ts';
import { readText } from '../core/clusters/spec/testing.ts';
import { openApiServer, type ApiServer } from '../core/kubernetes/api-server.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import { discoverResources, type Resources } from '../core/kubernetes/resources.ts';
import { inMemory } from '../plugins/providers/in-memory/index.ts';
import { tinkerbell } from '../plugins/providers/tinkerbell/index.ts';
import { vsphere } from '../plugins/providers/vsphere/index.ts';
import { generateCertificates } from './helpers/certificates.ts';
import { samplesFolder, temporaryFolder } from './helpers/paths.ts';
import { labUnavailable, startLab, type Lab } from './lab/lab.ts';

// What is rendered is shown to a real API server with the real Cluster API, as a server-side apply that is not kept: its webhooks
// say what they would say, and a field that a kind does not have is an error. Objects of infrastructures are left to the tests
// that run their controllers.

const unavailable = await labUnavailable();
const providers: Record<string, ProviderPlugin> = { vsphere, tinkerbell, 'in-memory': inMemory };
const versions = { '1.32': 'v1.32.9', '1.33': 'v1.33.5', '1.34': 'v1.34.6' };
const images: RenderRequest['images'] = {
  kubernetesRepository: 'public.ecr.aws/eks-distro/kubernetes',
  etcd: { repository: 'public.ecr.aws/eks-distro/etcd-io/etcd', tag: 'v3.5.21-eks-1-34-9' },
  coreDns: { repository: 'public.ecr.aws/eks-distro/coredns/coredns', tag: 'v1.12.3-eks-1-34-9' },
  kubeVip: 'public.ecr.aws/release-container-registry/kube-vip/kube-vip:v1.0.1-eks-a-1',
  cloudProvider:
    'public.ecr.aws/release-container-registry/kubernetes/cloud-provider-vsphere/cpi/manager:v1.34.0-eks-a-1',
};
const env = {
  ...{ EKSA_VSPHERE_USERNAME: 'capv', EKSA_VSPHERE_PASSWORD: 'secret' },
  ...{ REGISTRY_USERNAME: 'robot', REGISTRY_PASSWORD: 'secret' },
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Fields = Record<string, any>;
/** `spec` of the documents, and further documents for a test to add. */
interface Documents {
  cluster: Fields;
  machines: Fields[];
  added: object[];
}
type Change = (documents: Documents) => void;

const certificate = { pem: '' };
const mirror = (more: object = {}): object => ({
  endpoint: 'mirror.example.com',
  port: '5000',
  ociNamespaces: [
    { registry: 'public.ecr.aws', namespace: 'ecr' },
    { registry: 'quay.io', namespace: 'quay' },
  ],
  ...more,
});
const taint = { key: 'dedicated', value: 'batch', effect: 'NoSchedule' };
const health = { maxUnhealthy: '50%', nodeStartupTimeout: '15m0s', unhealthyMachineTimeout: '2m0s' };

const variants: Record<string, Change> = {
  'as it is generated': () => undefined,
  'taints and labels': ({ cluster }) => {
    Object.assign(cluster.controlPlaneConfiguration, { taints: [taint], labels: { 'example.com/role': 'cp' } });
    Object.assign(cluster.workerNodeGroupConfigurations[0], { labels: { zone: 'a', disk: 'fast' } });
  },
  'no taints at all': ({ cluster }) => {
    cluster.controlPlaneConfiguration.taints = [];
  },
  'users and time servers': ({ machines }) => {
    for (const machine of machines) {
      machine.users = [
        { name: 'ops', sshAuthorizedKeys: ['ssh-ed25519 AAAA a@example.com', 'ssh-ed25519 BBBB b@example.com'] },
      ];
      machine.hostOSConfiguration = { ntpConfiguration: { servers: ['ntp.example.com', '192.0.2.123'] } };
    }
  },
  'a proxy': ({ cluster }) => {
    const proxy = 'http://proxy.example.com:3128';
    cluster.proxyConfiguration = { httpProxy: proxy, httpsProxy: proxy, noProxy: ['192.0.2.0/24'] };
  },
  'a registry mirror': ({ cluster }) => {
    cluster.registryMirrorConfiguration = mirror();
  },
  'a registry mirror with an authority and a password': ({ cluster }) => {
    cluster.registryMirrorConfiguration = mirror({ authenticate: true, caCertContent: certificate.pem });
  },
  'a registry mirror that is not checked': ({ cluster }) => {
    cluster.registryMirrorConfiguration = { endpoint: '192.0.2.20', insecureSkipVerify: true };
  },
  'three worker groups, one that scales itself': ({ cluster }) => {
    const [first] = cluster.workerNodeGroupConfigurations;
    cluster.workerNodeGroupConfigurations = [
      { ...first, kubernetesVersion: '1.34' },
      { ...first, name: 'scaling', count: 1, autoscalingConfiguration: { minCount: 1, maxCount: 5 } },
      { ...first, name: 'tainted', count: 0, taints: [taint] },
    ];
  },
  'rolling with a surge': ({ cluster }) => {
    cluster.controlPlaneConfiguration.upgradeRolloutStrategy = {
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1 },
    };
    const rollingUpdate = { maxSurge: 2, maxUnavailable: 1 };
    cluster.workerNodeGroupConfigurations[0].upgradeRolloutStrategy = { type: 'RollingUpdate', rollingUpdate };
  },
  'rolling without a machine more': ({ cluster }) => {
    cluster.controlPlaneConfiguration.upgradeRolloutStrategy = { rollingUpdate: { maxSurge: 0 } };
    const rollingUpdate = { maxSurge: 0, maxUnavailable: 1 };
    cluster.workerNodeGroupConfigurations[0].upgradeRolloutStrategy = { rollingUpdate };
  },
  'one control plane': ({ cluster }) => {
    cluster.controlPlaneConfiguration.count = 1;
  },
  'an issuer of pods’ tokens': ({ cluster }) => {
    cluster.podIamConfig = { serviceAccountIssuer: 'https://issuer.example.com' };
  },
  'an OIDC provider': ({ cluster, added }) => {
    cluster.identityProviderRefs = [{ kind: 'OIDCConfig', name: 'idp' }];
    const spec = {
      clientId: 'k8s',
      issuerUrl: 'https://idp.example.com',
      requiredClaims: [{ claim: 'a', value: 'b' }],
    };
    added.push({
      apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1',
      kind: 'OIDCConfig',
      metadata: { name: 'idp' },
      spec,
    });
  },
  'flags, an audit policy and names of its API server': ({ cluster }) => {
    Object.assign(cluster.controlPlaneConfiguration, {
      apiServerExtraArgs: { 'event-ttl': '2h' },
      auditPolicyContent: 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n',
      certSans: ['api.example.com', '192.0.2.200'],
    });
  },
  'kubelets, a resolver and blocks of its own': ({ cluster }) => {
    cluster.controlPlaneConfiguration.kubeletConfiguration = {
      maxPods: 60,
      evictionHard: { 'memory.available': '1Gi' },
    };
    cluster.workerNodeGroupConfigurations[0].kubeletConfiguration = { maxPods: 250 };
    cluster.clusterNetwork.dns = { resolvConf: { path: '/etc/own-resolv.conf' } };
    cluster.clusterNetwork.nodes = { cidrMaskSize: 25 };
  },
  'health checks': ({ cluster }) => {
    cluster.machineHealthCheck = health;
    cluster.controlPlaneConfiguration.machineHealthCheck = { maxUnhealthy: 1 };
    cluster.workerNodeGroupConfigurations[0].machineHealthCheck = { nodeStartupTimeout: '1h30m' };
  },
  'a load balancer of somebody else': ({ cluster }) => {
    cluster.controlPlaneConfiguration.skipLoadBalancerDeployment = true;
  },
};

/** What only one of them can have. */
const ownVariants: Record<string, Record<string, Change>> = {
  vsphere: {
    'a worker group of an older Kubernetes': ({ cluster }) => {
      const [first] = cluster.workerNodeGroupConfigurations;
      cluster.workerNodeGroupConfigurations.push({ ...first, name: 'older', kubernetesVersion: '1.33' });
    },
  },
  tinkerbell: {
    'no worker at all': ({ cluster }) => {
      cluster.workerNodeGroupConfigurations = [];
    },
  },
};

describe.skipIf(unavailable !== undefined)(`what is rendered${unavailable ?? ''}`, () => {
  let lab: Lab;
  let server: ApiServer;
  let resources: Resources;

  beforeAll(async () => {
    const { path, remove } = await temporaryFolder('webhooks');
    certificate.pem = readFileSync((await generateCertificates(path)).ca, 'utf8');
    await remove();
    lab = await startLab();
    const { kubeconfig } = await lab.startManagementCluster('webhooks');
    await using cluster = await openCluster(kubeconfig);
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'eksa-system' } });
    server = await openApiServer(kubeconfig);
    resources = discoverResources(server);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await lab.stop();
  });

  /** @returns the object as it would be kept */
  async function show(object: KubernetesObject): Promise<KubernetesObject> {
    const doing = { operation: 'show', subject: `${object.kind} ${object.metadata.name}` };
    const paths = await resources.find(object, doing);
    const { body } = await server.ask({
      ...doing,
      method: 'PATCH',
      path: paths.object(object.metadata.name, object.metadata.namespace),
      query: { fieldManager: 'test', force: 'true', dryRun: 'All', fieldValidation: 'Strict' },
      body: object,
      contentType: 'application/apply-patch+yaml',
    });
    return body as KubernetesObject;
  }

  /** Shows all that a specification becomes. @returns the kinds, each once */
  async function showAll(provider: ProviderPlugin, text: string): Promise<string[]> {
    const { spec, findings } = readText(text, Object.values(providers));
    expect(findings.filter(({ status }) => status === 'problem')).toEqual([]);
    const minor = spec!.cluster.spec.kubernetesVersion;
    const kubernetesVersion = (versions as Record<string, string>)[minor] ?? `v${minor}.0`;
    const rendered = provider.render({ spec: spec!, kubernetesVersion, images, workerVersions: versions });
    const secrets = await provider.credentials(spec!, { env } as Partial<ProviderContext> as ProviderContext);
    const registry = mirrorSecret(spec!, { name: env.REGISTRY_USERNAME, password: env.REGISTRY_PASSWORD });
    const common = [...rendered, ...secrets, ...(registry === undefined ? [] : [registry])].filter(
      ({ apiVersion }) => !apiVersion.startsWith('infrastructure.'),
    );
    for (const object of common) expect((await show(object)).metadata.uid).toBeDefined();
    return [...new Set(common.map(({ kind }) => kind))].sort();
  }

  function changed(provider: ProviderPlugin, change: Change): string {
    const all = parseAllDocuments(provider.specTemplate('prod')).map((document) => document.toJS() as Fields);
    const specOf = (kind: string): Fields[] =>
      all.filter((document) => document.kind === kind).map((document) => (document.spec ??= {}) as Fields);
    const added: object[] = [];
    change({ cluster: specOf('Cluster')[0]!, machines: specOf(provider.kinds.machine), added });
    return [...all, ...added].map((one) => stringify(one)).join('---\n');
  }

  describe.each(['vsphere', 'tinkerbell'])('for %s', (name) => {
    it.each(Object.entries({ ...variants, ...ownVariants[name] }))('is taken: %s', async (_name, change) => {
      const provider = providers[name]!;
      expect(await showAll(provider, changed(provider, change))).toEqual(
        expect.arrayContaining(['Cluster', 'KubeadmControlPlane', 'MachineHealthCheck']),
      );
    });
  });

  it('is taken for the provider of tests, its own objects too', async () => {
    expect(await showAll(inMemory, inMemory.specTemplate('prod'))).toContain('KubeadmConfigTemplate');
    const { spec } = readText(inMemory.specTemplate('prod'), [inMemory]);
    const rendered = inMemory.render({ spec: spec!, kubernetesVersion: versions['1.34'], images });
    for (const object of rendered.filter(({ apiVersion }) => apiVersion.startsWith('infrastructure.')))
      await show(object);
  });

  const samples = join(samplesFolder, 'eks-anywhere');
  it.skipIf(!existsSync(samples)).each([
    ['vsphere', 'vsphere-cluster.yaml'],
    ['tinkerbell', 'tinkerbell-cluster.yaml'],
    ['tinkerbell', 'tinkerbell-cluster-registry-mirror.yaml'],
  ])(`is taken for upstream's own specification for %s (%s)`, async (name, file) => {
    const text = readFileSync(join(samples, file), 'utf8');
    // no provider makes machines of etcd's own yet, which is a problem in a specification
    const written = parseAllDocuments(text).filter(({ contents }) => isMap(contents));
    const without = written.map((document) => {
      document.deleteIn(['spec', 'externalEtcdConfiguration']);
      return document.toString();
    });
    expect(await showAll(providers[name]!, without.join('---\n'))).toContain('MachineDeployment');
  });

  it('would be refused by the webhooks of each kind, if it were wrong', async () => {
    const { spec } = readText(vsphere.specTemplate('prod'), Object.values(providers));
    const objects = vsphere.render({ spec: spec!, kubernetesVersion: versions['1.34'], images });
    const broken = (kind: string, change: (object: Fields) => void): Promise<unknown> => {
      const object = structuredClone(objects.find((one) => one.kind === kind)!);
      change(object.spec as Fields);
      return show(object);
    };
    await expect(broken('KubeadmControlPlane', (one) => (one.replicas = 2))).rejects.toThrow(/even number/);
    await expect(broken('KubeadmControlPlane', (one) => (one.version = '1.34'))).rejects.toThrow(/semantic version/);
    await expect(broken('MachineDeployment', (one) => (one.selector = { matchLabels: { a: 'b' } }))).rejects.toThrow(
      /must match/,
    );
    await expect(
      broken(
        'KubeadmConfigTemplate',
        (one) => (one.template.spec.users = [{ name: 'a', passwd: 'b', passwdFrom: {} }]),
      ),
    ).rejects.toThrow();
    await expect(broken('Cluster', (one) => (one.clusterNetwork.pods.cidrBlocks = ['no block']))).rejects.toThrow(
      /no block/,
    );
    const nothing = (one: Fields): unknown => (one.remediation = { triggerIf: { unhealthyLessThanOrEqualTo: 'many' } });
    await expect(broken('MachineHealthCheck', nothing)).rejects.toThrow(/unhealthyLessThanOrEqualTo/);
    await expect(broken('KubeadmControlPlane', (one) => (one.unknownField = true))).rejects.toThrow(/unknownField/);
  });
});
