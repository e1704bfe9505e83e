import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterObjects } from '../../core/clusters/delete.ts';
import { keptClusters } from '../../core/clusters/read-kept-spec.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { inMemory } from '../../plugins/providers/in-memory/index.ts';
import { bareRepository, type BareRepository } from '../helpers/git-servers.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import {
  createSealiftHome,
  runSealift,
  startSealift,
  type SealiftHome,
  type SealiftResult,
} from '../helpers/sealift.ts';
import { drawFrom } from '../helpers/seeded.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';
import { serveClusterRelease } from '../lab/cluster-release.ts';
import { labUnavailable, startLab, type Lab } from '../lab/lab.ts';
import { runsLong, whyNot } from '../lab/long.ts';
import type { ManagementCluster } from '../lab/management-cluster.ts';

const unavailable = await labUnavailable();
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
describe.skipIf(unavailable !== undefined || !runsLong).concurrent(`delete cluster${unavailable ?? whyNot}`, () => {
  let lab: Lab;
  let temporal: TestTemporal;
  let home: SealiftHome;
  let management: ManagementCluster;
  let bundle: string;
  let repository: BareRepository;

  beforeAll(async () => {
    [lab, temporal] = await Promise.all([startLab(), startTemporal()]);
    home = await createSealiftHome({ ...temporal.env, IN_MEMORY_CLOUD: lab.cloud.socket });
    bundle = join(home.path, 'artifacts.tar');
    repository = await bareRepository(join(home.path, 'fleet.git'));
    await using release = await serveClusterRelease();
    const exported = await runSealift(
      ['export', 'artifacts', '--source', 'eks-anywhere', '-f', release.manifest, '-o', bundle, ...release.pullFrom],
      { home },
    );
    expect(exported).toMatchObject({ code: 0 });
    management = await lab.startManagementCluster('mgmt');
  }, 5 * minutes);
  afterAll(async () => {
    for (const { pid } of await processesBelow(join(home.state, 'clusters'))) process.kill(pid, 'SIGKILL');
    await home.remove();
    await lab.stop();
    await temporal.stop();
  });

  const sealift = (...args: string[]): Promise<SealiftResult> =>
    runSealift([...args, '--output-format', 'json'], { home });
  const specification = async (name: string, manager = name, more = ''): Promise<string> => {
    const file = join(home.path, `${name}.yaml`);
    const text = inMemory.specTemplate(name).replace(/(managementCluster:\n +name: ).*/, `$1${manager}`);
    const gitOpsRef = '  gitOpsRef:\n    kind: FluxConfig\n    name: fleet\n  datacenterRef:';
    await writeFile(file, more === '' ? text : text.replace('  datacenterRef:', gitOpsRef) + more);
    return file;
  };
  const listed = async (...options: string[]): Promise<Record<string, unknown>[]> => {
    const { stdout } = await sealift('get', 'clusters', ...options);
    return parseOutput('clusters', stdout)['clusters'] as Record<string, unknown>[];
  };

  /** Creates a cluster, and cancels that some time into a phase. */
  async function cancelledIn(phase: string, id: string, afterMs: number, ...options: string[]): Promise<void> {
    const creating = startSealift(['create', 'cluster', '--bundle', bundle, ...options], { home });
    let ended = false;
    void creating.done.then(() => (ended = true));
    while (!ended && !creating.stderr().includes(`\n${phase}`)) await sleep(20);
    await sleep(afterMs);
    const cancelled = await sealift('cancel', id);
    expect(cancelled.stderr + cancelled.stdout).not.toContain('remedy');
    const { code, stderr } = await creating.done;
    expect(`${code} ${stderr}`).toMatch(/cancelled/i);
  }

  /** Nothing of a cluster is on this machine any more. */
  async function expectForgotten(name: string): Promise<void> {
    const folder = join(home.state, 'clusters', name);
    expect(await processesBelow(folder)).toEqual([]);
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  }

  it('deletes a workload cluster by its name, out of git too, without a bundle', { timeout: 8 * minutes }, async () => {
    const flux = `---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: FluxConfig
metadata:
  name: fleet
spec:
  git:
    repositoryUrl: file://${repository.path}
`;
    const file = await specification('one', 'mgmt', flux);
    const at = ['--kubeconfig', management.kubeconfig];
    expect(await sealift('create', 'cluster', '-f', file, '--bundle', bundle, ...at)).toMatchObject({ code: 0 });
    expect(await listed(...at)).toContainEqual({
      ...{ name: 'one', role: 'workload', provider: 'in-memory', kubernetesVersion: 'v1.35.4' },
      ...{ machines: { ready: 2, desired: 2 }, paused: false, problem: null },
    });
    const inGit = 'clusters/mgmt/workload-clusters/one/eksa-system/eksa-cluster.yaml';
    expect(await repository.show(inGit)).toContain('name: one');
    const { code, stdout } = await sealift('delete', 'cluster', 'one', ...at);
    expect(code).toBe(0);
    expect(parseOutput('delete-cluster', stdout)).toMatchObject({ name: 'one', role: 'workload', wasThere: true });
    await using cluster = await openCluster(management.kubeconfig);
    expect(await clusterObjects('one', cluster)).toEqual([]);
    expect((await keptClusters(cluster)).map(({ metadata }) => metadata.name)).not.toContain('one');
    expect(await repository.show(inGit)).toBeUndefined();
    expect((await repository.log())[0]).toContain('Delete workload cluster one');
    expect((await listed(...at)).map(({ name }) => name)).not.toContain('one');
    await expectForgotten('one');
    const byName = await sealift('delete', 'cluster', 'one', ...at);
    expect(parseOutput('delete-cluster', byName.stdout)).toEqual({
      kind: 'delete-cluster',
      name: 'one',
      wasThere: false,
    });
    const bySpecification = await sealift('delete', 'cluster', '-f', file, ...at);
    expect(parseOutput('delete-cluster', bySpecification.stdout)).toMatchObject({ role: 'workload', wasThere: false });
    await expectForgotten('one');
  });

  it('deletes a management cluster, but not before its workload clusters', { timeout: 12 * minutes }, async () => {
    const file = await specification('two');
    await lab.expectManagementCluster({ namespace, name: 'two' });
    expect(await sealift('create', 'cluster', '-f', file, '--bundle', bundle)).toMatchObject({ code: 0 });
    expect(await listed()).toContainEqual(
      expect.objectContaining({ name: 'two', role: 'management', machines: { ready: 2, desired: 2 }, problem: null }),
    );
    const at = ['--kubeconfig', join(home.state, 'clusters', 'two', 'self.kubeconfig')];
    const three = await specification('three', 'two');
    await cancelledIn('CreateWorkloadCluster', 'cluster/two/three', 3000, '-f', three, ...at);
    const needed = await sealift('delete', 'cluster', 'two', '--bundle', bundle, '--on-failure', 'fail');
    expect(needed.code).toBe(5);
    expect(needed.stdout).toContain('Cluster three');
    // the state folder knows how the management cluster is reached
    expect(await sealift('delete', 'cluster', 'three')).toMatchObject({ code: 0 });
    await expectForgotten('three');
    const bare = await sealift('delete', 'cluster', 'two');
    expect(bare.code).toBe(2);
    expect(bare.stdout).toContain('--bundle');
    const { code, stdout } = await sealift('delete', 'cluster', 'two', '--bundle', bundle);
    expect(code).toBe(0);
    expect(parseOutput('delete-cluster', stdout)).toMatchObject({ name: 'two', role: 'management', wasThere: true });
    await expectForgotten('two');
  });

  for (const { name, phase, afterMs } of cancelled) {
    it(`deletes ${name}, whose create was cancelled in ${phase}`, { timeout: 12 * minutes }, async () => {
      const file = await specification(name);
      if (comesToMachines.has(phase)) await lab.expectManagementCluster({ namespace, name });
      await cancelledIn(phase, `cluster/${name}`, afterMs, '-f', file);
      const { code, stdout } = await sealift('delete', 'cluster', name, '--bundle', bundle);
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
