import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureControlPlane } from '../../core/bootstrap/control-plane.ts';
import { daemonPid } from '../../core/bootstrap/daemon.ts';
import { startSealift } from '../helpers/sealift.ts';
import { drawFrom } from '../helpers/seeded.ts';
import { ofVersion, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { whyNotLong } from '../lab/long.ts';
import { controlPlaneFolder, findLabBinary } from '../lab/management-cluster.ts';
import { expectAtRest, expectNoProcess } from './cluster-invariants.ts';

/**
 * API servers and etcd of both sides of a move killed with -9 in the middle of it, while the command goes on. Sealift brings
 * back its own bootstrap cluster; the management cluster comes back by whoever runs it, which is this test.
 * SEALIFT_CLUSTER_CHAOS_SEED draws other moments.
 */
const seed = Number(process.env['SEALIFT_CLUSTER_CHAOS_SEED'] ?? '20261121');
const draw = drawFrom(seed);
const minutes = 60_000;
const throughBootstrap = [/spec: \{\}/, 'spec:\n  upgradeThroughBootstrap: true'] as const;
const machines: ('control-plane' | 'worker')[] = ['control-plane', 'worker'];
const programs = ['kube-apiserver', 'etcd'];

type Side = 'bootstrap' | 'self';
/** A side loses its API server and etcd so many milliseconds after something is so. */
interface Loss {
  side: Side;
  when: () => Promise<boolean>;
  afterMs: number;
}

describe.skipIf(whyNotLong !== undefined)(`API servers killed in mid-move ${whyNotLong ?? ''}`, () => {
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

  const below = (...names: string[]): string => join(ground.home.state, 'clusters', 'two', ...names);
  const folderOf = (side: Side): string =>
    side === 'bootstrap'
      ? below('bootstrap', 'control-plane')
      : controlPlaneFolder(ground.lab.settings('eksa-system.two').folder);
  const inMove = (from: Side, to: Side) => async (): Promise<boolean> => {
    const record = await readFile(below(`move-${from}-${to}`, 'move.json'), 'utf8').catch(() => '');
    return record.includes('"stage":"moving"');
  };

  async function lose(side: Side): Promise<void> {
    for (const name of programs) {
      const pid = await daemonPid({ name, folder: folderOf(side) });
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    if (side === 'bootstrap') return;
    // long enough that some requests fail
    await sleep(2_000);
    await ensureControlPlane({ folder: folderOf(side), findBinary: findLabBinary, durable: false });
  }

  /** Runs a command while sides are lost, one after the other. What it waits for then is mended: `retry` has to do. */
  async function live(losses: readonly Loss[], ...args: string[]): Promise<void> {
    const running = startSealift(args, { home: ground.home });
    let ended = false;
    void running.done.then(() => (ended = true));
    for (const { side, when, afterMs } of losses) {
      while (!ended && !(await when())) await sleep(5);
      await sleep(afterMs);
      story.push(`${args[0]}: ${side} lost ${afterMs} ms into it${ended ? ', too late' : ''}`);
      await lose(side);
    }
    let { code, stdout, stderr } = await running.done;
    for (let tries = 0; code === 5 && tries < 3; tries += 1) {
      story.push(`  it waited: ${stderr.trim().split('\n').slice(-12).join(' | ')}`);
      ({ code, stdout, stderr } = await ground.sealift('retry', 'cluster/two'));
    }
    expect(`${code} ${stderr}${stdout}`, story.join('\n')).toMatch(/^0 /);
  }

  const moment = (): number => draw.between(0, 4_000);

  it(
    'of the bootstrap cluster, while it makes machines and while it hands over',
    { timeout: 15 * minutes },
    async () => {
      const file = await ground.specification('two', [ofVersion('1.35')]);
      const making = async (): Promise<boolean> =>
        (await daemonPid({ name: 'kube-apiserver', folder: folderOf('bootstrap') })) !== undefined &&
        (await readFile(below('clusterctl', 'bootstrap', 'repository', 'clusterctl.yaml')).catch(() => undefined)) !==
          undefined;
      const losses: Loss[] = [
        { side: 'bootstrap', when: making, afterMs: draw.between(0, 20_000) },
        { side: 'bootstrap', when: inMove('bootstrap', 'self'), afterMs: moment() },
      ];
      await live(losses, 'create', 'cluster', '-f', file, '--bundle', ground.bundle);
      await expectAtRest([below('self.kubeconfig')], [{ name: 'two', version: 'v1.35.4', machines }]);
      await expectNoProcess(ground.home);
    },
  );

  it('of both, on the way there and back', { timeout: 20 * minutes }, async () => {
    const file = await ground.specification('two', [ofVersion('1.36'), throughBootstrap]);
    const losses: Loss[] = [
      { side: 'self', when: inMove('self', 'bootstrap'), afterMs: moment() },
      { side: 'bootstrap', when: inMove('self', 'bootstrap'), afterMs: moment() },
      { side: 'bootstrap', when: inMove('bootstrap', 'self'), afterMs: moment() },
      { side: 'self', when: inMove('bootstrap', 'self'), afterMs: moment() },
    ];
    await live(losses, 'upgrade', 'cluster', '-f', file, '--bundle', ground.bundle);
    await expectAtRest([below('self.kubeconfig')], [{ name: 'two', version: 'v1.36.1', machines }]);
    await expectNoProcess(ground.home);
  });

  it('of the management cluster that is deleted', { timeout: 15 * minutes }, async () => {
    const losses: Loss[] = [{ side: 'self', when: inMove('self', 'bootstrap'), afterMs: moment() }];
    await live(losses, 'delete', 'cluster', 'two', '--bundle', ground.bundle);
    await expectNoProcess(ground.home);
  });
});
