import { describe, expect, it } from 'vitest';
import type { EksaClusterSpec } from '../../../contracts/cluster-spec.ts';
import { compareSpecs, immutableFields } from './compare-specs.ts';
import { changedSpec, summaries } from './testing.ts';

type Change = (spec: EksaClusterSpec) => void;

function compared(before: Change, after: Change): string[] {
  const previous = changedSpec(({ cluster }) => before(cluster.spec));
  return summaries(
    compareSpecs(
      previous,
      changedSpec(({ cluster }) => (before(cluster.spec), after(cluster.spec))),
    ),
  );
}

const nothing: Change = () => undefined;
const workload: Change = (spec) => (spec.management = false);

describe('what an upgrade may change', () => {
  it.each<[string, Change]>([
    ['nothing', nothing],
    ['the next minor', (spec) => (spec.kubernetesVersion = '1.32')],
    ['counts', (spec) => (spec.controlPlaneConfiguration.count = 5)],
    ['the mirror', (spec) => (spec.registryMirrorConfiguration = { endpoint: 'mirror' })],
    ['how the role is said', (spec) => (spec.managementCluster = { name: 'prod' })],
    [
      'a new worker group',
      (spec) => spec.workerNodeGroupConfigurations?.push({ name: 'md-1', kubernetesVersion: '1.29' }),
    ],
    [
      'workers that stay behind',
      (spec) => {
        spec.kubernetesVersion = '1.32';
        spec.workerNodeGroupConfigurations![0]!.kubernetesVersion = '1.31';
      },
    ],
  ])('%s', (_name, change) => {
    expect(compared(nothing, change)).toEqual([]);
  });

  it.each<[string, Change, Change, string]>([
    ['back', nothing, (spec) => (spec.kubernetesVersion = '1.30'), 'problem spec.version-skew spec.kubernetesVersion'],
    [
      'two minors',
      nothing,
      (spec) => (spec.kubernetesVersion = '1.33'),
      'problem spec.version-skew spec.kubernetesVersion',
    ],
    [
      'two minors of workers',
      (spec) => (spec.workerNodeGroupConfigurations![0]!.kubernetesVersion = '1.29'),
      (spec) => delete spec.workerNodeGroupConfigurations![0]!.kubernetesVersion,
      'problem spec.version-skew spec.workerNodeGroupConfigurations[0].kubernetesVersion',
    ],
    ['the role', nothing, workload, 'problem spec.immutable spec'],
    [
      'the manager',
      (spec) => (spec.managementCluster = { name: 'one' }),
      (spec) => (spec.managementCluster = { name: 'other' }),
      'problem spec.immutable spec.managementCluster.name',
    ],
    [
      'a release taken out',
      (spec) => (spec.eksaVersion = 'v0.21.0'),
      (spec) => delete spec.eksaVersion,
      'problem spec.eksa-version spec.eksaVersion',
    ],
    [
      'a release that is skipped',
      (spec) => (spec.eksaVersion = 'v0.21.0'),
      (spec) => (spec.eksaVersion = 'v0.23.1'),
      'problem spec.eksa-version spec.eksaVersion',
    ],
    [
      'etcd that moves',
      nothing,
      (spec) => (spec.externalEtcdConfiguration = { count: 3 }),
      'problem spec.immutable spec.externalEtcdConfiguration',
    ],
  ])('not %s', (_name, before, after, summary) => {
    expect(compared(before, after)).toEqual([summary]);
  });

  it('not the cluster itself', () => {
    const other = changedSpec(({ cluster }) => (cluster.metadata.name = 'other'));
    expect(
      summaries(
        compareSpecs(
          changedSpec(() => undefined),
          other,
        ),
      ),
    ).toEqual(['problem spec.immutable metadata.name']);
  });
});

describe('fields that may not change', () => {
  const changes: Record<string, Change> = {
    'spec.controlPlaneConfiguration.endpoint': (spec) =>
      (spec.controlPlaneConfiguration.endpoint = { host: '192.0.2.99' }),
    'spec.clusterNetwork.pods': (spec) => (spec.clusterNetwork.pods.cidrBlocks = ['172.16.0.0/16']),
    'spec.clusterNetwork.services': (spec) => (spec.clusterNetwork.services.cidrBlocks = ['10.128.0.0/12']),
    'spec.clusterNetwork.nodes': (spec) => (spec.clusterNetwork.nodes = { cidrMaskSize: 25 }),
    'spec.externalEtcdConfiguration': (spec) => (spec.externalEtcdConfiguration = { count: 3 }),
    'spec.clusterNetwork.dns': (spec) => (spec.clusterNetwork.dns = { resolvConf: { path: '/etc/other' } }),
    'spec.proxyConfiguration': (spec) => (spec.proxyConfiguration = { httpProxy: 'a:1', httpsProxy: 'a:1' }),
    'spec.podIamConfig': (spec) => (spec.podIamConfig = { serviceAccountIssuer: 'https://a' }),
  };

  it.each(Object.entries(changes))('%s', (field, change) => {
    const { relaxedForWorkload } = immutableFields.find(({ path }) => path.join('.') === field)!;
    expect(compared(nothing, change)).toEqual([`problem spec.immutable ${field}`]);
    expect(compared(workload, change)).toEqual(relaxedForWorkload ? [] : [`problem spec.immutable ${field}`]);
  });

  it('are a table with a rule for the API server each', () => {
    for (const { path, reason, celRule } of immutableFields) {
      expect(celRule).toContain(`oldSelf.${path.join('.')}`);
      expect(reason).not.toBe('');
    }
  });
});
