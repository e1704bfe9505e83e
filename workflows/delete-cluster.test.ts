import { describe, expect, it } from 'vitest';
import { retryUpdateName, workflowTypes } from '../contracts/operations.ts';
import { failure } from '../test/helpers/commanded-activities.ts';
import { clusterInput, deleteClusterActivities } from '../test/helpers/commanded-cluster.ts';
import { useWorkflowStage, type StagedOperation } from '../test/helpers/workflow-stage.ts';

const stage = useWorkflowStage(deleteClusterActivities);
const start = (...options: Parameters<typeof clusterInput>): Promise<StagedOperation> =>
  stage.start(workflowTypes['delete-cluster'], clusterInput(...options));

const handOver = ['ensureBootstrap', 'installCapi', 'handOver'];
const machines = ['deleteMachines', 'confirmDeleted'];

describe('the delete of a cluster', () => {
  it('hands a management cluster over to a bootstrap cluster first', async () => {
    const operation = await start();
    expect(await operation.result()).toEqual({
      ...{ kind: 'delete-cluster', name: 'prod', role: 'management', provider: 'in-memory' },
      ...{ kubernetesVersion: 'v1.35.4', nodes: [], warnings: [], wasThere: true },
    });
    const all = ['surveyDeletion', ...handOver, ...machines, 'cleanUpGit', 'deleteBootstrap', 'forgetCluster'];
    expect(stage.activities.names()).toEqual(all);
    expect(await operation.summaries()).toMatchObject({
      handOver: ['the bootstrap cluster takes over from prod'],
      deleteMachines: ['wait until no machine of prod is left'],
    });
  });

  it('takes what a create has left from the bootstrap cluster that still owns it', async () => {
    stage.activities = deleteClusterActivities({ owner: 'bootstrap', needsBootstrap: false });
    await (await start()).result();
    const all = ['surveyDeletion', ...machines, 'cleanUpGit', 'deleteBootstrap', 'forgetCluster'];
    expect(stage.activities.names()).toEqual(all);
  });

  it('goes through the phases of a workload cluster', async () => {
    stage.activities = deleteClusterActivities({ owner: 'management', needsBootstrap: false });
    await (await start({ role: 'workload', kubeconfig: '/somewhere/mgmt.kubeconfig', specFile: '' })).result();
    expect(stage.activities.names()).toEqual(['surveyDeletion', ...machines, 'cleanUpGit', 'forgetCluster']);
    // the infrastructure may be known there alone
    expect(stage.activities.calls).toContainEqual({ name: 'confirmDeleted', skip: undefined, on: 'management' });
  });

  it('cleans up where there are no machines, and says that there was nothing', async () => {
    stage.activities = deleteClusterActivities({ owner: 'nobody', needsBootstrap: false });
    expect(await (await start()).result()).toMatchObject({ wasThere: false });
    const all = ['surveyDeletion', 'confirmDeleted', 'cleanUpGit', 'deleteBootstrap', 'forgetCluster'];
    expect(stage.activities.names()).toEqual(all);
  });

  it('leaves the bootstrap cluster when it is asked to', async () => {
    await (await start({ keepBootstrap: true })).result();
    expect(stage.activities.names()).not.toContain('deleteBootstrap');
  });

  it.each([
    ['SetupAndValidate', 'surveyDeletion'],
    ['MoveManagementToBootstrap', 'handOver'],
    ['DeleteWorkloadCluster', 'deleteMachines'],
    ['CleanUpGit', 'cleanUpGit'],
  ])('parks in %s, and goes on there', async (phase, step) => {
    stage.activities.fail(step, failure('ClusterNotReady', 'something'));
    const operation = await start();
    await operation.parked('something');
    expect((await operation.state()).phase).toBe(phase);
    await operation.answer(retryUpdateName);
    await operation.result();
    expect(stage.activities.count(step)).toBe(2);
    expect(stage.activities.count('ensureBootstrap')).toBe(1);
    expect(stage.activities.names()).not.toContain('discardDelete');
  });
});

describe('a delete that is given up', () => {
  it('deletes nothing more after what failed when it may not wait', async () => {
    stage.activities.fail('deleteMachines', failure('ClusterNotReady', 'Cluster prod'));
    const operation = await start({ onFailure: 'fail' });
    expect((await operation.failure()).type).toBe('ClusterNotReady');
    expect(stage.activities.names()).not.toContain('cleanUpGit');
    expect(stage.activities.names().at(-1)).toBe('discardDelete');
  });
});
