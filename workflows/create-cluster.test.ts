import { describe, expect, it } from 'vitest';
import { createPhases } from '../contracts/clusters.ts';
import { retryUpdateName, skipUpdateName, workflowTypes } from '../contracts/operations.ts';
import { failure } from '../test/helpers/commanded-activities.ts';
import { clusterInput, createClusterActivities } from '../test/helpers/commanded-cluster.ts';
import { useWorkflowStage, type StagedOperation } from '../test/helpers/workflow-stage.ts';

const stage = useWorkflowStage(createClusterActivities);
const start = (...options: Parameters<typeof clusterInput>): Promise<StagedOperation> =>
  stage.start(workflowTypes['create-cluster'], clusterInput(...options));

const management = [
  'validateCluster',
  'ensureBootstrap',
  'installCapi',
  'applyCluster',
  'awaitCluster',
  'installCapi',
  'moveCluster',
  'awaitCluster',
  'installComponents',
  'installAddOns',
  'deleteBootstrap',
  'describeCluster',
];

describe('the creation of a cluster', () => {
  it('goes through all phases of a management cluster, in order', async () => {
    const operation = await start();
    expect(await operation.result()).toEqual({ kind: 'create-cluster' });
    expect(stage.activities.names()).toEqual(management);
    expect((await operation.summaries())['installCapi']).toEqual([
      "Cluster API's controllers on the bootstrap cluster",
      "Cluster API's controllers on the new cluster",
    ]);
  });

  it('goes through those of a workload cluster, whose specification is kept before a machine is asked for', async () => {
    await (await start({ role: 'workload', kubeconfig: '/somewhere/mgmt.kubeconfig' })).result();
    expect(stage.activities.names()).toEqual([
      'validateCluster',
      'installComponents',
      'applyCluster',
      'awaitCluster',
      'installAddOns',
      'describeCluster',
    ]);
  });

  it('makes nothing anew of a management cluster that belongs to itself already', async () => {
    stage.activities = createClusterActivities('self');
    await (await start()).result();
    const rest = ['awaitCluster', 'installComponents', 'installAddOns', 'deleteBootstrap', 'describeCluster'];
    expect(stage.activities.names()).toEqual(['validateCluster', ...rest]);
  });

  it('goes on with one that the bootstrap cluster still has', async () => {
    stage.activities = createClusterActivities('bootstrap');
    await (await start()).result();
    expect(stage.activities.names()).toEqual(management);
  });

  it('leaves the bootstrap cluster when it is told to', async () => {
    await (await start({ keepBootstrap: true })).result();
    expect(stage.activities.names()).toEqual(management.filter((name) => name !== 'deleteBootstrap'));
  });

  it.each([
    ['SetupAndValidate', 'validateCluster'],
    ['CreateBootstrapCluster', 'ensureBootstrap'],
    ['MoveManagementCluster', 'moveCluster'],
    ['InstallAddOns', 'installAddOns'],
  ])('parks in %s, says which phase that is, and goes on there', async (phase, step) => {
    stage.activities.fail(step, failure('ToolMissing', 'something'));
    const operation = await start();
    await operation.parked('something');
    expect(createPhases.management).toContain((await operation.state()).phase);
    expect((await operation.state()).phase).toBe(phase);
    await operation.answer(retryUpdateName);
    await operation.result();
    const at = management.indexOf(step);
    expect(stage.activities.names()).toEqual([...management.slice(0, at + 1), ...management.slice(at)]);
  });

  it('leaves no phase out', async () => {
    stage.activities.fail('moveCluster', failure('ToolMissing', 'clusterctl'));
    const operation = await start();
    await operation.parked('clusterctl');
    await expect(operation.answer(skipUpdateName)).rejects.toThrow();
    await operation.answer(retryUpdateName);
    await operation.result();
  });

  it('ends with the finding when it may not wait', async () => {
    stage.activities.fail('validateCluster', failure('ValidationFailed', 'VSphereMachineConfig a'));
    const operation = await start({ onFailure: 'fail' });
    expect((await operation.failure()).type).toBe('ValidationFailed');
    expect(stage.activities.names()).toEqual(['validateCluster']);
  });
});
