import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Client, Connection } from '@temporalio/client';
import { workflowTypes } from '../../contracts/operations.ts';
import { sharedTaskQueue } from '../../contracts/task-queues.ts';
import { clusterInput } from '../../test/helpers/commanded-cluster.ts';
import { fakeHost, quietWorkers, recordedTerminal } from '../../test/helpers/command-line.ts';
import { parseOutput } from '../../test/helpers/output-schema.ts';
import { startTemporal, type TestTemporal } from '../../test/helpers/temporal.ts';
import { activityFailure, workerWithFakes, type FakeActivities } from '../../test/helpers/worker-with-fakes.ts';
import { main } from '../main.ts';

// Commands that end an operation, whose clean-up may wait for a person too.

const hostQueue = 'sealift-host-0123456789ab';
const unreachable = 'start its API server again';

let temporal: TestTemporal;
let client: Client;
let activities: FakeActivities;
/** how often the clean-up fails before it works */
let failures: number;

beforeAll(async () => {
  temporal = await startTemporal();
  client = new Client({ connection: await Connection.connect({ address: temporal.address }) });
});
afterAll(async () => {
  await client.connection.close();
  await temporal.stop();
});

beforeEach(() => {
  failures = 1;
  activities = {
    collectDiagnostics: () => Promise.resolve({ archive: '/diagnostics.tar.gz' }),
    surveyDeletion: () => Promise.reject(activityFailure('ValidationFailed', 'Cluster prod', 'delete others first')),
    discardDelete: async () => {
      await Promise.resolve();
      if (failures-- > 0) throw activityFailure('ClusterForbidden', 'Cluster prod at https://there', unreachable);
    },
  };
});

async function run(...argv: string[]) {
  const { address, namespace } = temporal;
  const host = fakeHost({
    workers: quietWorkers({
      start: () => workerWithFakes({ target: { address, namespace }, hostQueue, identity: 'command', activities }),
    }),
  });
  const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  const terminal = recordedTerminal({ env });
  return { code: await main([...argv, '--output-format', 'json'], () => host, terminal), terminal };
}

/** A delete that waits for a person. @returns its id */
async function parkedDelete(name: string): Promise<string> {
  const workflowId = `cluster/${name}`;
  const args = [clusterInput({ name, hostTaskQueue: hostQueue })];
  await client.workflow.start(workflowTypes['delete-cluster'], { workflowId, args, taskQueue: sharedTaskQueue });
  const watched = await run('watch', workflowId);
  expect(watched.code).toBe(5);
  return workflowId;
}

describe('an operation that is told to end', () => {
  it.each(['cancel', 'abort'])('says what its clean-up waits for, and ends once that is mended (%s)', async (verb) => {
    const id = await parkedDelete(verb);
    const told = await run(verb, id);
    expect(told.code).toBe(5);
    expect(parseOutput('parked', told.terminal.out())).toMatchObject({ parkedCount: 1, operation: id });
    expect(told.terminal.err()).toMatch(/is not (cancelled|aborted) yet: it undoes what it has begun/);
    expect(told.terminal.err()).toContain(unreachable);
    const retried = await run('retry', id);
    expect(retried.code).toBe(5);
    await vi.waitFor(async () => {
      const { status } = await client.workflow.getHandle(id).describe();
      expect(status.name).toBe(verb === 'cancel' ? 'CANCELLED' : 'FAILED');
    });
  });

  it('says that it has ended when there is nothing to wait for', async () => {
    failures = 0;
    const id = await parkedDelete('quiet');
    const told = await run('cancel', id);
    expect(told.code).toBe(0);
    expect(parseOutput('decision', told.terminal.out())).toMatchObject({ status: 'cancelled' });
  });

  it('says so when its clean-up failed', async () => {
    activities['discardDelete'] = () => Promise.reject(activityFailure('InternalError', 'Cluster prod', ''));
    const id = await parkedDelete('broken');
    const told = await run('cancel', id);
    expect(told.code).toBe(1);
    expect(told.terminal.err()).toContain('InternalError happened');
  });
});
