import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import type { ClusterSpec, KubernetesObject } from '../contracts/cluster-spec.ts';
import type { ProviderContext } from '../contracts/provider-plugin.ts';
import {
  awaitProviderCharts,
  changesOfCharts,
  installProviderCharts,
  type ChartMaking,
} from '../core/clusters/provider-charts.ts';
import type { StackChart } from '../core/clusters/stack-release.ts';
import { readText } from '../core/clusters/spec/testing.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { tinkerbell } from '../plugins/providers/tinkerbell/index.ts';
import { chartsUnavailable, startChartGround, type ChartGround } from './helpers/chart-ground.ts';
import { generateChartArchive } from './helpers/images.ts';
import { definitionsChart, smallStack, smallTinkerbellTemplates } from './lab/small-tinkerbell.ts';

const signal = new AbortController().signal;
const namespace = 'eksa-system';
const bootstrapAddress = '192.0.2.12';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Found = KubernetesObject & { spec: any; data: Record<string, string> };
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Change = (cluster: any, datacenter: any) => void;

/** The plugin's own specification, with a bootstrap address and a mirror. */
function specAfter(change: Change = () => undefined): ClusterSpec {
  const documents = parseAllDocuments(tinkerbell.specTemplate('prod')).map(
    (document) => document.toJS() as Record<string, Record<string, unknown>>,
  );
  const [cluster, datacenter] = documents;
  cluster!['metadata']!['annotations'] = { 'anywhere.eks.amazonaws.com/tinkerbell-bootstrap-ip': bootstrapAddress };
  cluster!['spec']!['registryMirrorConfiguration'] = {
    ...{ endpoint: 'mirror.example.com', port: '5000' },
    ociNamespaces: [{ registry: 'origin.test', namespace: 'mirrored' }],
  };
  change(cluster!['spec'], datacenter!['spec']);
  return readText(documents.map((document) => stringify(document)).join('---\n'), [tinkerbell]).spec!;
}

describe.skipIf(chartsUnavailable !== undefined)(
  `what a provider needs beside Cluster API ${chartsUnavailable ?? ''}`,
  () => {
    let ground: ChartGround;
    let cluster: Cluster;
    let definitions: StackChart;

    beforeAll(async () => {
      definitions = await definitionsChart();
      ground = await startChartGround('charts');
      cluster = ground.cluster;
    });
    afterAll(() => ground[Symbol.asyncDispose]());

    function making(
      spec: ClusterSpec,
      { version = '0.1.0', run }: { version?: string; run?: ProviderContext['run'] },
    ): ChartMaking {
      const archive = generateChartArchive({
        name: 'tinkerbell',
        version,
        templates: smallTinkerbellTemplates(version),
      });
      const stack = smallStack({ services: { archive, version }, definitions }, version);
      const context = { ...ground.context(), ...(run === undefined ? {} : { run }) };
      const release = { kubernetesVersion: 'v1.34.6', stack };
      return { spec, provider: tinkerbell, release, context };
    }
    const found = async (apiVersion: string, kind: string, name: string): Promise<Found | undefined> =>
      (await cluster.get({ apiVersion, kind, metadata: { name, namespace } })) as Found | undefined;
    const deployed = async (): Promise<Found> => (await found('apps/v1', 'Deployment', 'tinkerbell'))!;
    const imagesOf = ({ spec }: Found): string[] =>
      [...(spec.template.spec.initContainers ?? []), ...spec.template.spec.containers].map(
        ({ image }: { image: string }) => image,
      );

    it('is on a bootstrap cluster at the address of its node, definitions first', async () => {
      await installProviderCharts(making(specAfter(), {}), 'bootstrap', cluster, signal);
      const { spec } = await deployed();
      expect(spec.template.spec.hostNetwork).toBe(true);
      expect(spec.template.spec.containers[0].env).toEqual([
        { name: 'TINKERBELL_PUBLIC_IPV4', value: bootstrapAddress },
      ]);
      expect(await found('apps/v1', 'DaemonSet', 'kube-vip')).toBeUndefined();
      expect(await cluster.list({ apiVersion: 'tinkerbell.org/v1alpha1', kind: 'Hardware' })).toEqual([]);
      expect(await cluster.list({ apiVersion: 'bmc.tinkerbell.org/v1alpha1', kind: 'Machine' })).toEqual([]);
    });

    it('is on a management cluster at an address of its own, with images from the mirror only', async () => {
      await installProviderCharts(making(specAfter(), {}), 'self', cluster, signal);
      const services = await deployed();
      expect(services.spec.template.spec.hostNetwork).toBeUndefined();
      expect(services.spec.template.spec.containers[0].env[0].value).toBe('192.0.2.11');
      const announcer = await found('apps/v1', 'DaemonSet', 'kube-vip');
      expect([...imagesOf(services), ...imagesOf(announcer!)]).toEqual([
        'mirror.example.com:5000/mirrored/tinkerbell/relay-init:v1',
        'mirror.example.com:5000/mirrored/tinkerbell/tinkerbell:v0.1.0',
        'mirror.example.com:5000/mirrored/kube-vip/kube-vip:v1',
      ]);
      expect((await found('v1', 'ConfigMap', 'settings'))?.data['boots']).toBe('http://192.0.2.1:8080/hook');
      expect(await found('v1', 'Pod', 'tinkerbell-test')).toBeUndefined();
    });

    it('is installed once: again, nothing is asked of helm, and nothing changes', async () => {
      await installProviderCharts(making(specAfter(), {}), 'self', cluster, signal);
      const before = (await deployed()).metadata.resourceVersion;
      const run = (): Promise<string> => Promise.reject(new Error('helm was run'));
      const again = making(specAfter(), { run });
      await installProviderCharts(again, 'self', cluster, signal);
      expect((await deployed()).metadata.resourceVersion).toBe(before);
      expect(await changesOfCharts(again, cluster)).toEqual([]);
    });

    it('is replaced by that of a newer release, which takes away what it has no more', async () => {
      await installProviderCharts(making(specAfter(), {}), 'self', cluster, signal);
      expect(await found('v1', 'ConfigMap', 'leftover')).toBeDefined();
      const newer = making(
        specAfter((_cluster, datacenter) => (datacenter.skipLoadBalancerDeployment = true)),
        { version: '0.2.0' },
      );
      expect(await changesOfCharts(newer, cluster)).toEqual([
        { subject: 'chart tinkerbell', from: '0.1.0', to: '0.2.0' },
      ]);
      await installProviderCharts(newer, 'self', cluster, signal);
      expect(imagesOf(await deployed())[1]).toMatch(/:v0\.2\.0$/);
      expect(await found('v1', 'ConfigMap', 'leftover')).toBeUndefined();
      expect(await found('apps/v1', 'DaemonSet', 'kube-vip')).toBeUndefined();
      expect(await cluster.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })).toBeDefined();
    });

    it('says of the same release with other settings that those are new', async () => {
      await installProviderCharts(making(specAfter(), {}), 'self', cluster, signal);
      const other = making(
        specAfter((_cluster, datacenter) => (datacenter.hookImagesURLPath = 'http://192.0.2.1/other')),
        {},
      );
      expect(await changesOfCharts(other, cluster)).toEqual([
        { subject: 'chart tinkerbell', from: '0.1.0', to: '0.1.0 with other values' },
      ]);
    });

    it('is waited for until nodes run it as it is now, not as it was', async () => {
      await installProviderCharts(making(specAfter(), {}), 'self', cluster, signal);
      const said: string[] = [];
      const waiting = making(specAfter(), {});
      waiting.context.alive = (detail) => void said.push(detail);
      const ready = async (generation: number): Promise<void> => {
        const counts = { replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1 };
        await cluster.patch(await deployed(), { status: { observedGeneration: generation, ...counts } }, 'status');
      };
      const generation = (await deployed()).metadata.generation!;
      await ready(generation - 1);
      let isDone = false;
      const done = awaitProviderCharts(waiting, 'self', cluster, signal).then(() => (isDone = true));
      await expect.poll(() => said.at(-1)).toBe('waiting for tinkerbell');
      expect(isDone).toBe(false);
      await ready(generation);
      await done;
    });

    it('is nothing where the release has none, as for workload clusters', async () => {
      const { stack: _stack, ...release } = making(specAfter(), {}).release;
      const without = { ...making(specAfter(), {}), release: release };
      const run = (): Promise<string> => Promise.reject(new Error('helm was run'));
      without.context.run = run;
      await installProviderCharts(without, 'self', cluster, signal);
      expect(await changesOfCharts(without, cluster)).toEqual([]);
    });
  },
);
