import { describe, expect, it } from 'vitest';
import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { cluster } from './index.ts';

const server = 'https://api.example.test:6443';
const kubeconfig = `
apiVersion: v1
kind: Config
current-context: a
clusters: [{ name: a, cluster: { server: '${server}' } }]
contexts: [{ name: a, context: { cluster: a } }, { name: b, context: { cluster: a } }]
`;
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;

type Containers = { name: string; image: string; imageID?: string }[];

function pod(name: string, containers: Containers): object {
  const containerStatuses = containers.flatMap(({ name: of, imageID }) =>
    imageID === undefined ? [] : [{ name: of, imageID }],
  );
  return {
    metadata: { name, namespace: 'shop' },
    spec: { containers: containers.map(({ name: of, image }) => ({ name: of, image })) },
    status: { containerStatuses },
  };
}

function running(name: string, image: string, imageID?: string): object {
  return pod(name, [{ name: 'app', image, ...(imageID === undefined ? {} : { imageID }) }]);
}

async function listing(
  collections: Record<string, object[]>,
  options: Record<string, string[]> = {},
): Promise<{ items: SourceItem[]; warnings: string[] }> {
  const documents = Object.entries(collections).map(([path, items]) => [server + path, JSON.stringify({ items })]);
  const context = memoryContext({ '/in/config': kubeconfig, ...Object.fromEntries(documents) });
  const selection = { source: 'cluster', files: [], kubeVersions: [], providers: [] };
  const { items } = await cluster.list({ ...selection, options: { kubeconfig: ['/in/config'], ...options } }, context);
  return { items, warnings: context.warnings };
}

function pinned(items: SourceItem[]): (string | undefined)[][] {
  return items.map(({ reference, digest: by }) => [reference, by]);
}

describe('cluster', () => {
  it('finds every place that asks for an image', async () => {
    const template = (image: string): object => ({ spec: { containers: [{ name: 'c', image }] } });
    const workload = (name: string, owner?: string): object => ({
      metadata: { name, namespace: 'shop', ...(owner === undefined ? {} : { ownerReferences: [{ kind: owner }] }) },
      spec: { template: template(`h.test/${name}:1`) },
    });
    const { items, warnings } = await listing({
      '/apis/apps/v1/deployments': [workload('deployment')],
      '/apis/apps/v1/daemonsets': [workload('daemonset')],
      '/apis/apps/v1/statefulsets': [workload('statefulset')],
      '/apis/apps/v1/replicasets': [
        workload('replicaset'),
        workload('old-revision', 'Deployment'),
        workload('rollout', 'Rollout'),
      ],
      '/apis/batch/v1/jobs': [workload('job'), workload('cronjob-run', 'CronJob')],
      '/apis/batch/v1/cronjobs': [
        {
          metadata: { name: 'cron', namespace: 'shop' },
          spec: { jobTemplate: { spec: { template: template('h.test/cron:1') } } },
        },
      ],
      '/api/v1/pods': [
        {
          metadata: { name: 'p', namespace: 'shop', ownerReferences: [{ kind: 'Node' }] },
          spec: {
            initContainers: [{ name: 'i', image: 'h.test/init:1' }],
            containers: [{ name: 'c', image: 'h.test/pod:1' }, { name: 'injected later' }],
            ephemeralContainers: [{ name: 'e', image: 'h.test/ephemeral:1' }],
            volumes: [{ name: 'v', image: { reference: 'h.test/volume:1' } }, { name: 'w' }],
          },
        },
      ],
    });
    expect(items.map(({ name, foundAt }) => [name, foundAt])).toEqual([
      ['cron', 'CronJob shop/cron c'],
      ['daemonset', 'DaemonSet shop/daemonset c'],
      ['deployment', 'Deployment shop/deployment c'],
      ['ephemeral', 'Pod shop/p e'],
      ['init', 'Pod shop/p i'],
      ['job', 'Job shop/job c'],
      ['pod', 'Pod shop/p c'],
      ['replicaset', 'ReplicaSet shop/replicaset c'],
      ['rollout', 'ReplicaSet shop/rollout c'],
      ['statefulset', 'StatefulSet shop/statefulset c'],
      ['volume', 'Pod shop/p v'],
    ]);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['containerd', `docker.io/library/nginx@${digest('a')}`],
    ['docker', `docker-pullable://nginx@${digest('a')}`],
  ])('takes the digest that runs, as %s tells it', async (_, imageID) => {
    const { items, warnings } = await listing({ '/api/v1/pods': [running('web', 'nginx', imageID)] });
    expect(pinned(items)).toEqual([['nginx', digest('a')]]);
    expect(warnings).toEqual([]);
  });

  it('gives a tag what most containers run, carries the rest by digest, and names the pods', async () => {
    const { items, warnings } = await listing({
      '/api/v1/pods': [
        running('web-1', 'h.test/web:1', `h.test/web@${digest('a')}`),
        running('web-2', 'h.test/web:1', `h.test/web@${digest('b')}`),
        running('web-3', 'h.test/web:1', `h.test/web@${digest('b')}`),
      ],
    });
    expect(pinned(items)).toEqual([
      ['h.test/web:1', digest('b')],
      [`h.test/web@${digest('a')}`, digest('a')],
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /2 digests: sha256:b+ in Pod shop\/web-2 app, Pod shop\/web-3 app; sha256:a+ in Pod shop\/web-1 app/,
      ),
    ]);
  });

  it('carries the tag alone, and says so, where what runs has no digest of that repository', async () => {
    const { items, warnings } = await listing({
      '/api/v1/pods': [
        running('by-hand', 'h.test/by-hand:1', digest('c')),
        running('renamed', 'h.test/renamed:1', `h.test/other@${digest('d')}`),
        running('waiting', 'h.test/waiting:1', ''),
      ],
    });
    expect(pinned(items)).toEqual([
      ['h.test/by-hand:1', undefined],
      ['h.test/renamed:1', undefined],
      ['h.test/waiting:1', undefined],
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(/^h.test\/by-hand:1: .*in Pod shop\/by-hand app/),
      expect.stringMatching(/^h.test\/renamed:1: .*h.test\/other@sha256:d+ in Pod shop\/renamed app/),
    ]);
  });

  it('carries what is asked for by digest when something else runs', async () => {
    const asked = `h.test/web:1@${digest('a')}`;
    const { items, warnings } = await listing({ '/api/v1/pods': [running('web', asked, `h.test/web@${digest('b')}`)] });
    expect(pinned(items)).toEqual([['h.test/web:1', digest('a')]]);
    expect(warnings).toEqual([expect.stringContaining(`Pod shop/web app asks for ${asked}, and ${digest('b')} runs`)]);
  });

  it('leaves out what is no reference with a warning: a cluster may hold such pods', async () => {
    const { items, warnings } = await listing({
      '/api/v1/pods': [running('a', 'Not:A:Reference'), running('b', 'h.test/b:1')],
    });
    expect(pinned(items)).toEqual([['h.test/b:1', undefined]]);
    expect(warnings).toEqual([expect.stringContaining('Pod shop/a app asks for "Not:A:Reference"')]);
  });

  it('asks only in the namespaces that are named, and warns when there is nothing', async () => {
    const collections = {
      '/api/v1/pods': [running('elsewhere', 'h.test/elsewhere:1')],
      '/api/v1/namespaces/shop/pods': [running('web', 'h.test/web:1')],
    };
    const { items } = await listing(collections, { namespace: ['shop'] });
    expect(pinned(items)).toEqual([['h.test/web:1', undefined]]);
    const { warnings } = await listing(collections, { namespace: ['shpo'] });
    expect(warnings).toEqual([expect.stringContaining('in shpo (is the name right?)')]);
  });

  it('names the contexts there are', async () => {
    const listed = listing({}, { context: ['c'] });
    await expect(listed).rejects.toMatchObject({ problem: { type: 'InvalidInput', remedy: 'use one of: a, b' } });
    expect((await listing({}, { context: ['b'] })).items).toEqual([]);
  });

  it('tells a kubeconfig, in YAML and in JSON', () => {
    expect(cluster.recognises(kubeconfig)).toBe(true);
    expect(cluster.recognises('{\n  "kind": "Config",\n  "clusters": []\n}')).toBe(true);
    expect(cluster.recognises('{"apiVersion":"v1","kind":"Config","clusters":[]}')).toBe(true);
    expect(cluster.recognises(`kind: ConfigMap\ndata:\n  kubeconfig: |${kubeconfig.replaceAll('\n', '\n    ')}`)).toBe(
      false,
    );
    expect(cluster.recognises('kind: ConfigMap\nclusters: []\n')).toBe(false);
  });
});
