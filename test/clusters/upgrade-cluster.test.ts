import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { version } from '../../contracts/version.ts';
import { providerVersions } from '../../core/cluster-api/clusterctl.ts';
import { LAYOUT, readLayout } from '../../core/clusters/layout.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../../core/kubernetes/cluster.ts';
import { bareRepository, type BareRepository } from '../helpers/git-servers.ts';
import { keptByFixture } from '../helpers/kept-fixture.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runSealift, type SealiftResult } from '../helpers/sealift.ts';
import {
  keptInGit,
  managedBy,
  ofVersion,
  startClusterGround,
  type ClusterGround,
  type SpecificationChange,
} from '../lab/cluster-ground.ts';
import { serveClusterRelease } from '../lab/cluster-release.ts';
import { fluxDefinitions } from '../lab/flux.ts';
import { whyNotLong } from '../lab/long.ts';
import type { ManagementCluster } from '../lab/management-cluster.ts';

const namespace = 'eksa-system';
const NEWER_CLUSTER_API = 'v1.14.1';
const clusterApiProviders = ['bootstrap-kubeadm', 'cluster-api', 'control-plane-kubeadm', 'infrastructure-docker'];
const minutes = 60_000;
const PAUSED = 'anywhere.eks.amazonaws.com/paused';
const capi = 'cluster.x-k8s.io/v1beta2';
const kustomization = { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' };
const kept = { apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1', kind: 'Cluster' };
const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };

describe.skipIf(whyNotLong !== undefined)(`upgrade cluster ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let management: ManagementCluster;
  let repository: BareRepository;

  beforeAll(async () => {
    ground = await startClusterGround();
    bundle = ground.bundle;
    repository = await bareRepository(join(ground.home.path, 'clusters.git'));
    management = await ground.lab.startManagementCluster('mgmt');
  }, 5 * minutes);
  afterAll(() => ground[Symbol.asyncDispose]());

  let bundle: string;
  const sealift = (words: string[], file: string, ...options: string[]): Promise<SealiftResult> =>
    ground.sealift(...words, '-f', file, '--bundle', bundle, ...options);
  const succeed = async (words: string[], file: string, ...options: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await sealift(words, file, ...options);
    expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' });
    return parseOutput(words.length === 3 ? 'upgrade-plan' : words.join('-'), stdout);
  };
  /** Runs an upgrade, kills command and worker with -9 as soon as something is so, and runs it to its end. */
  const killedOnce = async (
    when: () => Promise<boolean>,
    file: string,
    ...options: string[]
  ): Promise<Record<string, unknown>> => {
    await killed(when, file, ...options);
    return succeed(['upgrade', 'cluster'], file, ...options);
  };
  const killed = async (when: () => Promise<boolean>, file: string, ...options: string[]): Promise<void> => {
    const command = ['upgrade', 'cluster', '-f', file, '--bundle', bundle, ...options];
    expect((await runSealift(command, { home: ground.home, kill: { when } })).killed).toBe(true);
  };

  describe('of a workload cluster', { timeout: 6 * minutes }, () => {
    const spec = (minor: string, ...more: SpecificationChange[]): Promise<string> => {
      const inGit = keptInGit(repository.path, 'clusters/mgmt');
      return ground.specification('one', [ofVersion(minor), managedBy('mgmt'), ...inGit, ...more]);
    };
    const twoWorkers = [/(md-0\n +count:) 1/, '$1 2'] as const;
    let mgmt: string[];

    beforeAll(async () => {
      mgmt = ['--kubeconfig', management.kubeconfig];
      await succeed(['create', 'cluster'], await spec('1.34'), ...mgmt);
      await using cluster = await openCluster(management.kubeconfig);
      await cluster.applyAll([
        ...fluxDefinitions(),
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'flux-system' } },
        { ...kustomization, metadata: { name: 'ours', namespace: 'flux-system' }, spec: {} },
        { ...kustomization, metadata: { name: 'theirs', namespace: 'flux-system' }, spec: { suspend: true } },
      ]);
    }, 5 * minutes);

    it('refuses what can never work, all of it at once and with its place', async () => {
      const file = await spec('1.36', [/192\.168\.0\.0\/16/, '192.169.0.0/16']);
      for (const words of [
        ['upgrade', 'cluster'],
        ['upgrade', 'plan', 'cluster'],
      ]) {
        const { code, stdout } = await sealift(words, file, ...mgmt, '--on-failure', 'fail');
        expect(code).toBe(5);
        const { problems } = parseOutput('failure', stdout) as { problems: { subject: string; message: string }[] };
        expect(problems.map(({ message }) => message).join('\n')).toMatch(
          /skips 1 minor version[^]*addresses of running pods cannot change/,
        );
        for (const { subject } of problems) expect(subject).toMatch(/one\.yaml:\d+$/);
      }
    });

    it('says what it would do', async () => {
      const plan = await succeed(['upgrade', 'plan', 'cluster'], await spec('1.35', twoWorkers), ...mgmt);
      const reason = 'Kubernetes v1.34.6 to v1.35.4';
      expect(plan).toEqual({
        ...{ kind: 'upgrade-plan', name: 'one', role: 'workload', provider: 'in-memory', needed: true, warnings: [] },
        kubernetesVersion: { from: 'v1.34.6', to: 'v1.35.4' },
        throughBootstrap: false,
        clusterApi: [],
        rolls: [
          { subject: 'control plane', reason, machines: 1 },
          { subject: 'worker group md-0', reason, machines: 2 },
        ],
        scales: [{ subject: 'worker group md-0', from: 1, to: 2 }],
      });
      const { stdout } = await runSealift(
        ['upgrade', 'plan', 'cluster', '-f', await spec('1.34'), '--bundle', ground.bundle, ...mgmt],
        { home: ground.home },
      );
      expect(stdout).toBe('Nothing to upgrade in workload cluster one (in-memory, Kubernetes v1.34.6)\n');
    });

    it('goes on after kill -9, replaces the control plane before the workers, and leaves nothing paused', async () => {
      await using cluster = await openCluster(management.kubeconfig);
      let seen: unknown;
      const result = await killedOnce(
        async () => {
          const machines = await cluster.list({ apiVersion: capi, kind: 'Machine' }, { namespace });
          if (machines.length < 3) return false;
          seen = { kept: await pausedDocuments(cluster), flux: await suspended(cluster) };
          return true;
        },
        await spec('1.35', twoWorkers),
        ...mgmt,
      );
      expect(seen).toEqual({
        kept: ['Cluster one', 'InMemoryDatacenterConfig one', 'InMemoryMachineConfig one'],
        flux: ['ours', 'theirs'],
      });
      expect(result).toMatchObject({ name: 'one', role: 'workload', kubernetesVersion: 'v1.35.4' });
      expect(rolesOf(result)).toEqual(['control-plane v1.35.4', 'worker v1.35.4', 'worker v1.35.4']);
      await expectControlPlaneFirst(cluster);
      expect(await pausedDocuments(cluster)).toEqual([]);
      expect(await suspended(cluster)).toEqual(['theirs']);
      expect(await templatesOf(cluster)).toEqual(['DevMachineTemplate 2', 'KubeadmConfigTemplate 1']);
      expect((await repository.log())[0]).toMatch(/^Upgrade workload cluster one \(Kubernetes 1.35\)/);
    });

    it('has nothing to do the second time', async () => {
      await using cluster = await openCluster(management.kubeconfig);
      const before = await machineNames(cluster);
      const commits = (await repository.log()).length;
      await succeed(['upgrade', 'cluster'], await spec('1.35', twoWorkers), ...mgmt);
      expect(await machineNames(cluster)).toEqual(before);
      expect(await repository.log()).toHaveLength(commits);
    });
  });

  describe('of a management cluster', { timeout: 8 * minutes }, () => {
    const spec = (minor: string, ...more: SpecificationChange[]): Promise<string> =>
      ground.specification('two', [ofVersion(minor), ...more]);
    const throughBootstrap = [/spec: \{\}/, 'spec:\n  upgradeThroughBootstrap: true'] as const;
    let kubeconfig: string;

    beforeAll(async () => {
      await ground.lab.expectManagementCluster({ namespace, name: 'two' });
      ({ kubeconfig } = (await succeed(['create', 'cluster'], await spec('1.34'))) as { kubeconfig: string });
      await keepAsBefore('two', kubeconfig);
    }, 6 * minutes);

    const byItself =
      'scenario 4: made by an older version, it upgrades itself, with the newer Cluster API of the bundle, killed -9 while that takes its place';
    it(byItself, async () => {
      bundle = await ground.exportBundle('newer.tar', () => serveClusterRelease({ called: NEWER_CLUSTER_API }));
      const file = await spec('1.35');
      const plan = await succeed(['upgrade', 'plan', 'cluster'], file);
      expect(String(plan['warnings'])).toContain('as an older tool did (layout 0; this is 1)');
      const from = [...(await providersAt(kubeconfig)).values()][0];
      expect(plan['clusterApi']).toEqual(
        ['cluster-api', 'bootstrap-kubeadm', 'control-plane-kubeadm', 'infrastructure-docker'].map((subject) => ({
          subject,
          from,
          to: NEWER_CLUSTER_API,
        })),
      );
      const result = await killedOnce(
        async () => [...(await providersAt(kubeconfig)).values()].includes(NEWER_CLUSTER_API),
        file,
      );
      expect(result).toMatchObject({ role: 'management', kubernetesVersion: 'v1.35.4' });
      expect(rolesOf(result)).toEqual(['control-plane v1.35.4', 'worker v1.35.4']);
      expect([...(await providersAt(kubeconfig))].sort()).toEqual(
        clusterApiProviders.map((subject) => [subject, NEWER_CLUSTER_API]),
      );
      await expectHome(kubeconfig);
      await using cluster = await openCluster(kubeconfig);
      expect(await readLayout(cluster)).toEqual({ layout: LAYOUT, newest: LAYOUT, version });
    });

    it('refuses a bundle with an older Cluster API', async () => {
      const words = ['upgrade', 'cluster', '-f', await spec('1.35'), '--bundle', ground.bundle, '--on-failure', 'fail'];
      const { code, stdout } = await ground.sealift(...words);
      expect(code).toBe(5);
      const { problems } = parseOutput('failure', stdout) as { problems: { subject: string; message: string }[] };
      expect(problems.map(({ subject }) => subject).sort()).toEqual(clusterApiProviders);
      for (const { message } of problems) expect(message).toContain('Cluster API cannot go back');
    });

    it('does nothing, and says so, when nothing has changed', async () => {
      const result = await succeed(['upgrade', 'cluster'], await spec('1.35'));
      expect(result).toMatchObject({ unchanged: true, kubernetesVersion: 'v1.35.4' });
    });

    const bootstrapped =
      'is done by a bootstrap cluster where the provider needs it, killed -9 in the move, cancelled, gone on with';
    it(bootstrapped, async () => {
      const file = await spec('1.36', throughBootstrap);
      const { home } = ground;
      const state = join(home.state, 'clusters', 'two');
      const record = join(state, 'move-self-bootstrap', 'move.json');
      await killed(async () => (await readFile(record, 'utf8').catch(() => '')).includes('"stage":"moving"'), file);
      await killed(async () => {
        if (existsSync(record)) return false;
        await using bootstrap = await openCluster(join(state, 'bootstrap.kubeconfig'));
        return (await machineNames(bootstrap)).length > 2;
      }, file);
      const cancelled = await runSealift(['cancel', 'cluster/two'], { home });
      expect(cancelled).toMatchObject({ code: 0, stdout: 'cluster/two is cancelled.\n' });
      // in the middle of replacing machines nobody can move it: it stays where it is, unless it was ready just then
      const places = [join(state, 'bootstrap.kubeconfig'), kubeconfig].filter(existsSync);
      expect((await Promise.all(places.map(clustersAt))).flat()).toEqual([['two', undefined]]);
      const result = await succeed(['upgrade', 'cluster'], file);
      expect(rolesOf(result)).toEqual(['control-plane v1.36.1', 'worker v1.36.1']);
      await expectHome(kubeconfig);
      // neither the command nor the bootstrap cluster has left a process
      expect(await home.processes()).toEqual([]);
    });
  });
});

/** What EKS Anywhere v0.5 kept of a cluster takes the place of what Sealift keeps. */
async function keepAsBefore(name: string, kubeconfig: string): Promise<void> {
  const fixture = JSON.stringify(await keptByFixture('kept-layout-0.yaml')).replaceAll('"first"', `"${name}"`);
  const older = (JSON.parse(fixture) as KubernetesObject[]).filter(
    ({ kind, metadata }) => kind === definition.kind || metadata.name === name,
  );
  await using cluster = await openCluster(kubeconfig);
  const present = (await cluster.list(definition)).filter(
    ({ spec }) => (spec as { group: string }).group === kept.apiVersion.split('/')[0],
  );
  for (const one of present) {
    await cluster.delete(one);
    // its objects go first
    while ((await cluster.get(one)) !== undefined) await sleep(100);
  }
  await cluster.applyAll(older);
  expect(await readLayout(cluster)).toEqual({ layout: 0, newest: 0 });
}

/** Versions of the providers of Cluster API on a management cluster. */
async function providersAt(kubeconfig: string): Promise<Map<string, string>> {
  await using cluster = await openCluster(kubeconfig);
  return await providerVersions(cluster);
}

function rolesOf(result: Record<string, unknown>): string[] {
  const nodes = result['nodes'] as { role: string; version: string }[];
  return nodes.map(({ role, version }) => `${role} ${version}`);
}

/** What is kept of specifications and is paused for EKS Anywhere's controller, or is marked as paused. */
async function pausedDocuments(cluster: Cluster): Promise<string[]> {
  const kinds = ['Cluster', 'InMemoryDatacenterConfig', 'InMemoryMachineConfig'];
  const found = await Promise.all(kinds.map((kind) => cluster.list({ ...kept, kind })));
  return kinds.flatMap((kind, index) =>
    found[index]!.filter(({ metadata }) =>
      Object.keys(metadata.annotations ?? {}).some((name) => name === PAUSED || name.startsWith('sealift.dev/paused')),
    ).map(({ metadata }) => `${kind} ${metadata.name}`),
  );
}

async function suspended(cluster: Cluster): Promise<string[]> {
  const found = await cluster.list(kustomization);
  return found
    .filter(({ spec }) => (spec as { suspend?: boolean }).suspend === true)
    .map(({ metadata }) => metadata.name)
    .sort();
}

async function machineNames(cluster: Cluster): Promise<string[]> {
  const machines = await cluster.list({ apiVersion: capi, kind: 'Machine' }, { namespace });
  return machines.map(({ metadata }) => metadata.name).sort();
}

/** No worker of a version is begun before all control planes of it are there: a kubelet may not be newer than API servers. */
async function expectControlPlaneFirst(cluster: Cluster): Promise<void> {
  const machines = await cluster.list({ apiVersion: capi, kind: 'Machine' }, { namespace });
  const isControlPlane = ({ metadata }: KubernetesObject): boolean =>
    'cluster.x-k8s.io/control-plane' in (metadata.labels ?? {});
  const began = (some: KubernetesObject[]): string[] =>
    some.map(({ metadata }) => metadata.creationTimestamp ?? '').sort();
  const controlPlanes = began(machines.filter(isControlPlane));
  const workers = began(machines.filter((machine) => !isControlPlane(machine)));
  expect(workers[0]! >= controlPlanes.at(-1)!).toBe(true);
}

/** Kinds of templates, and how many there are. */
async function templatesOf(cluster: Cluster): Promise<string[]> {
  const groups = { DevMachineTemplate: 'infrastructure', KubeadmConfigTemplate: 'bootstrap' };
  return Promise.all(
    Object.entries(groups).map(async ([kind, group]) => {
      const found = await cluster.list({ apiVersion: `${group}.cluster.x-k8s.io/v1beta2`, kind }, { namespace });
      return `${kind} ${found.length}`;
    }),
  );
}

/** Clusters of Cluster API, and whether they are paused. */
async function clustersAt(kubeconfig: string): Promise<[string, boolean | undefined][]> {
  await using cluster = await openCluster(kubeconfig);
  const clusters = await cluster.list({ apiVersion: capi, kind: 'Cluster' });
  return clusters.map(({ metadata, spec }) => [metadata.name, (spec as { paused?: boolean }).paused]);
}

/** The management cluster owns itself, and nothing of it is paused. */
async function expectHome(kubeconfig: string): Promise<void> {
  await using cluster = await openCluster(kubeconfig);
  expect(await clustersAt(kubeconfig)).toEqual([['two', undefined]]);
  expect(await machineNames(cluster)).toHaveLength(2);
  expect(await pausedDocuments(cluster)).toEqual([]);
  expect(await templatesOf(cluster)).toEqual(['DevMachineTemplate 2', 'KubeadmConfigTemplate 1']);
}
