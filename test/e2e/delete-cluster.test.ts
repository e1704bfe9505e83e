import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterObjects } from '../../core/clusters/delete.ts';
import { keptClusters } from '../../core/clusters/read-kept-spec.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { bareRepository, type BareRepository } from '../helpers/git-servers.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { startSealift } from '../helpers/sealift.ts';
import { drawFrom } from '../helpers/seeded.ts';
import { keptInGit, managedBy, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
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
];

/** Phases in which the new cluster may have an API server already. */
const comesToMachines = new Set(['CreateWorkloadCluster', 'MoveManagementCluster']);

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

  /** Creates a cluster, and cancels that some time into a phase. */
  async function cancelledIn(phase: string, id: string, afterMs: number, ...options: string[]): Promise<void> {
    const creating = startSealift(['create', 'cluster', '--bundle', ground.bundle, ...options], { home: ground.home });
    let ended = false;
    void creating.done.then(() => (ended = true));
    while (!ended && !creating.stderr().includes(`\n${phase}`)) await sleep(20);
    await sleep(afterMs);
    const cancelled = await ground.sealift('cancel', id);
    expect(cancelled.stderr + cancelled.stdout).not.toContain('remedy');
    const { code, stderr } = await creating.done;
    expect(`${code} ${stderr}`).toMatch(/cancelled/i);
  }

  /** Nothing of a cluster is on this machine any more. */
  async function expectForgotten(name: string): Promise<void> {
    const folder = join(ground.home.state, 'clusters', name);
    expect(await processesBelow(folder)).toEqual([]);
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  }

  it('deletes a workload cluster by its name, out of git too, without a bundle', { timeout: 8 * minutes }, async () => {
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
    expect(parseOutput('delete-cluster', bySpecification.stdout)).toMatchObject({ role: 'workload', wasThere: false });
    await expectForgotten('one');
  });

  it('deletes a management cluster, but not before its workload clusters', { timeout: 12 * minutes }, async () => {
    const file = await ground.specification('two');
    await ground.lab.expectManagementCluster({ namespace, name: 'two' });
    expect(await ground.sealift('create', 'cluster', '-f', file, '--bundle', ground.bundle)).toMatchObject({ code: 0 });
    expect(await listed()).toContainEqual(
      expect.objectContaining({ name: 'two', role: 'management', machines: { ready: 2, desired: 2 }, problem: null }),
    );
    const at = ['--kubeconfig', join(ground.home.state, 'clusters', 'two', 'self.kubeconfig')];
    const three = await ground.specification('three', [managedBy('two')]);
    await cancelledIn('CreateWorkloadCluster', 'cluster/two/three', 3000, '-f', three, ...at);
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

  for (const { name, phase, afterMs } of cancelled) {
    it(`deletes ${name}, whose create was cancelled in ${phase}`, { timeout: 12 * minutes }, async () => {
      const file = await ground.specification(name);
      if (comesToMachines.has(phase)) await ground.lab.expectManagementCluster({ namespace, name });
      await cancelledIn(phase, `cluster/${name}`, afterMs, '-f', file);
      const { code, stdout } = await ground.sealift('delete', 'cluster', name, '--bundle', ground.bundle);
      expect(`${code} ${stdout}`).toMatch(/^0 /);
      await expectForgotten(name);
    });
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
