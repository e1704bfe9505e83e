import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../contracts/cluster-spec.ts';
import { clusterFiles, clusterFolder, gitBranchOf } from '../core/gitops/cluster-files.ts';
import { fluxObjects, pauseAll, requestReconcile, resumeAll, type Pausable } from '../core/gitops/pause.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from './helpers/kube-apiserver.ts';
import { looseDefinition } from './helpers/loose-definition.ts';

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`nothing is paused on a real API server: ${why}`);

describe('where the files of a cluster are', () => {
  it('is as EKS Anywhere has it', () => {
    const m = { name: 'm', role: 'management', managementCluster: 'm' } as const;
    const w = { name: 'w', role: 'workload', managementCluster: 'm' } as const;
    expect(clusterFolder({}, m)).toBe('clusters/m/m');
    expect(clusterFolder({}, w)).toBe('clusters/m/workload-clusters/w');
    expect(clusterFolder({ clusterConfigPath: '/fleet/' }, w)).toBe('fleet/workload-clusters/w');
    expect(Object.keys(clusterFiles(clusterFolder({}, m), 'spec'))).toEqual([
      'clusters/m/m/eksa-system/eksa-cluster.yaml',
      'clusters/m/m/eksa-system/kustomization.yaml',
    ]);
    expect(gitBranchOf({ github: { owner: 'o', repository: 'r' } })).toEqual({
      url: 'https://github.com/o/r.git',
      branch: 'main',
    });
    expect(gitBranchOf({ branch: 'b', git: { repositoryUrl: 'git@h:r.git' } })).toEqual({
      url: 'git@h:r.git',
      branch: 'b',
    });
    expect(() => gitBranchOf({})).toThrow('it names no repository');
  });
});

describe.skipIf(why !== undefined)('pausing and resuming on a real API server', () => {
  let api: KubeApiserver;
  let cluster: Cluster;
  let targets: Pausable[];
  let place = 0;

  const made = (apiVersion: string, kind: string, name: string): KubernetesObject => ({
    apiVersion,
    kind,
    metadata: { name, namespace: `flux-${place}` },
    spec: { interval: '1m' },
  });
  const state = async (): Promise<unknown[]> =>
    Promise.all(
      targets.map(async ({ object }) => {
        const { metadata, spec } = (await cluster.get(object)) as KubernetesObject & { spec: object };
        return { ...spec, ...metadata.annotations };
      }),
    );

  beforeAll(async () => {
    api = await startKubeApiserver();
    cluster = await openCluster(api.kubeconfig);
    expect(await fluxObjects(cluster, 'flux-system')).toEqual([]);
    await cluster.applyAll([
      looseDefinition({ apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' }, 'kustomizations'),
      looseDefinition({ apiVersion: 'source.toolkit.fluxcd.io/v1beta2', kind: 'GitRepository' }, 'gitrepositories'),
      looseDefinition({ apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1', kind: 'Cluster' }, 'clusters'),
    ]);
  });
  beforeEach(async () => {
    place += 1;
    const eksa = made('anywhere.eks.amazonaws.com/v1alpha1', 'Cluster', 'm');
    await cluster.applyAll([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `flux-${place}` } },
      made('kustomize.toolkit.fluxcd.io/v1', 'Kustomization', 'k'),
      made('source.toolkit.fluxcd.io/v1beta2', 'GitRepository', 'g'),
      eksa,
    ]);
    targets = [
      ...(await fluxObjects(cluster, `flux-${place}`)),
      { object: eksa, means: 'eks-anywhere' },
      { object: eksa, means: 'flux-ignore' },
      { object: eksa, means: 'cluster-api' },
    ];
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await api?.stop();
  });

  it('leaves everything as it was, however often each is done', async () => {
    const before = await state();
    for (let round = 1; round <= 2; round += 1) await pauseAll(cluster, targets, 'upgrade/m');
    const [kustomization, , eksa] = await state();
    expect(kustomization).toEqual({ interval: '1m', suspend: true, 'sealift.dev/paused-flux-suspend': 'upgrade/m' });
    expect(eksa).toMatchObject({
      paused: true,
      'anywhere.eks.amazonaws.com/paused': 'true',
      'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
    });
    for (let round = 1; round <= 2; round += 1) await resumeAll(cluster, targets, 'upgrade/m');
    expect(await state()).toEqual(before);
  });

  it('resumes only what it paused itself, and takes over what an operation before it left', async () => {
    const [kustomization, repository] = targets;
    await cluster.patch(kustomization!.object, { spec: { suspend: true } });
    await pauseAll(cluster, [repository!], 'upgrade/crashed');
    await pauseAll(cluster, targets, 'upgrade/m');
    await resumeAll(cluster, targets, 'upgrade/another');
    expect(await state()).toMatchObject([{ suspend: true }, { suspend: true }, { paused: true }, {}, {}]);
    await resumeAll(cluster, targets, 'upgrade/m');
    const [first, second] = await state();
    expect(first).toEqual({ interval: '1m', suspend: true });
    expect(second).toEqual({ interval: '1m' });
  });

  it('looks again when somebody else changes the object meanwhile, and leaves out what is not there', async () => {
    const [{ object }] = targets as [Pausable];
    let changed = false;
    const racing: Cluster = {
      ...cluster,
      async get(key) {
        const found = await cluster.get(key);
        if (!changed) await cluster.patch(key, { spec: { suspend: true } });
        changed = true;
        return found;
      },
    };
    await pauseAll(racing, [{ object, means: 'flux-suspend' }], 'upgrade/m');
    await resumeAll(cluster, targets, 'upgrade/m');
    expect((await state())[0]).toEqual({ interval: '1m', suspend: true });
    const nothing = { object: made('lab.example/v1', 'Nothing', 'n'), means: 'cluster-api' } as const;
    const gone = {
      object: made('kustomize.toolkit.fluxcd.io/v1', 'Kustomization', 'gone'),
      means: 'flux-suspend',
    } as const;
    await pauseAll(cluster, [nothing, gone], 'upgrade/m');
    await requestReconcile(cluster, object, '2026-11-21T10:00:00Z');
    expect((await state())[0]).toMatchObject({ 'reconcile.fluxcd.io/requestedAt': '2026-11-21T10:00:00Z' });
  });
});
