import { describe, expect, it } from 'vitest';

import {
  memoKeys,
  pauseSignalName,
  resumeSignalName,
  retryUpdateName,
  workflowTypes,
} from '../contracts/operations.ts';
import { eventually, failure } from '../test/helpers/commanded-activities.ts';
import { exportActivities, exportInput } from '../test/helpers/commanded-export.ts';
import { sorted, useWorkflowStage, type StagedOperation } from '../test/helpers/workflow-stage.ts';

const stage = useWorkflowStage(exportActivities);
const start = (...options: Parameters<typeof exportInput>): Promise<StagedOperation> =>
  stage.start(workflowTypes.export, exportInput(...options));

describe('what passes', () => {
  it('is tried again without anybody', async () => {
    const dropped = failure('ConnectionFailed', 'r.example');
    stage.activities.fail('fetchBlobs 0', dropped, dropped, dropped);
    await (await start()).result();
    expect(stage.activities.count('fetchBlobs 0')).toBe(4);
    expect(stage.activities.count('fetchBlobs 1')).toBe(1);
  });

  it('parks when it does not pass', async () => {
    stage.activities.fail(
      'fetchBlobs 0',
      ...Array.from({ length: 7 }, () => failure('RegistryUnavailable', 'r.example')),
    );
    const operation = await start();
    const [parked] = await operation.parked('r.example');
    expect(parked?.type).toBe('RegistryUnavailable');
    expect(stage.activities.count('fetchBlobs 0')).toBe(7);
    await operation.answer(retryUpdateName);
    await operation.result();
  });
});

describe('what can never work', () => {
  it('fails at once; what runs has ended before, what is there stays', async () => {
    stage.activities = exportActivities(6);
    let wound = false;
    const slow = stage.activities.hold('fetchBlobs 0', async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      wound = true;
    });
    stage.activities.fail('fetchBlobs 1', failure('DigestMismatch', 'sha256:bad'));
    const operation = await start();
    const { type, details } = await operation.failure();
    expect(type).toBe('DigestMismatch');
    expect(details?.[0]).toMatchObject([{ item: 'sha256:bad' }]);
    expect(wound).toBe(true);
    expect(slow.cancelled).toBe(1);
    expect(sorted(stage.activities.ended)).toEqual(['fetchBlobs 0', 'fetchBlobs 1', 'listContents', 'planBundle']);
  });

  it('fails the operation though other things are parked', async () => {
    const slow = stage.activities.hold('fetchBlobs 1');
    stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a'));
    stage.activities.fail('fetchBlobs 1', failure('DigestMismatch', 'b'));
    const operation = await start();
    await operation.parked('a');
    slow.open();
    expect((await operation.failure()).type).toBe('DigestMismatch');
  });
});

describe('pause', () => {
  it('stops what runs, and resume runs it again', async () => {
    const slow = stage.activities.hold('fetchBlobs 0');
    const operation = await start();
    await eventually('the rest done', async () => (await operation.state()).itemsDone === 30);
    await operation.signal(pauseSignalName);
    await eventually('stopped', () => slow.cancelled === 1);
    expect(await operation.state()).toMatchObject({ paused: true, phase: 'transferring' });
    expect(await operation.details()).toContain('transferring (paused)');
    slow.open();
    await operation.signal(resumeSignalName);
    await operation.result();
    expect(stage.activities.count('fetchBlobs 0')).toBe(2);
    expect(stage.activities.names()).not.toContain('discardExport');
  });

  it('can be taken back before what runs has stopped', async () => {
    const slow = stage.activities.hold('fetchBlobs 0', () => new Promise((resolve) => setTimeout(resolve, 300)));
    const operation = await start();
    await eventually('begun', () => slow.entered === 1);
    await operation.signal(pauseSignalName);
    await operation.signal(resumeSignalName);
    await operation.signal(pauseSignalName);
    await operation.signal(resumeSignalName);
    await eventually('begun again', () => slow.entered === 2);
    slow.open();
    await operation.result();
    expect(slow).toMatchObject({ entered: 2, cancelled: 1 });
    expect(stage.activities.names()).not.toContain('discardExport');
  });

  it('is no failure when a step fails because it was stopped', async () => {
    const slow = stage.activities.hold('fetchBlobs 0', () => Promise.reject(failure('DiskFull', 'disk')));
    const operation = await start();
    await eventually('begun', () => slow.entered === 1);
    await operation.signal(pauseSignalName);
    await eventually('ended', () => stage.activities.ended.includes('fetchBlobs 0'));
    await eventually('nothing pending', async () => (await operation.describe()).raw.pendingActivities?.length === 0);
    expect(await operation.state()).toMatchObject({ paused: true, parkedCount: 0 });
    slow.open();
    await operation.signal(resumeSignalName);
    await operation.result();
  });

  it('keeps what is parked, and holds what is retried', async () => {
    stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a'));
    const operation = await start();
    await operation.parked('a');
    await operation.signal(pauseSignalName);
    await operation.parked('a');
    await operation.answer(retryUpdateName);
    await operation.parked();
    expect(stage.activities.count('fetchBlobs 0')).toBe(1);
    await operation.signal(resumeSignalName);
    await operation.result();
    expect(stage.activities.count('fetchBlobs 0')).toBe(2);
  });
});

describe('cancel', () => {
  it('waits for what runs, then removes what is left', async () => {
    const windDown = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));
    const gates = [stage.activities.hold('fetchBlobs 0'), stage.activities.hold('fetchBlobs 1', windDown)];
    const operation = await start();
    await eventually('both begun', () => gates.every(({ entered }) => entered === 1));
    await operation.cancel();
    expect(await operation.status()).toBe('CANCELLED');
    expect(sorted(stage.activities.ended.slice(-3, -1))).toEqual(['fetchBlobs 0', 'fetchBlobs 1']);
    expect(stage.activities.ended.at(-1)).toBe('discardExport');
    expect((await operation.describe()).memo?.[memoKeys.state]).toMatchObject({ phase: 'cleaning' });
  });

  it.each(['park', 'fail'] as const)('is the end whatever a step says while it stops, with %s', async (onFailure) => {
    stage.activities.hold('fetchBlobs 0', () => Promise.reject(failure('DigestMismatch', 'half a blob')));
    stage.activities.hold('fetchBlobs 1', () => Promise.reject(failure('DiskFull', 'disk')));
    const operation = await start({ onFailure });
    await eventually(
      'both begun',
      () => stage.activities.count('fetchBlobs 0') + stage.activities.count('fetchBlobs 1') === 2,
    );
    await operation.cancel();
    expect(await operation.status()).toBe('CANCELLED');
    expect(stage.activities.ended.at(-1)).toBe('discardExport');
  });

  it('works on what is parked, paused, or both', async () => {
    for (const signals of [[], [pauseSignalName]]) {
      stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a'));
      const operation = await start();
      await operation.parked('a');
      for (const signal of signals) await operation.signal(signal);
      await operation.cancel();
      expect(await operation.status()).toBe('CANCELLED');
    }
    const slow = stage.activities.hold('fetchBlobs 0');
    const operation = await start();
    await eventually('begun', () => slow.entered === 1);
    await operation.signal(pauseSignalName);
    await eventually('stopped', () => slow.cancelled === 1);
    await operation.cancel();
    expect(await operation.status()).toBe('CANCELLED');
    expect(stage.activities.count('discardExport')).toBe(3);
    expect((await operation.describe()).memo?.[memoKeys.state]).toMatchObject({ phase: 'cleaning', paused: false });
  });

  it('says why something could not be removed', async () => {
    const slow = stage.activities.hold('fetchBlobs 0');
    stage.activities.fail('discardExport', failure('PathUnwritable', '/somewhere'));
    const operation = await start();
    await eventually('begun', () => slow.entered === 1);
    await operation.cancel();
    expect((await operation.failure()).type).toBe('PathUnwritable');
  });
});

describe('another worker', () => {
  it('goes on where the one before stopped, with nothing in its memory', async () => {
    stage.activities.fail('fetchBlobs 1', failure('BlobMissing', 'a'));
    const slow = stage.activities.hold('fetchBlobs 0');
    const operation = await start();
    await operation.parked('a');
    await eventually('the rest done', async () => (await operation.state()).itemsDone === 20);
    await stage.stopWorker();
    expect(slow.cancelled).toBe(1);
    await stage.startWorker();
    await operation.parked('a');
    slow.open();
    await operation.answer(retryUpdateName);
    await operation.result();
    expect(stage.activities.count('planBundle')).toBe(1);
    expect(stage.activities.count('fetchBlobs 2')).toBe(1);
    expect(stage.activities.count('fetchBlobs 0')).toBe(2);
  });
});
