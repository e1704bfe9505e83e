import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { bareRepository } from '../helpers/git-servers.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runSealift, type SealiftResult } from '../helpers/sealift.ts';
import { keptInGit, managedBy, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { labUnavailable } from '../lab/lab.ts';
import type { ManagementCluster } from '../lab/management-cluster.ts';

const namespace = 'eksa-system';
const minutes = 60_000;

const unavailable = await labUnavailable();

describe.skipIf(unavailable !== undefined)(`create cluster ${unavailable ?? ''}`, () => {
  let ground: ClusterGround;
  let management: ManagementCluster;

  beforeAll(async () => {
    ground = await startClusterGround();
    management = await ground.lab.startManagementCluster('mgmt');
  }, 5 * minutes);
  afterAll(() => ground[Symbol.asyncDispose]());

  const create = (file: string, ...options: string[]): Promise<SealiftResult> =>
    ground.sealift('create', 'cluster', '-f', file, '--bundle', ground.bundle, ...options);

  it('says what would be done, and does nothing', async () => {
    const { code, stdout } = await create(await ground.specification('plan'), '--dry-run');
    expect(code).toBe(0);
    const plan = parseOutput('cluster-plan', stdout);
    expect(plan).toMatchObject({ role: 'management' });
    expect(plan['phases']).toHaveLength(8);
  });

  it('says all that is wrong with a specification at once, and starts nothing', async () => {
    const file = await ground.specification('bad', [
      ['count: 1', 'count: 2'],
      ['192.168.0.0/16', '192.168.0.0'],
      ['cilium: {}', 'clium: {}'],
    ]);
    const { code, stdout } = await create(file);
    expect(code).toBe(2);
    const { problems } = JSON.parse(stdout) as { problems: { subject: string }[] };
    expect(problems.length).toBeGreaterThanOrEqual(3);
    for (const { subject } of problems) expect(subject).toMatch(/bad\.yaml:\d+:\d+$/);
  });

  it('scenario 2: makes a workload cluster by its management cluster', { timeout: 5 * minutes }, async () => {
    const file = await ground.specification('one', [managedBy('mgmt')]);
    const { code, stdout } = await create(file, '--kubeconfig', management.kubeconfig);
    expect(code).toBe(0);
    const result = parseOutput('create-cluster', stdout) as {
      kubeconfig: string;
      nodes: { role: string; version: string }[];
    };
    expect(result).toMatchObject({
      kind: 'create-cluster',
      name: 'one',
      role: 'workload',
      kubernetesVersion: 'v1.35.4',
    });
    expect(result.nodes.map(({ role, version }) => `${role} ${version}`)).toEqual([
      'control-plane v1.35.4',
      'worker v1.35.4',
    ]);
    expect((await stat(result.kubeconfig)).mode & 0o777).toBe(0o600);
    await using cluster = await openCluster(management.kubeconfig);
    const kept = { apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1', kind: 'Cluster' };
    expect(await cluster.get({ ...kept, metadata: { name: 'one', namespace: 'default' } })).toBeDefined();
  });

  it('scenario 3: makes a workload cluster that is kept in git', { timeout: 5 * minutes }, async () => {
    const repository = await bareRepository(join(ground.home.path, 'fleet.git'));
    const file = await ground.specification('three', [managedBy('mgmt'), ...keptInGit(repository.path)]);
    expect(await create(file, '--kubeconfig', management.kubeconfig)).toMatchObject({ code: 0 });
    const kept = await repository.show('clusters/mgmt/workload-clusters/three/eksa-system/eksa-cluster.yaml');
    expect(kept).toMatch(/kind: Cluster[^]*name: three/);
    expect((await repository.log())[0]).toContain('Create workload cluster three (Kubernetes 1.35)');
  });

  it('refuses a name that is in use', { timeout: minutes }, async () => {
    const file = await ground.specification('one', [managedBy('mgmt'), ['count: 1', 'count: 3']]);
    const { code, stdout } = await create(file, '--kubeconfig', management.kubeconfig, '--on-failure', 'fail');
    expect(code).toBe(5);
    expect(stdout).toContain('there is a cluster of that name');
  });

  it(
    'scenario 1: makes a management cluster from nothing, killed -9 in the move, which then owns itself',
    { timeout: 8 * minutes },
    async () => {
      const { home, bundle } = ground;
      const file = await ground.specification('two');
      await ground.lab.expectManagementCluster({ namespace, name: 'two' });
      const record = join(home.state, 'clusters', 'two', 'move-bootstrap-self', 'move.json');
      const moving = async (): Promise<boolean> =>
        (await readFile(record, 'utf8').catch(() => '')).includes('"stage":"moving"');
      const killed = await runSealift(['create', 'cluster', '-f', file, '--bundle', bundle], {
        home,
        kill: { when: moving },
      });
      expect(killed.killed).toBe(true);
      const { code, stdout } = await create(file);
      expect(code).toBe(0);
      const { kubeconfig } = parseOutput('create-cluster', stdout) as { kubeconfig: string };
      await using cluster = await openCluster(kubeconfig);
      const clusters = await cluster.list({ apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster' });
      expect(clusters.map(({ metadata, spec }) => [metadata.name, (spec as { paused?: boolean }).paused])).toEqual([
        ['two', undefined],
      ]);
      expect(await cluster.list({ apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Machine' })).toHaveLength(2);
      // neither the command nor the bootstrap cluster has left a process
      expect(await home.processes()).toEqual([]);
      const again = await create(file);
      expect(again.code).toBe(0);
      expect(again.stderr).toContain('is done already');
    },
  );
});
