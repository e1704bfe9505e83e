import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPhases, deletePhases, upgradePhases, type ClusterPhase } from '../../contracts/clusters.ts';
import { drawFrom } from '../helpers/seeded.ts';
import { ofVersion, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { whyNotLong } from '../lab/long.ts';
import { expectNoProcess, expectNothingPaused, expectOneOwner } from './cluster-invariants.ts';
import { nameOf, runCancelled, typicalMsOf } from './cluster-kills.ts';

/**
 * A management cluster whose create, upgrade and delete are cancelled in each of their phases, one after another: what a
 * cancel leaves is gone on with by the same command, and in the end is deleted. SEALIFT_CLUSTER_CHAOS_SEED draws other moments.
 */
const seed = Number(process.env['SEALIFT_CLUSTER_CHAOS_SEED'] ?? '20261121');
const draw = drawFrom(seed);
const minutes = 60_000;
const throughBootstrap = [/spec: \{\}/, 'spec:\n  upgradeThroughBootstrap: true'] as const;

describe.skipIf(whyNotLong !== undefined)(`clusters whose operations are cancelled ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  const story: string[] = [];

  beforeAll(async () => {
    ground = await startClusterGround();
    await ground.lab.expectManagementCluster({ namespace: 'eksa-system', name: 'two' });
  }, 5 * minutes);
  afterAll(async () => {
    process.stdout.write(`seed ${seed}\n${story.join('\n')}\n`);
    await ground[Symbol.asyncDispose]();
  });

  const kubeconfigs = (): string[] =>
    ['bootstrap', 'self'].map((place) => join(ground.home.state, 'clusters', 'two', `${place}.kubeconfig`));

  /** Cancels in one phase after another; what was over before the cancel came counts as well, once it has ended. */
  async function cancelInAll(phases: readonly ClusterPhase[], ...args: string[]): Promise<void> {
    for (const phase of phases) {
      const moment = { phase, afterMs: draw.between(0, typicalMsOf(phase)) };
      const { home } = ground;
      const { last, during } = await runCancelled({ home, id: 'cluster/two', args, phases }, moment);
      story.push(`${args[0]} ${nameOf(moment)}: ${during ?? 'over before'}`);
      const said = `${last.code} ${last.stderr}${last.stdout}`;
      expect(said, story.join('\n')).toMatch(during === undefined ? /^0 / : /cancelled|^0 /);
      const there = kubeconfigs().filter(existsSync);
      await expectOneOwner(there);
      await expectNothingPaused(there);
      if (last.code === 0) return;
    }
  }

  const succeed = async (...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await ground.sealift(...args);
    expect(`${code} ${stderr}${stdout}`, story.join('\n')).toMatch(/^0 /);
  };

  it('create', { timeout: 20 * minutes }, async () => {
    const file = await ground.specification('two', [ofVersion('1.35')]);
    const args = ['create', 'cluster', '-f', file, '--bundle', ground.bundle];
    await cancelInAll(createPhases.management, ...args);
    await succeed(...args);
    await expectNoProcess(ground.home);
  });

  it('upgrade', { timeout: 25 * minutes }, async () => {
    const file = await ground.specification('two', [ofVersion('1.36'), throughBootstrap]);
    const args = ['upgrade', 'cluster', '-f', file, '--bundle', ground.bundle];
    // the last one leaves machines half replaced: that is what is deleted
    const until = upgradePhases.management.indexOf('UpgradeWorkloadCluster');
    await cancelInAll(upgradePhases.management.slice(0, until + 1), ...args);
  });

  it('delete', { timeout: 20 * minutes }, async () => {
    const args = ['delete', 'cluster', 'two', '--bundle', ground.bundle];
    await cancelInAll(deletePhases.management, ...args);
    await succeed(...args);
    await expectNoProcess(ground.home);
    expect(existsSync(join(ground.home.state, 'clusters', 'two'))).toBe(false);
  });
});
