import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPhases, deletePhases, upgradePhases } from '../../contracts/clusters.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { bareRepository, type BareRepository } from '../helpers/git-servers.ts';
import type { SealiftResult } from '../helpers/sealift.ts';
import { drawFrom } from '../helpers/seeded.ts';
import {
  keptInGit,
  managedBy,
  ofVersion,
  startClusterGround,
  type ClusterGround,
  type SpecificationChange,
} from '../lab/cluster-ground.ts';
import { fluxDefinitions } from '../lab/flux.ts';
import { whyNotLong } from '../lab/long.ts';
import { expectAtRest, expectNoProcess, expectOneOwner, type ExpectedCluster } from './cluster-invariants.ts';
import { momentsOf, runKilled, type KillMoment } from './cluster-kills.ts';

/**
 * One life of a management cluster and a workload cluster, command and worker killed with -9 at every phase boundary and at
 * moments inside each phase. SEALIFT_CLUSTER_CHAOS_ROUNDS says about how many kills there are to be,
 * SEALIFT_CLUSTER_CHAOS_SEED draws other moments.
 */
const rounds = Number(process.env['SEALIFT_CLUSTER_CHAOS_ROUNDS'] ?? '100');
const seed = Number(process.env['SEALIFT_CLUSTER_CHAOS_SEED'] ?? '20261121');
const draw = drawFrom(seed);

const namespace = 'eksa-system';
const minutes = 60_000;
const kustomization = { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' };
const machines: ExpectedCluster['machines'] = ['control-plane', 'worker'];

/** The operations of the life, in their order. */
const life = [
  { operation: 'create two', id: 'cluster/two', phases: createPhases.management },
  { operation: 'create one', id: 'cluster/two/one', phases: createPhases.workload },
  { operation: 'upgrade one', id: 'cluster/two/one', phases: upgradePhases.workload },
  { operation: 'upgrade two', id: 'cluster/two', phases: upgradePhases.management },
  { operation: 'delete one', id: 'cluster/two/one', phases: deletePhases.workload },
  { operation: 'delete two', id: 'cluster/two', phases: deletePhases.management },
] as const;
type LifeOperation = (typeof life)[number]['operation'];

const planned = thinned(
  life.flatMap(({ operation, phases }) => momentsOf(phases, draw).map((moment) => ({ operation, moment }))),
);

/** As many of all moments as there are rounds, evenly spread. */
function thinned<T>(all: readonly T[]): T[] {
  return all.filter(
    (_one, index) => Math.floor(((index + 1) * rounds) / all.length) > Math.floor((index * rounds) / all.length),
  );
}

describe.skipIf(whyNotLong !== undefined)(`clusters whose commands are killed ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let repository: BareRepository;
  const story: string[] = [];
  let killed = 0;

  beforeAll(async () => {
    ground = await startClusterGround();
    repository = await bareRepository(join(ground.home.path, 'clusters.git'));
    await ground.lab.expectManagementCluster({ namespace, name: 'two' });
  }, 5 * minutes);
  afterAll(async () => {
    process.stdout.write(`seed ${seed}: ${killed} kills\n${story.join('\n')}\n`);
    await ground[Symbol.asyncDispose]();
  });

  const kubeconfig = (place: 'self' | 'bootstrap'): string =>
    join(ground.home.state, 'clusters', 'two', `${place}.kubeconfig`);
  const bundle = (): string[] => ['--bundle', ground.bundle];
  const atTwo = (): string[] => ['--kubeconfig', kubeconfig('self')];
  const two = (minor: string, ...more: SpecificationChange[]): Promise<string> =>
    ground.specification('two', [ofVersion(minor), ...keptInGit(repository.path), ...more]);
  const one = (minor: string): Promise<string> =>
    ground.specification('one', [ofVersion(minor), managedBy('two'), ...keptInGit(repository.path)]);

  /** Runs one operation of the life to its end, killed where that is planned. */
  async function live(operation: LifeOperation, ...args: string[]): Promise<SealiftResult> {
    const { id, phases } = life.find((each) => each.operation === operation)!;
    const moments: KillMoment[] = planned.filter((each) => each.operation === operation).map(({ moment }) => moment);
    const started = performance.now();
    const { last, kills, missed } = await runKilled({
      home: ground.home,
      id,
      args,
      phases: phases,
      moments,
      afterKill: () => expectOneOwner([kubeconfig('bootstrap'), kubeconfig('self')]),
    });
    killed += kills.length;
    const seconds = Math.round((performance.now() - started) / 1000);
    story.push(`${operation}: ${kills.length} kills in ${seconds} s`, ...kills.map((kill) => `  ${kill}`));
    if (missed.length > 0) story.push(`  over before: ${missed.join(', ')}`);
    expect(`${last.code} ${last.stderr}${last.stdout}`, `seed ${seed}\n${story.join('\n')}`).toMatch(/^0 /);
    return last;
  }

  it('a management cluster is created', { timeout: 15 * minutes }, async () => {
    await live('create two', 'create', 'cluster', '-f', await two('1.35'), ...bundle());
    await expectAtRest([kubeconfig('self')], [{ name: 'two', version: 'v1.35.4', machines }]);
    await expectNoProcess(ground.home);
    await using cluster = await openCluster(kubeconfig('self'));
    await cluster.applyAll([
      ...fluxDefinitions(),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'flux-system' } },
      { ...kustomization, metadata: { name: 'ours', namespace: 'flux-system' }, spec: {} },
      { ...kustomization, metadata: { name: 'theirs', namespace: 'flux-system' }, spec: { suspend: true } },
    ]);
  });

  it('it creates a workload cluster', { timeout: 10 * minutes }, async () => {
    await live('create one', 'create', 'cluster', '-f', await one('1.34'), ...bundle(), ...atTwo());
    await expectAtRest(
      [kubeconfig('self')],
      [
        { name: 'one', version: 'v1.34.6', machines },
        { name: 'two', version: 'v1.35.4', machines },
      ],
    );
    await expectNoProcess(ground.home);
  });

  it('it upgrades the workload cluster', { timeout: 10 * minutes }, async () => {
    await live('upgrade one', 'upgrade', 'cluster', '-f', await one('1.35'), ...bundle(), ...atTwo());
    await expectAtRest([kubeconfig('self')], both('v1.35.4', 'v1.35.4'));
    await expectNoProcess(ground.home);
  });

  it('it is upgraded by a bootstrap cluster', { timeout: 20 * minutes }, async () => {
    const throughBootstrap = [/spec: \{\}/, 'spec:\n  upgradeThroughBootstrap: true'] as const;
    const file = await two('1.36', throughBootstrap);
    await live('upgrade two', 'upgrade', 'cluster', '-f', file, ...bundle());
    await expectAtRest([kubeconfig('self')], both('v1.35.4', 'v1.36.1'));
    await expectNoProcess(ground.home);
  });

  it('it deletes the workload cluster', { timeout: 10 * minutes }, async () => {
    await live('delete one', 'delete', 'cluster', 'one', ...atTwo());
    await expectAtRest([kubeconfig('self')], [{ name: 'two', version: 'v1.36.1', machines }]);
    await expectNoProcess(ground.home);
  });

  it('it is deleted', { timeout: 15 * minutes }, async () => {
    await live('delete two', 'delete', 'cluster', 'two', ...bundle());
    await expectNoProcess(ground.home);
    const { stdout } = await ground.sealift('get', 'clusters');
    expect(JSON.parse(stdout)).toMatchObject({ clusters: [] });
  });

  it('as often as was asked for', () => {
    // a moment is missed when its phase was quicker than the draw
    expect(killed).toBeGreaterThanOrEqual(Math.floor(planned.length * 0.6));
  });

  function both(ofOne: string, ofTwo: string): ExpectedCluster[] {
    return [
      { name: 'one', version: ofOne, machines },
      { name: 'two', version: ofTwo, machines },
    ];
  }
});
