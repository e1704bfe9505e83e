import { describe, expect, it } from 'vitest';
import type { ClusterOperationInput, ClusterOperationName } from '../../contracts/clusters.ts';
import { abortUpdateName, retryUpdateName, workflowTypes } from '../../contracts/operations.ts';
import { eventually, failure, type CommandedActivities } from '../../test/helpers/commanded-activities.ts';
import {
  clusterInput,
  createClusterActivities,
  deleteClusterActivities,
  upgradeClusterActivities,
} from '../../test/helpers/commanded-cluster.ts';
import { useWorkflowStage, type StagedOperation } from '../../test/helpers/workflow-stage.ts';

interface GivenUp {
  name: ClusterOperationName;
  activities: () => CommandedActivities;
  /** in which it is given up */
  step: string;
  undo: string;
}

describe.each<GivenUp>([
  { name: 'create-cluster', activities: () => createClusterActivities(), step: 'moveCluster', undo: 'discardCreate' },
  {
    name: 'upgrade-cluster',
    activities: () => upgradeClusterActivities(),
    step: 'awaitCluster',
    undo: 'discardUpgrade',
  },
  { name: 'delete-cluster', activities: () => deleteClusterActivities(), step: 'handOver', undo: 'discardDelete' },
])('$name that is given up in $step', ({ name, activities, step, undo }) => {
  const stage = useWorkflowStage(activities);
  const start = (options: Partial<ClusterOperationInput> = {}): Promise<StagedOperation> =>
    stage.start(workflowTypes[name], clusterInput(options));

  it('leaves nothing paused when it is cancelled, after all that was under way has ended', async () => {
    const held = stage.activities.hold(step);
    const operation = await start();
    await eventually('the step begun', () => held.entered === 1);
    await operation.cancel();
    expect(await operation.status()).toBe('CANCELLED');
    expect(held.cancelled).toBe(1);
    expect(stage.activities.ended.slice(-2)).toEqual([step, undo]);
  });

  it('leaves nothing paused when it may not wait', async () => {
    stage.activities.fail(step, failure('ToolFailed', 'something'));
    expect((await (await start({ onFailure: 'fail' })).failure()).type).toBe('ToolFailed');
    expect(stage.activities.names().slice(-2)).toEqual([step, undo]);
  });

  it('leaves nothing paused when it is aborted, and waits for a person where that fails', async () => {
    stage.activities.fail(step, failure('ToolFailed', 'something'));
    stage.activities.fail(undo, failure('ClusterForbidden', 'Cluster prod'));
    const operation = await start();
    await operation.parked('something');
    await operation.answer(abortUpdateName);
    await operation.parked('Cluster prod');
    expect((await operation.state()).phase).toBe('cleaning');
    await operation.answer(retryUpdateName);
    expect((await operation.failure()).type).toBe('OperationAborted');
    expect(stage.activities.count(undo)).toBe(2);
  });

  it('waits for a person where it cannot be undone even when it is cancelled', async () => {
    const held = stage.activities.hold(step);
    stage.activities.fail(undo, failure('ClusterForbidden', 'Cluster prod'));
    const operation = await start();
    await eventually('the step begun', () => held.entered === 1);
    await operation.cancel();
    await operation.parked('Cluster prod');
    await operation.answer(retryUpdateName);
    expect(await operation.status()).toBe('CANCELLED');
    expect(stage.activities.count(undo)).toBe(2);
  });
});
