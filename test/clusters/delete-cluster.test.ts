import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPhases, deletePhases, upgradePhases, type ClusterPhase } from '../../contracts/clusters.ts';
import { clusterObjects } from '../../core/clusters/delete.ts';
import { keptClusters } from '../../core/clusters/read-kept-spec.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { pausedAt } from '../chaos/cluster-invariants.ts';
import { nameOf, runCancelled, typicalMsOf, type KillMoment } from '../chaos/cluster-kills.ts';
import { bareRepository, type BareRepository } from '../helpers/git-servers.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runSealift } from '../helpers/sealift.ts';
import { drawFrom } from '../helpers/seeded.ts';
import { keptInGit, managedBy, ofVersion, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { whyNotLong } from '../lab/long.ts';
import type { ManagementCluster } from '../lab/management-cluster.ts';

const namespace = 'eksa-system';
const minutes = 60_000;
const draw = drawFrom(20261121);

/** Clusters whose create is cancelled: in which phase, and after how many milliseconds of it. */
const cancelled = [
  { name: 'four', phase: 'SetupAndValidate', afterMs: draw.between(0, 50) },
  { name: 'five', phase: 'CreateBootstrapCluster', afterMs: draw.between(0, 4000) },
  { name: 'six', phase: 'InstallCAPI', afterMs: draw.between(0, 8000) },
  { name: 'seven', phase: 'CreateWorkloadCluster', afterMs: draw.between(0, 20_000) },
  { name: 'eight', phase: 'MoveManagementCluster', afterMs: draw.between(0, 6000) },
  { name: 'nine', phase: 'InstallComponents', afterMs: draw.between(0, 500) },
  { name: 'ten', phase: 'InstallAddOns', afterMs: draw.between(0, 200) },
  { name: 'eleven', phase: 'DeleteBootstrap', afterMs: draw.between(0, 1000) },
] as const;

/** Phases in which the new cluster has no API server yet. */
const beforeMachines: readonly ClusterPhase[] = ['SetupAndValidate', 'CreateBootstrapCluster', 'InstallCAPI'];

// at once: most of the time goes by in waiting for machines
describe.skipIf(whyNotLong !== undefined).concurrent(`delete cluster ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let management: ManagementCluster;
  let repository: BareRepository;

  beforeAll(async () => {
    ground = await startClusterGround();
    repository = await bareRepository(join(ground.home.path, 'fleet.git'));
    management = await ground.lab.startManagementCluster('mgmt');
  }, 5 * minutes);
  afterAll(async () => {
    for (const { pid } of await processesBelow(join(ground.home.state, 'clusters'))) process.kill(pid, 'SIGKILL');
    await ground[Symbol.asyncDispose]();
  });

  const listed = async (...options: string[]): Promise<Record<string, unknown>[]> => {
    const { stdout } = await ground.sealift('get', 'clusters', ...options);
    return parseOutput('clusters', stdout)['clusters'] as Record<string, unknown>[];
  };

  /** Begins an operation on a cluster, and cancels it some time into a phase. */
  async function cancelledIn(
    moment: KillMoment,
    operation: { id: string; phases: readonly ClusterPhase[]; args: string[] },
  ): Promise<void> {
    const { last, during } = await runCancelled({ ...operation, home: ground.home }, moment);
    const said = `${nameOf(moment)}: ${during ?? 'over before'}: ${last.code} ${last.stderr}`;
    expect(said).not.toContain('remedy: start');
    // one that was quicker is no worse to delete
    expect(said).toMatch(/cancelled|: 0 /i);
  }

  /** Nothing of a cluster is on this machine any more. */
  async function expectForgotten(name: string): Promise<void> {
    const { state } = ground.home;
    const managers = await readdir(join(state, 'workload-clusters')).catch(() => []);
    const parents = ['clusters', ...managers.map((manager) => join('workload-clusters', manager))];
    for (const folder of parents.map((parent) => join(state, parent, name))) {
      expect(await processesBelow(folder)).toEqual([]);
      await expect(stat(folder)).rejects.toThrow('ENOENT');
    }
  }

  it(
    'deletes a workload cluster by its name, out of git too, without a bundle',
    { timeout: 30 * minutes },
    async () => {
      const file = await ground.specification('one', [managedBy('mgmt'), ...keptInGit(repository.path)]);
      const at = ['--kubeconfig', management.kubeconfig];
      expect(await ground.sealift('create', 'cluster', '-f', file, '--bundle', ground.bundle, ...at)).toMatchObject({
        code: 0,
      });
      expect(await listed(...at)).toContainEqual({
        ...{ name: 'one', role: 'workload', provider: 'in-memory', kubernetesVersion: 'v1.35.4' },
        ...{ machines: { ready: 2, desired: 2 }, paused: false, problem: null },
      });
      const inGit = 'clusters/mgmt/workload-clusters/one/eksa-system/eksa-cluster.yaml';
      expect(await repository.show(inGit)).toContain('name: one');
      const { code, stdout } = await ground.sealift('delete', 'cluster', 'one', ...at);
      expect(code).toBe(0);
      expect(parseOutput('delete-cluster', stdout)).toMatchObject({ name: 'one', role: 'workload', wasThere: true });
      await using cluster = await openCluster(management.kubeconfig);
      expect(await clusterObjects('one', cluster)).toEqual([]);
      expect((await keptClusters(cluster)).map(({ metadata }) => metadata.name)).not.toContain('one');
      expect(await repository.show(inGit)).toBeUndefined();
      expect((await repository.log())[0]).toContain('Delete workload cluster one');
      expect((await listed(...at)).map(({ name }) => name)).not.toContain('one');
      await expectForgotten('one');
      const byName = await ground.sealift('delete', 'cluster', 'one', ...at);
      expect(parseOutput('delete-cluster', byName.stdout)).toEqual({
        kind: 'delete-cluster',
        name: 'one',
        wasThere: false,
      });
      const bySpecification = await ground.sealift('delete', 'cluster', '-f', file, ...at);
      expect(parseOutput('delete-cluster', bySpecification.stdout)).toMatchObject({
        role: 'workload',
        wasThere: false,
      });
      await expectForgotten('one');
    },
  );

  it('deletes a management cluster, but not before its workload clusters', { timeout: 30 * minutes }, async () => {
    const file = await ground.specification('two');
    await ground.lab.expectManagementCluster({ namespace, name: 'two' });
    expect(await ground.sealift('create', 'cluster', '-f', file, '--bundle', ground.bundle)).toMatchObject({ code: 0 });
    expect(await listed()).toContainEqual(
      expect.objectContaining({ name: 'two', role: 'management', machines: { ready: 2, desired: 2 }, problem: null }),
    );
    const at = ['--kubeconfig', join(ground.home.state, 'clusters', 'two', 'self.kubeconfig')];
    const three = await ground.specification('three', [managedBy('two')]);
    const begun = async (): Promise<boolean> => {
      await using two = await openCluster(at[1]!);
      return (await clusterObjects('three', two)).length > 0;
    };
    const { home } = ground;
    expect((await runSealift([...create(three), ...at], { home, kill: { when: begun } })).killed).toBe(true);
    expect(await ground.sealift('cancel', 'cluster/two/three')).toMatchObject({ code: 0 });
    const needed = await ground.sealift('delete', 'cluster', 'two', '--bundle', ground.bundle, '--on-failure', 'fail');
    expect(needed.code).toBe(5);
    expect(needed.stdout).toContain('Cluster three');
    // the state folder knows how the management cluster is reached
    expect(await ground.sealift('delete', 'cluster', 'three')).toMatchObject({ code: 0 });
    await expectForgotten('three');
    const bare = await ground.sealift('delete', 'cluster', 'two');
    expect(bare.code).toBe(2);
    expect(bare.stdout).toContain('--bundle');
    const { code, stdout } = await ground.sealift('delete', 'cluster', 'two', '--bundle', ground.bundle);
    expect(code).toBe(0);
    expect(parseOutput('delete-cluster', stdout)).toMatchObject({ name: 'two', role: 'management', wasThere: true });
    await expectForgotten('two');
  });

  for (const { name, ...moment } of cancelled) {
    it(`deletes ${name}, whose create was cancelled in ${moment.phase}`, { timeout: 30 * minutes }, async () => {
      const file = await ground.specification(name);
      if (!beforeMachines.includes(moment.phase)) await ground.lab.expectManagementCluster({ namespace, name });
      const { management: phases } = createPhases;
      await cancelledIn(moment, { id: `cluster/${name}`, phases, args: create(file) });
      const { code, stdout } = await ground.sealift('delete', 'cluster', name, '--bundle', ground.bundle);
      expect(`${code} ${stdout}`).toMatch(/^0 /);
      await expectForgotten(name);
    });
  }

  it('deletes a workload cluster whose create was cancelled in any phase', { timeout: 30 * minutes }, async () => {
    const { file, at, id } = await workload('twelve', '1.35');
    for (const phase of createPhases.workload) {
      const moment = { phase, afterMs: draw.between(0, typicalMsOf(phase)) };
      await cancelledIn(moment, { id, phases: createPhases.workload, args: [...create(file), ...at] });
      await expectDeleted('twelve', ...at);
    }
  });

  it('deletes a workload cluster whose upgrade was cancelled in any phase', { timeout: 30 * minutes }, async () => {
    const { file, at, id } = await workload('thirteen', '1.34');
    const args = ['upgrade', 'cluster', '--bundle', ground.bundle, ...at];
    for (const phase of upgradePhases.workload) {
      expect(await ground.sealift(...create(file), ...at)).toMatchObject({ code: 0 });
      const newer = await ground.specification('thirteen', [managedBy('mgmt'), ofVersion('1.35')]);
      const moment = { phase, afterMs: draw.between(0, typicalMsOf(phase)) };
      await cancelledIn(moment, { id, phases: upgradePhases.workload, args: [...args, '-f', newer] });
      expect((await pausedAt(management.kubeconfig)).filter((one) => one.includes('thirteen'))).toEqual([]);
      await expectDeleted('thirteen', ...at);
      await workload('thirteen', '1.34');
    }
  });

  it('deletes a workload cluster whose delete was cancelled in any phase', { timeout: 30 * minutes }, async () => {
    const { file, at, id } = await workload('fourteen', '1.35');
    for (const phase of deletePhases.workload) {
      expect(await ground.sealift(...create(file), ...at)).toMatchObject({ code: 0 });
      const moment = { phase, afterMs: draw.between(0, typicalMsOf(phase)) };
      const args = ['delete', 'cluster', 'fourteen', ...at];
      await cancelledIn(moment, { id, phases: deletePhases.workload, args });
      await expectDeleted('fourteen', ...at);
    }
  });

  const create = (file: string): string[] => ['create', 'cluster', '-f', file, '--bundle', ground.bundle];

  /** A workload cluster of `mgmt` in a specification, not made yet. */
  async function workload(name: string, minor: string): Promise<{ file: string; at: string[]; id: string }> {
    const file = await ground.specification(name, [managedBy('mgmt'), ofVersion(minor)]);
    return { file, at: ['--kubeconfig', management.kubeconfig], id: `cluster/mgmt/${name}` };
  }

  async function expectDeleted(name: string, ...at: string[]): Promise<void> {
    const { code, stdout } = await ground.sealift('delete', 'cluster', name, ...at);
    expect(`${code} ${stdout}`).toMatch(/^0 /);
    await using cluster = await openCluster(management.kubeconfig);
    expect(await clusterObjects(name, cluster)).toEqual([]);
    expect((await keptClusters(cluster)).map(({ metadata }) => metadata.name)).not.toContain(name);
    await expectForgotten(name);
  }
});

/** Processes whose command line names something in a folder. */
async function processesBelow(folder: string): Promise<{ pid: number; commandLine: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
      return { pid: Number(pid), commandLine };
    }),
  );
  return found.filter(({ commandLine }) => commandLine.includes(`${folder}/`));
}
