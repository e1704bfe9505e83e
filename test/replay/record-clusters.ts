// Records the histories of cluster operations that replay.test.ts replays, from real runs on imitated machines:
// `npm run build && npx tsx test/replay/record-clusters.ts`; some ten minutes. What record.ts says of recordings goes for these.
import { join } from 'node:path';
import { createPhases, upgradePhases } from '../../contracts/clusters.ts';
import { nameOf, runCancelled, type KilledOperation, type KillMoment } from '../chaos/cluster-kills.ts';
import { bareRepository } from '../helpers/git-servers.ts';
import { recordedRuns } from '../helpers/recorded-runs.ts';
import {
  byManagement,
  keptInGit,
  managedBy,
  ofVersion,
  startClusterGround,
  type ClusterGround,
} from '../lab/cluster-ground.ts';
import { expectCode, saveRecording } from './recording.ts';

const namespace = 'eksa-system';
const bootstrapUpgrade = [/spec: \{\}/, 'spec:\n  upgradeThroughBootstrap: true'] as const;

/** The clusters; `fleet` is kept in git. */
const ids = {
  admin: 'cluster/admin',
  spare: 'cluster/spare',
  shop: 'cluster/admin/shop',
  fleet: 'cluster/admin/fleet',
};

const ground = await startClusterGround();
try {
  await recordCreates(ground);
  await recordUpgrades(ground);
  await recordDeletes(ground);
} finally {
  await ground[Symbol.asyncDispose]();
}

async function recordCreates(at: ClusterGround): Promise<void> {
  await at.lab.expectManagementCluster({ namespace, name: 'admin' });
  await succeed(at, 'create', 'cluster', '-f', await at.specification('admin', [ofVersion('1.34')]), ...content(at));
  await save(at, ids.admin, 'management');
  const shop = await at.specification('shop', [managedBy('admin'), ofVersion('1.34')]);
  await succeed(at, 'create', 'cluster', '-f', shop, ...content(at), ...byAdmin(at));
  await save(at, ids.shop, 'workload');
  const repository = join(at.home.path, 'fleet.git');
  const fleet = await at.specification('fleet', [managedBy('admin'), ...keptInGit(repository)]);
  expectCode(await at.sealift('create', 'cluster', '-f', fleet, ...content(at), ...byAdmin(at)), 5);
  await bareRepository(repository);
  await succeed(at, 'retry', ids.fleet);
  await save(at, ids.fleet, 'retried');
  await cancelIn(
    { phase: 'CreateWorkloadCluster', afterMs: 3000 },
    {
      ...{ home: at.home, id: ids.spare, phases: createPhases.management },
      args: ['create', 'cluster', '-f', await at.specification('spare'), ...content(at)],
    },
  );
  await save(at, ids.spare, 'cancelled');
}

async function recordUpgrades(at: ClusterGround): Promise<void> {
  const upgrade = (file: string): string[] => ['upgrade', 'cluster', '-f', file, ...content(at)];
  const admin = (minor: string): Promise<string> => at.specification('admin', [ofVersion(minor)]);
  await succeed(at, ...upgrade(await admin('1.34')));
  await save(at, ids.admin, 'unchanged');
  const shop = [...upgrade(await at.specification('shop', [managedBy('admin'), ofVersion('1.35')])), ...byAdmin(at)];
  await cancelIn(
    { phase: 'UpgradeWorkloadCluster', afterMs: 3000 },
    { home: at.home, id: ids.shop, phases: upgradePhases.workload, args: shop },
  );
  await save(at, ids.shop, 'cancelled');
  await succeed(at, ...shop);
  await save(at, ids.shop, 'workload');
  await succeed(at, ...upgrade(await admin('1.35')));
  await save(at, ids.admin, 'management');
  await succeed(at, ...upgrade(await at.specification('admin', [ofVersion('1.36'), bootstrapUpgrade])));
  await save(at, ids.admin, 'bootstrap');
}

async function recordDeletes(at: ClusterGround): Promise<void> {
  await succeed(at, 'delete', 'cluster', 'spare', ...content(at));
  await save(at, ids.spare, 'leftover');
  await succeed(at, 'delete', 'cluster', 'shop', ...byAdmin(at));
  await save(at, ids.shop, 'workload');
  // it still owns another cluster
  expectCode(await at.sealift('delete', 'cluster', 'admin', ...content(at)), 5);
  await succeed(at, 'abort', ids.admin);
  await save(at, ids.admin, 'aborted');
  await succeed(at, 'delete', 'cluster', 'fleet', ...byAdmin(at));
  await succeed(at, 'delete', 'cluster', 'admin', ...content(at));
  await save(at, ids.admin, 'management');
}

function content({ bundle }: ClusterGround): string[] {
  return ['--bundle', bundle];
}

function byAdmin({ home }: ClusterGround): string[] {
  return byManagement(home, 'admin');
}

async function succeed(at: ClusterGround, ...args: string[]): Promise<void> {
  expectCode(await at.sealift(...args), 0);
}

async function cancelIn(moment: KillMoment, operation: Omit<KilledOperation, 'moments'>): Promise<void> {
  const { during, last } = await runCancelled(operation, moment);
  if (during === undefined) throw new Error(`${nameOf(moment)}: over before:\n${last.stdout}${last.stderr}`);
}

/** Records the latest run of an operation. */
async function save({ home }: ClusterGround, id: string, outcome: string): Promise<void> {
  const [run] = await recordedRuns(home.env['TEMPORAL_ADDRESS']!, (found) => found === id);
  if (run === undefined) throw new Error(`nothing has run as ${id}`);
  await saveRecording(run, outcome);
}
