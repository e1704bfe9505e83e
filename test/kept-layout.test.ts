import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { createClusterActivities } from '../activities/clusters/index.ts';
import type { ClusterSpec, KubernetesObject } from '../contracts/cluster-spec.ts';
import { version } from '../contracts/version.ts';
import { applyUpgrade, isChanged } from '../core/clusters/upgrade.ts';
import { keepSpec } from '../core/clusters/keep-spec.ts';
import { LAYOUT, readLayout } from '../core/clusters/layout.ts';
import type { ClusterRelease } from '../core/clusters/release.ts';
import { listClusters } from '../core/clusters/list-clusters.ts';
import { readKeptSpec } from '../core/clusters/read-kept-spec.ts';
import { validateUpgrade, type ValidatedUpgrade } from '../core/clusters/upgrade-validation.ts';
import { validateCluster } from '../core/clusters/validate.ts';
import { ItemsFailed } from '../core/transfer/failures.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { inMemory } from '../plugins/providers/in-memory/index.ts';
import { vsphere } from '../plugins/providers/vsphere/index.ts';
import { findCluster } from '../workers/cluster-catalogue.ts';
import { clusterTools } from '../workers/cluster-tools.ts';
import { clusterInput } from './helpers/commanded-cluster.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from './helpers/kube-apiserver.ts';
import { keptByFixture } from './helpers/kept-fixture.ts';
import { looseDefinition } from './helpers/loose-definition.ts';
import { temporaryFolder, type TemporaryFolder } from './helpers/paths.ts';

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`layouts are not tested on a real API server: ${why}`);

const eksa = { apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1', kind: 'Cluster' };
const definitionKind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
const keptCluster = (name: string): KubernetesObject => ({ ...eksa, metadata: { name, namespace: 'default' } });
const marks = { 'sealift.dev/layout': String(LAYOUT), 'sealift.dev/version': version };
const signal = new AbortController().signal;

/** What a bundle would bring; no step here installs anything of it. */
const release = {
  kubernetesVersion: 'v1.35.4',
  images: {
    kubernetesRepository: 'public.ecr.aws/eks-distro/kubernetes',
    etcd: { repository: 'public.ecr.aws/eks-distro/etcd-io', tag: 'v3.5.21' },
    coreDns: { repository: 'public.ecr.aws/eks-distro/coredns', tag: 'v1.12.0' },
  },
  ...{ core: component(), bootstrap: component(), controlPlane: component(), infrastructure: component() },
  everyImage: [],
} as unknown as ClusterRelease;

function component(): ClusterRelease['core'] {
  return { version: 'v1.14.0', manifest: new Uint8Array(), metadata: new Uint8Array() };
}

/** A management cluster whose controllers do not run. */
interface Ground extends AsyncDisposable {
  api: KubeApiserver;
  cluster: Cluster;
  folder: TemporaryFolder;
  /** Writes a specification. @returns its path */
  specification(name: string, ...changes: (readonly [string | RegExp, string])[]): Promise<string>;
}

/** @param fixture what is kept there; file in test/fixtures */
async function startGround(fixture: string): Promise<Ground> {
  const [api, folder] = await Promise.all([startKubeApiserver(), temporaryFolder('layout')]);
  const cluster = await openCluster(api.kubeconfig);
  await cluster.applyAll([...clusterApi(), ...(await keptByFixture(fixture))]);
  return {
    api,
    cluster,
    folder,
    async specification(name, ...changes) {
      const file = join(folder.path, `${name}.yaml`);
      const text = changes.reduce((all, [from, to]) => {
        expect(all).toMatch(from);
        return all.replace(from, to);
      }, inMemory.specTemplate(name));
      await writeFile(file, text);
      return file;
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await api.stop();
      await folder.remove();
    },
  };
}

/** Cluster API without its controllers, with the objects of the cluster `first`. */
function clusterApi(): KubernetesObject[] {
  const groups = {
    '': ['Cluster', 'Machine', 'MachineDeployment', 'MachineSet'],
    'controlplane.': ['KubeadmControlPlane'],
    'bootstrap.': ['KubeadmConfigTemplate'],
    'infrastructure.': ['DevCluster', 'DevMachineTemplate'],
  };
  const kinds = Object.entries(groups).flatMap(([group, names]) =>
    names.map((kind) =>
      looseDefinition({ apiVersion: `${group}cluster.x-k8s.io/v1beta2`, kind }, `${kind.toLowerCase()}s`),
    ),
  );
  const inventory = { apiVersion: 'clusterctl.cluster.x-k8s.io/v1alpha3', kind: 'Provider' };
  const namespace = 'eksa-system';
  const object = (kind: string, name: string, spec: object): KubernetesObject => ({
    ...{ apiVersion: 'cluster.x-k8s.io/v1beta2', kind, spec },
    metadata: { name, namespace, labels: { 'cluster.x-k8s.io/cluster-name': 'first' } },
  });
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    ...kinds,
    looseDefinition(inventory, 'providers'),
    { ...inventory, metadata: { name: 'cluster-api', namespace }, version: 'v1.14.0' },
    object('Cluster', 'first', {}),
    object('Machine', 'first-0', { version: 'v1.34.6', clusterName: 'first' }),
  ];
}

/** What was found, one line each: message and remedy. */
async function refused(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ItemsFailed)) return error === undefined ? 'accepted' : (error as Error).message;
  return error.errors.map(({ problem: { message, remedy } }) => `${message}; ${remedy}`).join('\n');
}

describe.skipIf(why !== undefined)('clusters of another Sealift, or of EKS Anywhere', () => {
  const context = {
    env: {},
    scratch: '/nonexistent',
    run: () => Promise.resolve(''),
    alive: () => undefined,
    warn: () => undefined,
  };
  const upgrade = (ground: Ground, specFile: string, role: 'management' | 'workload'): Promise<ValidatedUpgrade> =>
    validateUpgrade({
      ...{ role, specFile, providers: [inMemory], skip: [], bootstrapHasNodes: false, context, isMoving: false },
      ...{ keeper: ground.cluster, owner: ground.cluster, releaseOf: () => Promise.resolve(release) },
    });
  const create = (ground: Ground, specFile: string): Promise<unknown> =>
    validateCluster({
      ...{ operation: 'create', role: 'workload', specFile, providers: [inMemory], skip: [], context },
      ...{ bootstrapHasNodes: false, management: ground.cluster, releaseOf: () => Promise.resolve(release) },
    });

  it('reads what EKS Anywhere v0.5 kept: neither role nor marks, groups without names, a GitOpsConfig', async () => {
    await using ground = await startGround('kept-layout-0.yaml');
    const { cluster } = ground;
    expect(await readLayout(cluster)).toEqual({ layout: 0, newest: 0 });
    const providers = [inMemory, vsphere];
    expect(await readKeptSpec('first', cluster, providers)).toMatchObject({
      role: 'management',
      provider: 'in-memory',
    });
    expect(await readKeptSpec('second', cluster, providers)).toMatchObject({
      ...{ role: 'management', managementCluster: 'second', provider: 'vsphere' },
      gitOps: { kind: 'FluxConfig', spec: { clusterConfigPath: 'clusters/second', github: { repository: 'fleet' } } },
    });
    expect((await listClusters(cluster, providers)).map(({ name, role }) => `${name} ${role}`)).toEqual([
      'first management',
      'second management',
    ]);
  });

  it('scenario 4: a cluster that an older version made is upgraded, and what is kept of it is of now', async () => {
    await using ground = await startGround('kept-layout-0.yaml');
    const { cluster } = ground;
    const file = await ground.specification('first');
    const { spec, previous, provider, bringsLayoutUp, warnings } = await upgrade(ground, file, 'management');
    expect({ bringsLayoutUp, from: previous.cluster.spec.kubernetesVersion }).toEqual({
      bringsLayoutUp: true,
      from: '1.34',
    });
    expect(warnings.map(({ message }) => message).join()).toContain('layout 0; this is 1');
    await applyUpgrade({ spec, previous, provider, release, context }, cluster, signal);
    const machines = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'MachineDeployment' };
    expect(await cluster.list(machines)).toMatchObject([{ spec: { template: { spec: { version: 'v1.35.4' } } } }]);
    for (let round = 1; round <= 2; round += 1) {
      await keepSpec(spec, cluster, { providers: [inMemory], version, signal });
      expect(await readLayout(cluster)).toEqual({ layout: LAYOUT, newest: LAYOUT, version });
    }
    const kept = await readKeptSpec('first', cluster, [inMemory]);
    expect(isChanged(spec, kept!)).toBe(false);
    const found = await cluster.get(keptCluster('first'));
    expect(found).toMatchObject({ metadata: { annotations: marks }, spec: { clusterNetwork: { cniConfig: {} } } });
    expect(Object.keys(found!['spec'] as object)).not.toContain('overrideClusterSpecFile');
    expect((found!['spec'] as ClusterSpec['cluster']['spec']).clusterNetwork.cni).toBeUndefined();
    // the rules are there, too
    const change = cluster.patch(keptCluster('first'), {
      spec: { clusterNetwork: { pods: { cidrBlocks: ['10.0.0.0/16'] } } },
    });
    await expect(change).rejects.toThrow('the addresses of running pods cannot change');
    expect((await upgrade(ground, file, 'management')).bringsLayoutUp).toBe(false);
  });

  it('scenario 6: a workload cluster by a management cluster that an older version made waits for its upgrade', async () => {
    await using ground = await startGround('kept-layout-0.yaml');
    const { cluster } = ground;
    // all that is wrong is said at once
    const bad = await ground.specification(
      'third',
      [/(managementCluster:\n +name: ).*/, '$1first'],
      ['count: 1', 'count: 2'],
    );
    expect(await refused(create(ground, bad))).toMatch(
      /even[^]*upgrade the management cluster first|upgrade the management cluster first[^]*even/,
    );
    const file = await ground.specification('third', [/(managementCluster:\n +name: ).*/, '$1first']);
    const said =
      /^specifications are kept there as an older tool did \(layout 0; this is 1\); upgrade the management cluster first/;
    expect(await refused(create(ground, file))).toMatch(said);
    const first = await ground.specification('first', [/(managementCluster:\n +name: ).*/, 'management: false']);
    expect(await refused(upgrade(ground, first, 'workload'))).toContain('upgrade the management cluster first');
    expect(await readLayout(cluster)).toEqual({ layout: 0, newest: 0 });
    const { spec } = await upgrade(ground, await ground.specification('first'), 'management');
    await keepSpec(spec, cluster, { providers: [inMemory], version, signal });
    expect(await refused(create(ground, file))).toBe('accepted');
  });

  it('scenario 5: what a newer version keeps is not touched by anything, and who can is named', async () => {
    await using ground = await startGround('kept-layout-newer.yaml');
    const { api, cluster, folder } = ground;
    const kept = { apiVersion: 'anywhere.eks.amazonaws.com/v1beta1', kind: 'Cluster' };
    const before = [await cluster.list(kept), await cluster.list(definitionKind)];
    const said = `a newer Sealift (9.1.0) keeps specifications there; this one is ${version}; use Sealift 9.1.0 or newer`;
    const third = await ground.specification('third', [/(managementCluster:\n +name: ).*/, '$1first']);
    expect(await refused(create(ground, third))).toBe(said);
    const first = await ground.specification('first');
    expect(await refused(upgrade(ground, first, 'management'))).toBe(said);
    const paths = { config: folder.path, cache: folder.path, state: folder.path };
    const activities = createClusterActivities(clusterTools(paths, {}));
    const input = clusterInput({ name: 'third', role: 'workload', specFile: third, kubeconfig: api.kubeconfig });
    const survey = new MockActivityEnvironment().run(activities.surveyDeletion, { input });
    await expect(survey).rejects.toThrow('use Sealift 9.1.0 or newer');
    await expect(findCluster(paths, 'first', api.kubeconfig)).rejects.toThrow('use Sealift 9.1.0 or newer');
    // what Cluster API says is listed all the same
    expect(await listClusters(cluster, [inMemory])).toEqual([
      expect.objectContaining({
        name: 'first',
        problem: expect.stringContaining('use Sealift 9.1.0 or newer') as string,
      }),
    ]);
    expect([await cluster.list(kept), await cluster.list(definitionKind)]).toEqual(before);
  });

  it('goes by the newest mark: a layout without its version, and documents that are newer than their definitions', async () => {
    await using ground = await startGround('kept-layout-0.yaml');
    const { cluster } = ground;
    const annotate = (object: KubernetesObject, annotations: Record<string, string | null>): Promise<unknown> =>
      cluster.patch(object, { metadata: { annotations } });
    const third = await ground.specification('third', [/(managementCluster:\n +name: ).*/, '$1first']);
    await annotate(keptCluster('second'), { 'sealift.dev/layout': '2' });
    expect(await refused(create(ground, third))).toMatch(
      /kept there in layout 2, and this Sealift .* knows those up to 1/,
    );
    await annotate(keptCluster('second'), { 'sealift.dev/layout': 'x' });
    expect(await refused(create(ground, third))).toMatch(/a layout that is no number/);
    // the first Sealift wrote its version alone
    await annotate(keptCluster('second'), { 'sealift.dev/layout': null });
    const definition = { ...definitionKind, metadata: { name: 'clusters.anywhere.eks.amazonaws.com' } };
    await annotate(definition, { 'sealift.dev/version': '0.1.0' });
    expect(await readLayout(cluster)).toEqual({ layout: 1, newest: 1, version: '0.1.0' });
    expect(await refused(create(ground, third))).toBe('accepted');
  });
});
