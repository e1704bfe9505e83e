import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { createClusterActivities } from '../activities/clusters/index.ts';
import { inMemory } from '../plugins/providers/in-memory/index.ts';
import { clusterTools } from '../workers/cluster-tools.ts';
import { clusterInput } from './helpers/commanded-cluster.ts';
import { kubeApiserverUnavailable, startKubeApiserver } from './helpers/kube-apiserver.ts';
import { temporaryFolder } from './helpers/paths.ts';

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`no step meets a management cluster that is away: ${why}`);

// test/clusters/away-management.test.ts has whole operations
describe.skipIf(why !== undefined)('a step whose management cluster is away', () => {
  it('fails with its name and what to do, and succeeds when it is tried again after that is back', async () => {
    await using folder = await temporaryFolder('away');
    await using api = await startKubeApiserver();
    const specFile = join(folder.path, 'one.yaml');
    await writeFile(specFile, inMemory.specTemplate('one').replace(/(managementCluster:\n +name: ).*/, '$1mgmt'));
    const activities = createClusterActivities(
      clusterTools({ config: folder.path, cache: folder.path, state: folder.path }, {}),
    );
    const input = clusterInput({
      ...{ name: 'one', role: 'workload', managementCluster: 'mgmt', specFile, kubeconfig: api.kubeconfig },
    });
    const step = (): Promise<unknown> => new MockActivityEnvironment().run(activities.surveyDeletion, { input });
    await api.restart(() =>
      expect(step()).rejects.toMatchObject({
        // tried again by itself, for a minute
        ...{ type: 'ClusterUnreachable', nonRetryable: false },
        message: expect.stringMatching(
          new RegExp(`at ${api.url}: the management cluster mgmt cannot be reached[^]*remedy: start it again`),
        ) as string,
      }),
    );
    expect(await step()).toMatchObject({ owner: 'nobody', provider: 'in-memory' });
  });
});
