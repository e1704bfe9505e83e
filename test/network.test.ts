import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterSpec, KubernetesObject } from '../contracts/cluster-spec.ts';
import type { ProviderContext } from '../contracts/provider-plugin.ts';
import { bringsNetwork, installNetwork, isNetworkCurrent, type NetworkInstallation } from '../core/clusters/cni.ts';
import { changedSpec, type ExampleSpec } from '../core/clusters/spec/testing.ts';
import { toolRunner } from '../core/host/run-tool.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { chartsUnavailable, startChartGround, type ChartGround } from './helpers/chart-ground.ts';
import { generateChartArchive } from './helpers/images.ts';
import { smallCilium, smallCiliumTemplates } from './lab/small-cilium.ts';

const signal = new AbortController().signal;
const provider = { capi: () => ({ name: 'example', namespace: 'example-system', env: {}, programs: {} }) };

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Found = KubernetesObject & { spec: any; data: Record<string, string> };

describe.skipIf(chartsUnavailable !== undefined)(`the network of a cluster ${chartsUnavailable ?? ''}`, () => {
  let ground: ChartGround;
  let cluster: Cluster;
  let context: ProviderContext;

  beforeAll(async () => {
    ground = await startChartGround('network');
    cluster = ground.cluster;
  });
  afterAll(() => ground[Symbol.asyncDispose]());
  beforeEach(async () => {
    context = ground.context();
    for (const [kind, name] of workloads) await cluster.delete(object(kind, name));
  });

  const workloads = [
    ['DaemonSet', 'cilium'],
    ['Deployment', 'cilium-operator'],
  ] as const;

  function object(kind: string, name: string, namespace = 'kube-system'): KubernetesObject {
    const groups: Record<string, string> = { NetworkPolicy: 'networking.k8s.io/v1', ConfigMap: 'v1', Pod: 'v1' };
    return { apiVersion: groups[kind] ?? 'apps/v1', kind, metadata: { name, namespace } };
  }
  async function found(kind: string, name: string, namespace?: string): Promise<Found | undefined> {
    return (await cluster.get(object(kind, name, namespace))) as Found | undefined;
  }
  function installation(
    change: (example: ExampleSpec) => void = () => undefined,
    { version = '1.19.4', previous }: { version?: string; previous?: ClusterSpec } = {},
  ): NetworkInstallation {
    const chart = generateChartArchive({ name: 'cilium', version, templates: smallCiliumTemplates });
    const { agent, operator } = smallCilium(version);
    return {
      spec: changedSpec(change),
      provider,
      release: { kubernetesVersion: 'v1.34.6', cilium: { chart, version, agent, operator } },
      context,
      ...(previous === undefined ? {} : { previous }),
    };
  }
  const cilium =
    (config: object) =>
    ({ cluster: { spec } }: ExampleSpec): void => {
      spec.clusterNetwork.cniConfig = { cilium: config };
    };
  const images = ({ spec }: Found): string[] =>
    spec.template.spec.containers.map(({ image }: { image: string }) => image);

  it('is what the chart makes, with images from the mirror only, and without what is for tests of it', async () => {
    const mirrored = installation(({ cluster: { spec } }) => {
      spec.registryMirrorConfiguration = {
        endpoint: 'mirror.example.com',
        port: '5000',
        ociNamespaces: [{ registry: 'public.ecr.aws', namespace: 'ecr' }],
      };
    });
    await installNetwork(mirrored, cluster, signal);
    expect(images((await found('DaemonSet', 'cilium'))!)).toEqual([
      'mirror.example.com:5000/ecr/eks/cilium/cilium:v1.19.4-1',
    ]);
    const operator = (await found('Deployment', 'cilium-operator'))!;
    expect(images(operator)).toEqual(['mirror.example.com:5000/ecr/eks/cilium/operator-generic:v1.19.4-1']);
    expect(operator.spec.replicas).toBe(2);
    expect((await found('ConfigMap', 'cilium-config'))!.data).toEqual({
      'enable-policy': 'default',
      'routing-mode': 'tunnel',
      'upgrade-compatibility': 'none',
      kubernetes: 'v1.34.6',
    });
    expect(await found('Pod', 'cilium-test')).toBeUndefined();
  });

  it('is installed once: again, nothing is asked of helm, and nothing changes', async () => {
    await installNetwork(installation(), cluster, signal);
    const before = (await found('DaemonSet', 'cilium'))!.metadata.resourceVersion;
    context.run = () => Promise.reject(new Error('helm was run'));
    await installNetwork(installation(), cluster, signal);
    expect((await found('DaemonSet', 'cilium'))!.metadata.resourceVersion).toBe(before);
  });

  it('is gone on with when it was broken off before the agent, which comes last', async () => {
    await installNetwork(installation(), cluster, signal);
    await cluster.delete(object('DaemonSet', 'cilium'));
    await cluster.delete(object('Deployment', 'cilium-operator'));
    await installNetwork(installation(), cluster, signal);
    expect(await found('Deployment', 'cilium-operator')).toBeDefined();
    expect(await found('DaemonSet', 'cilium')).toBeDefined();
  });

  it('follows an upgrade, and says to the chart what the agents are that still run', async () => {
    await installNetwork(installation(), cluster, signal);
    const { spec: previous } = installation();
    await installNetwork(
      installation(cilium({ routingMode: 'direct' }), { version: '1.20.0', previous }),
      cluster,
      signal,
    );
    expect(images((await found('DaemonSet', 'cilium'))!)).toEqual(['public.ecr.aws/eks/cilium/cilium:v1.20.0-1']);
    expect((await found('ConfigMap', 'cilium-config'))!.data).toMatchObject({
      'routing-mode': 'native',
      'upgrade-compatibility': '1.19',
    });
  });

  it('is known to be what would be installed, or not', async () => {
    expect(await isNetworkCurrent(installation(), cluster)).toBe(false);
    await installNetwork(installation(), cluster, signal);
    expect(await isNetworkCurrent(installation(), cluster)).toBe(true);
    for (const other of [
      installation(cilium({ routingMode: 'direct' })),
      installation(undefined, { version: '1.20.0' }),
    ]) {
      expect(await isNetworkCurrent(other, cluster)).toBe(false);
    }
    const { spec: previous } = installation();
    expect(await isNetworkCurrent(installation(cilium({ skipUpgrade: true }), { previous }), cluster)).toBe(true);
  });

  it('is left to its operator by skipUpgrade, once it is there', async () => {
    const { spec: previous } = installation(cilium({ skipUpgrade: true }));
    expect(bringsNetwork(installation(cilium({ skipUpgrade: true })))).toBe(true);
    await installNetwork(installation(cilium({ skipUpgrade: true }), { previous }), cluster, signal);
    expect(await found('DaemonSet', 'cilium')).toBeUndefined();
  });

  it('opens what a management cluster lives by, where nothing may talk otherwise', async () => {
    await installNetwork(installation(cilium({ policyEnforcementMode: 'always' })), cluster, signal);
    expect((await found('ConfigMap', 'cilium-config'))!.data['enable-policy']).toBe('always');
    for (const namespace of ['kube-system', 'eksa-system', 'capi-system', 'example-system']) {
      const policy = await found('NetworkPolicy', `allow-all-${namespace}`, namespace);
      expect(policy?.spec, namespace).toMatchObject({ podSelector: {}, ingress: [{}], egress: [{}] });
    }
  });

  it('is made of helmValues alone where a specification has them', async () => {
    const helmValues = {
      image: { repository: 'own', tag: 'v1' },
      operator: { image: { repository: 'own', tag: 'v1' } },
    };
    await installNetwork(installation(cilium({ helmValues })), cluster, signal);
    expect(images((await found('DaemonSet', 'cilium'))!)).toEqual(['own:v1']);
    expect((await found('ConfigMap', 'cilium-config'))!.data['routing-mode']).toBe('');
  });

  it('one control plane without workers has one operator: two would not find two nodes', async () => {
    const alone = installation(({ cluster: { spec } }) => {
      spec.controlPlaneConfiguration.count = 1;
      spec.workerNodeGroupConfigurations = [];
    });
    await installNetwork(alone, cluster, signal);
    expect((await found('Deployment', 'cilium-operator'))!.spec.replicas).toBe(1);
  });

  it('needs helm where the worker runs', async () => {
    context.run = toolRunner([], { PATH: context.scratch });
    await expect(installNetwork(installation(), cluster, signal)).rejects.toMatchObject({ type: 'ToolMissing' });
  });
});

describe('who brings the network', () => {
  const release = { kubernetesVersion: 'v1.34.6' };
  const brought = { ...release, cilium: { chart: new Uint8Array(), version: '1', agent: 'a:1', operator: 'b:1' } };

  it('is Sealift, when the specification asks for Cilium and the release has it', () => {
    const spec = changedSpec(() => undefined);
    expect(bringsNetwork({ spec, release: brought })).toBe(true);
    expect(bringsNetwork({ spec, release })).toBe(false);
    const other = changedSpec(({ cluster }) => {
      cluster.spec.clusterNetwork.cniConfig = { kindnetd: {} };
    });
    expect(bringsNetwork({ spec: other, release: brought })).toBe(false);
  });
});
