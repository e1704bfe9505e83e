import { describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { ProviderChart, ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { toolRunner } from '../host/run-tool.ts';
import { meansFindings, type MeansQuestion } from './check-means.ts';
import type { ClusterRelease } from './release.ts';
import { changedSpec } from './spec/testing.ts';

const services: ProviderChart = {
  ...{ chart: 'services', name: 'services', namespace: 'eksa-system', values: {} },
  mark: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'services' } },
};
const archive = new Uint8Array();
const stack = {
  charts: { services: { archive, version: '1' } },
  parts: { images: { services: '', interface: '', loadBalancer: '' }, installer: { files: '', iso: '' } },
};
const cilium = { chart: archive, version: '1', agent: 'a:1', operator: 'b:1' };

function question(release: Partial<ClusterRelease>, change: Partial<MeansQuestion> = {}): MeansQuestion {
  const provider = { charts: () => [services], needsBootstrap: (operation: string) => operation !== 'upgrade' };
  return {
    spec: { ...changedSpec(() => undefined), role: 'management' },
    provider: provider as unknown as ProviderPlugin,
    release: { kubernetesVersion: 'v1.34.6', ...release } as ClusterRelease,
    context: { run: () => Promise.resolve('v3.19.0') } as unknown as ProviderContext,
    operation: 'create',
    ...{ bootstrapHasNodes: true, usesClusterctl: false, skip: [] },
    ...change,
  };
}
const withoutHelm = { run: toolRunner([], { PATH: '/nonexistent' }) } as unknown as ProviderContext;
const found = async (asked: MeansQuestion): Promise<string[]> =>
  (await meansFindings(asked)).map(({ id, remedy }) => `${id}${remedy === '' ? ' without a remedy' : ''}`);

describe('what an operation would lack to work with', () => {
  it('is nothing where nodes run them and helm is there', async () => {
    expect(await found(question({ stack, cilium }))).toEqual([]);
  });

  it('is a bootstrap cluster without nodes, where one is needed for them', async () => {
    const processes = { bootstrapHasNodes: false };
    expect(await found(question({ stack }, processes))).toEqual(['bootstrap.no-nodes']);
    expect(await found(question({ stack }, { ...processes, operation: 'delete' }))).toEqual(['bootstrap.no-nodes']);
    expect(await found(question({ stack }, { ...processes, operation: 'upgrade' }))).toEqual([]);
    expect(await found(question({}, processes))).toEqual([]);
    const workload: ClusterSpec = { ...question({}).spec, role: 'workload' };
    expect(await found(question({ stack }, { ...processes, spec: workload }))).toEqual([]);
  });

  it('is a helm that cannot be found, where there is a chart', async () => {
    const context = withoutHelm;
    expect(await found(question({ stack }, { context }))).toEqual(['tool.missing']);
    expect(await found(question({ cilium }, { context }))).toEqual(['tool.missing']);
    expect(await found(question({}, { context }))).toEqual([]);
    expect(await found(question({ cilium }, { context, operation: 'delete' }))).toEqual([]);
  });

  it('is not an upgrade that leaves Cilium to its operator', async () => {
    const spec = changedSpec(({ cluster }) => {
      cluster.spec.clusterNetwork.cniConfig = { cilium: { skipUpgrade: true } };
    });
    const upgrade = { spec, previous: spec, context: withoutHelm, operation: 'upgrade' as const };
    expect(await found(question({ cilium }, upgrade))).toEqual([]);
    expect(await found(question({ cilium }, { ...upgrade, spec: changedSpec(() => undefined) }))).toEqual([
      'tool.missing',
    ]);
  });
});
