import { describe, expect, it } from 'vitest';
import { abortUpdateName, retryUpdateName, workflowTypes } from '../contracts/operations.ts';
import { eventually, failure } from '../test/helpers/commanded-activities.ts';
import { ARCHIVE, clusterInput, createClusterActivities } from '../test/helpers/commanded-cluster.ts';
import { useWorkflowStage, type StagedOperation } from '../test/helpers/workflow-stage.ts';

const stage = useWorkflowStage(createClusterActivities);
const start = (...options: Parameters<typeof clusterInput>): Promise<StagedOperation> =>
  stage.start(workflowTypes['create-cluster'], clusterInput(...options));
const collections = (): number => stage.activities.count('collectDiagnostics');

describe('diagnostics of a cluster operation', () => {
  it('are collected once each time that a step parks, and the operation says where they are', async () => {
    stage.activities.fail('moveCluster', failure('ToolFailed', 'clusterctl'), failure('ToolFailed', 'clusterctl'));
    const operation = await start();
    const [parked] = await operation.parked('clusterctl');
    expect(parked).toMatchObject({ diagnostics: ARCHIVE, needed: true });
    expect(collections()).toBe(1);
    expect(await operation.details()).toContain(ARCHIVE);
    expect((await operation.summaries())['collectDiagnostics']).toEqual([
      'what clusters say about MoveManagementCluster',
    ]);
    await operation.answer(retryUpdateName);
    await eventually('parked again', () => collections() === 2);
    await operation.parked('clusterctl');
    await operation.answer(retryUpdateName);
    expect(await operation.result()).toEqual({ kind: 'create-cluster' });
    expect(collections()).toBe(2);
  });

  it.each([
    ['what a person could have mended', failure('ToolFailed', 'clusterctl'), 'ToolFailed'],
    ['what can never work', failure('BundleCorrupt', 'clusterctl'), 'BundleCorrupt'],
  ])('are named by %s, where it ends the operation', async (_, error, type) => {
    stage.activities.fail('moveCluster', error);
    const failed = await (await start({ onFailure: 'fail' })).failure();
    expect(failed.type).toBe(type);
    expect(failed.details?.[0]).toMatchObject([{ item: 'clusterctl', type, diagnostics: ARCHIVE }]);
    expect(collections()).toBe(1);
  });

  it('never make it worse: without them it parks all the same', async () => {
    stage.activities.fail('collectDiagnostics', failure('DiskFull', '/state/diagnostics'));
    stage.activities.fail('moveCluster', failure('ToolFailed', 'clusterctl'));
    const operation = await start();
    const [parked] = await operation.parked('clusterctl');
    expect(parked).not.toHaveProperty('diagnostics');
    await operation.answer(abortUpdateName);
    expect((await operation.failure()).type).toBe('OperationAborted');
  });

  it('are given up when the operation is cancelled', async () => {
    const slow = stage.activities.hold('collectDiagnostics');
    stage.activities.fail('moveCluster', failure('ToolFailed', 'clusterctl'));
    const operation = await start();
    await eventually('collecting', () => slow.entered === 1);
    await operation.cancel();
    expect(await operation.status()).toBe('CANCELLED');
    expect(stage.activities.names().at(-1)).toBe('discardCreate');
  });

  it('are not asked for where nothing failed', async () => {
    await (await start()).result();
    expect(collections()).toBe(0);
  });
});
