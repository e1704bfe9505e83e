import { describe, expect, it } from 'vitest';
import { retryUpdateName, workflowTypes } from '../contracts/operations.ts';
import { eventually, failure } from '../test/helpers/commanded-activities.ts';
import { clusterInput, upgradeClusterActivities } from '../test/helpers/commanded-cluster.ts';
import { useWorkflowStage, type StagedOperation } from '../test/helpers/workflow-stage.ts';

const stage = useWorkflowStage(upgradeClusterActivities);
const start = (...options: Parameters<typeof clusterInput>): Promise<StagedOperation> =>
  stage.start(workflowTypes['upgrade-cluster'], clusterInput(...options));

const before = ['validateUpgrade', 'updateSecrets', 'upgradeNeeded'];
const rollout = ['applyUpgrade', 'awaitCluster', 'removeOldTemplates'];
const after = ['installComponents', 'publishUpgrade', 'resumeReconcile'];
const management = [...before, 'pauseReconcile', ...rollout, ...after, 'describeCluster'];

describe('the upgrade of a cluster', () => {
  it('goes through the phases of a management cluster that upgrades itself', async () => {
    const operation = await start();
    expect(await operation.result()).toEqual({ kind: 'upgrade-cluster', warnings: [] });
    expect(stage.activities.names()).toEqual(management);
    expect((await operation.summaries())['awaitCluster']).toEqual(['wait for the machines of prod']);
  });

  it('goes through those of one that a bootstrap cluster upgrades, and says what validation warned of', async () => {
    stage.activities = upgradeClusterActivities({ throughBootstrap: true, warnings: ['mind this'] });
    const operation = await start();
    expect(await operation.result()).toMatchObject({ warnings: ['mind this'] });
    expect(stage.activities.names()).toEqual([
      ...before,
      ...['pauseReconcile', 'ensureBootstrap', 'installCapi', 'updateSecrets', 'settleMoves', 'moveCluster'],
      ...rollout,
      ...['installCapi', 'moveCluster'],
      ...after,
      ...['deleteBootstrap', 'describeCluster'],
    ]);
    expect((await operation.summaries())['moveCluster']).toEqual([
      'the bootstrap cluster takes over',
      'prod takes over again',
    ]);
  });

  it('brings the Cluster API of the management cluster up to the bundle before any machine is replaced', async () => {
    stage.activities = upgradeClusterActivities({ replacesClusterApi: true });
    await (await start()).result();
    const steps = ['pauseReconcile', 'installCapi', ...rollout];
    expect(stage.activities.names()).toEqual([...before, ...steps, ...after, 'describeCluster']);
  });

  it('takes over where a bootstrap cluster has the cluster since an upgrade that was broken off', async () => {
    stage.activities = upgradeClusterActivities({ throughBootstrap: true, isUnfinished: true });
    await (await start({ keepBootstrap: true })).result();
    expect(stage.activities.count('moveCluster')).toBe(1);
    expect(stage.activities.names()).not.toContain('deleteBootstrap');
  });

  it('goes through those of a workload cluster', async () => {
    await (await start({ role: 'workload', kubeconfig: '/somewhere/mgmt.kubeconfig' })).result();
    expect(stage.activities.names()).toEqual([
      'validateUpgrade',
      'pauseReconcile',
      ...rollout,
      ...after,
      'describeCluster',
    ]);
  });

  it('pauses nothing when nothing has changed, and resumes what an earlier upgrade has left', async () => {
    stage.activities = upgradeClusterActivities({}, false);
    expect(await (await start()).result()).toMatchObject({ unchanged: true });
    expect(stage.activities.names()).toEqual([...before, 'resumeReconcile', 'describeCluster']);
  });

  it('brings what the management cluster keeps to the present layout when nothing else has changed', async () => {
    stage.activities = upgradeClusterActivities({ bringsLayoutUp: true }, false);
    expect(await (await start()).result()).toEqual({ kind: 'upgrade-cluster', warnings: [] });
    expect(stage.activities.names()).toEqual([...before, ...after, 'describeCluster']);
  });

  it.each([
    ['SetupAndValidate', 'validateUpgrade', 'validateUpgrade'],
    ['UpgradeWorkloadCluster', 'awaitCluster', 'applyUpgrade'],
    ['ResumeReconcile', 'resumeReconcile', 'resumeReconcile'],
  ])('parks in %s, and goes on there', async (phase, step, first) => {
    stage.activities.fail(step, failure('ClusterNotReady', 'something'));
    const operation = await start();
    await operation.parked('something');
    expect((await operation.state()).phase).toBe(phase);
    await operation.answer(retryUpdateName);
    await operation.result();
    const again = [
      ...management.slice(0, management.indexOf(step) + 1),
      ...management.slice(management.indexOf(first)),
    ];
    expect(stage.activities.names()).toEqual(again);
  });
});

describe('an upgrade that is given up', () => {
  it.each(['park', 'fail'] as const)('resumes what it paused when it fails for good (%s)', async (onFailure) => {
    stage.activities.fail('publishUpgrade', failure('InvalidInput', 'a URL'));
    const operation = await start({ onFailure });
    expect((await operation.failure()).type).toBe('InvalidInput');
    expect(stage.activities.names().at(-1)).toBe('discardUpgrade');
  });

  it('ends with all that failed when it may not wait', async () => {
    stage.activities.fail('awaitCluster', failure('ClusterNotReady', 'Cluster prod'));
    stage.activities.fail('discardUpgrade', failure('ClusterForbidden', 'Kustomization prod'));
    const operation = await start({ onFailure: 'fail' });
    expect((await operation.failure()).message).toBe('2 failed, the first: ClusterNotReady of Cluster prod');
  });

  it('has nothing to resume before it paused anything', async () => {
    const held = stage.activities.hold('updateSecrets');
    const operation = await start();
    await eventually('it is before the pause', () => held.entered === 1);
    await operation.cancel();
    expect(await operation.status()).toBe('CANCELLED');
    expect(stage.activities.names()).not.toContain('discardUpgrade');
  });
});
