import { describe, expect, it } from 'vitest';
import { WorkflowNotFoundError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import {
  abortUpdateName,
  memoKeys,
  retryUpdateName,
  searchAttributeNames,
  skipUpdateName,
  workflowTypes,
} from '../contracts/operations.ts';
import { eventually, failure } from '../test/helpers/commanded-activities.ts';
import { exportActivities, exportInput, planDigest } from '../test/helpers/commanded-export.ts';
import { itemsOf, refusalOf, sorted, useWorkflowStage, type StagedOperation } from '../test/helpers/workflow-stage.ts';

const stage = useWorkflowStage(exportActivities);
const start = (...options: Parameters<typeof exportInput>): Promise<StagedOperation> =>
  stage.start(workflowTypes.export, exportInput(...options));
const whole = ['listContents', 'planBundle', ...[0, 1, 2, 3].map((batch) => `fetchBlobs ${batch}`), 'sealBundle'];

describe('an export', () => {
  it('lists, plans, fetches in batches, seals', async () => {
    const operation = await start();
    expect(await operation.result()).toEqual({ kind: 'export', digest: planDigest });
    const names = stage.activities.names();
    expect(names.slice(0, 2)).toEqual(['listContents', 'planBundle']);
    expect(sorted(names)).toEqual(sorted(whole));
    expect(names.at(-1)).toBe('sealBundle');
  });

  it('asks a worker which machine it is on when it was not told', async () => {
    await (await start({}, false)).result();
    expect(stage.activities.names().slice(0, 2)).toEqual(['identifyHost', 'listContents']);
  });

  it('tells people where it is', async () => {
    stage.activities.hold('fetchBlobs 2');
    const operation = await start();
    await eventually('three batches done', async () => (await operation.state()).itemsDone === 30);
    const { memo, raw } = await operation.describe();
    const state = { phase: 'transferring', bytesTotal: 4096, bytesDone: 3072, itemsTotal: 40, itemsDone: 30 };
    expect(memo?.[memoKeys.state]).toMatchObject(state);
    const attributes = raw.workflowExecutionInfo?.searchAttributes?.indexedFields ?? {};
    expect(defaultPayloadConverter.fromPayload(attributes[searchAttributeNames.phase]!)).toBe('transferring');
    expect(await operation.details()).toContain('| transferring | 30 of 40 | 3.0 KiB of 4.0 KiB |');
    stage.activities.openAll();
    await operation.result();
    expect(await operation.summaries()).toEqual({
      listContents: ['list what images consists of'],
      planBundle: ['find digests and sizes of 7 items'],
      fetchBlobs: [0, 1, 2, 3].map((index) => `batch ${index + 1} of 4: 10 blobs, 1.0 KiB`),
      sealBundle: ['seal artifacts.tar'],
    });
    expect((await operation.describe()).memo?.[memoKeys.state]).toMatchObject({ phase: 'done' });
  });

  it('has two batches under way, never more', async () => {
    stage.activities = exportActivities(6);
    const gates = Array.from({ length: 6 }, (_, batch) => stage.activities.hold(`fetchBlobs ${batch}`));
    const operation = await start();
    for (const [batch, gate] of gates.entries()) {
      const left = Math.min(2, gates.length - batch);
      await eventually(`batch ${batch} begun`, () =>
        gates.slice(batch, batch + left).every(({ entered }) => entered === 1),
      );
      expect((await operation.describe()).raw.pendingActivities?.length).toBeLessThanOrEqual(2);
      gate.open();
    }
    await operation.result();
  });
});

describe('what a person can mend', () => {
  it('parks while the rest goes on, and is tried again when told', async () => {
    stage.activities.fail('fetchBlobs 1', failure('RegistryUnauthorized', 'r.example/a'));
    const operation = await start();
    const [parked] = await operation.parked('r.example/a');
    expect(parked).toMatchObject({ type: 'RegistryUnauthorized', remedy: 'mend r.example/a' });
    await eventually('the others done', async () => (await operation.state()).itemsDone === 30);
    const description = await operation.describe();
    expect(description.raw.pendingActivities ?? []).toEqual([]);
    expect(description.memo?.[memoKeys.state]).toMatchObject({ parkedCount: 1, parked: [{ item: 'r.example/a' }] });
    expect(await operation.details()).toContain('mend r.example/a');
    await eventually('found by its search attribute', async () => {
      const found = stage.client().workflow.list({ query: `${searchAttributeNames.parked} = true` });
      for await (const { workflowId } of found) if (workflowId === operation.workflowId) return true;
      return false;
    });
    expect(await operation.answer(retryUpdateName)).toBe(1);
    await operation.result();
    expect(sorted(stage.activities.names())).toEqual(sorted([...whole, 'fetchBlobs 1']));
    expect((await operation.describe()).memo?.[memoKeys.state]).toMatchObject({ parkedCount: 0, parked: [] });
  });

  it('is tried again item by item', async () => {
    stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a'));
    stage.activities.fail('fetchBlobs 2', failure('BlobMissing', 'b'));
    const operation = await start();
    await operation.parked('a', 'b');
    expect(await operation.answer(retryUpdateName, 'b')).toBe(1);
    await operation.parked('a');
    await eventually('the named one done', async () => (await operation.state()).itemsDone === 30);
    expect(stage.activities.count('fetchBlobs 0')).toBe(1);
    expect(stage.activities.count('fetchBlobs 2')).toBe(2);
    await operation.answer(retryUpdateName, 'a');
    await operation.result();
  });

  it('is tried again while other batches are still under way', async () => {
    const slow = stage.activities.hold('fetchBlobs 0');
    stage.activities.fail('fetchBlobs 1', failure('DiskFull', 'disk'));
    const operation = await start();
    await operation.parked('disk');
    await operation.answer(retryUpdateName);
    await eventually('all but the slow one done', async () => (await operation.state()).itemsDone === 30);
    expect(slow).toMatchObject({ entered: 1, cancelled: 0 });
    slow.open();
    await operation.result();
    expect(stage.activities.count('fetchBlobs 1')).toBe(2);
  });

  it('parks before and after the transfer too', async () => {
    stage.activities.fail('listContents', failure('FileMissing', 'bundles.yaml'));
    stage.activities.fail('planBundle', failure('ManifestMissing', 'r.example/a:1'));
    stage.activities.fail('sealBundle', failure('DiskFull', 'artifacts.tar'));
    const operation = await start();
    for (const item of ['bundles.yaml', 'r.example/a:1', 'artifacts.tar']) {
      await operation.parked(item);
      await operation.answer(retryUpdateName, item);
    }
    await operation.result();
    expect(stage.activities.count('sealBundle')).toBe(2);
  });

  it('is left out when told, and the bundle is planned again without it', async () => {
    stage.activities.fail('fetchBlobs 1', failure('BlobMissing', 'a', 'b'), failure('BlobMissing', 'b'));
    const operation = await start();
    await operation.parked('a', 'b');
    expect(await operation.answer(skipUpdateName, 'a')).toBe(1);
    await operation.parked('b');
    expect(stage.activities.count('planBundle')).toBe(1);
    expect(await operation.answer(skipUpdateName)).toBe(1);
    await operation.result();
    const skips = (name: string): unknown[] =>
      stage.activities.calls.flatMap((call) => (call.name === name ? [call.skip] : []));
    expect(skips('fetchBlobs 1')).toEqual([[], ['a'], ['a', 'b'], ['a', 'b']]);
    expect(skips('planBundle')).toEqual([[], ['a', 'b']]);
    expect(stage.activities.names().at(-1)).toBe('sealBundle');
    expect(stage.activities.count('sealBundle')).toBe(1);
  });

  it('cannot be left out when it is not an item', async () => {
    stage.activities.fail('listContents', failure('FileMissing', 'bundles.yaml'));
    const operation = await start();
    await operation.parked('bundles.yaml');
    expect(await refusalOf(operation.answer(skipUpdateName, 'bundles.yaml'))).toContain(
      'cannot be left out: bundles.yaml',
    );
    expect(await refusalOf(operation.answer(skipUpdateName))).toContain('cannot be left out: bundles.yaml');
    await operation.parked('bundles.yaml');
    expect(stage.activities.count('listContents')).toBe(1);
  });

  it('is given up when told: what runs is stopped, everything parked is named, what is there stays', async () => {
    const slow = stage.activities.hold('fetchBlobs 3');
    stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a'));
    stage.activities.fail('fetchBlobs 1', failure('BlobMissing', 'b'));
    const operation = await start();
    await operation.parked('a', 'b');
    await eventually('the slow one begun', () => slow.entered === 1);
    expect(await operation.answer(abortUpdateName)).toBe(2);
    const { type, details } = await operation.failure();
    expect(type).toBe('OperationAborted');
    expect(itemsOf(details)).toEqual(['a', 'b']);
    expect(slow.cancelled).toBe(1);
    expect(stage.activities.names()).not.toContain('discardExport');
  });

  it('refuses answers that fit nothing', async () => {
    const slow = stage.activities.hold('fetchBlobs 0');
    const operation = await start();
    await eventually('begun', () => slow.entered === 1);
    for (const name of [retryUpdateName, skipUpdateName, abortUpdateName]) {
      expect(await refusalOf(operation.answer(name))).toContain('nothing is parked');
    }
    stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a'));
    slow.open();
    await operation.parked('a');
    expect(await refusalOf(operation.answer(retryUpdateName, 'a', 'nonsense'))).toBe('not parked: nonsense');
    await operation.answer(retryUpdateName);
    await operation.result();
    await expect(operation.answer(retryUpdateName)).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  it('takes contradicting answers that come at once: nothing overrules an abort', async () => {
    stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a', 'b'));
    const operation = await start();
    await operation.parked('a', 'b');
    // no worker: all three are waiting when the next one comes
    await stage.stopWorker();
    const answers = [
      operation.answer(retryUpdateName, 'a'),
      operation.answer(abortUpdateName),
      operation.answer(skipUpdateName, 'b'),
    ];
    const settled = Promise.allSettled(answers);
    await stage.startWorker();
    await settled;
    expect((await operation.failure()).type).toBe('OperationAborted');
  });

  it('ends the operation with --on-failure fail, once the rest is done', async () => {
    stage.activities.fail('fetchBlobs 0', failure('BlobMissing', 'a', 'b'));
    stage.activities.fail('fetchBlobs 1', failure('RegistryForbidden', 'c'));
    const operation = await start({ onFailure: 'fail' });
    const { type, message, details } = await operation.failure();
    // which of the two ends first is not ours to say
    expect(['BlobMissing of a', 'RegistryForbidden of c'].map((first) => `3 failed, the first: ${first}`)).toContain(
      message,
    );
    expect(['BlobMissing', 'RegistryForbidden']).toContain(type);
    expect(itemsOf(details)).toEqual(['a', 'b', 'c']);
    expect(sorted(stage.activities.ended)).toEqual(sorted(whole.slice(0, -1)));
    expect((await operation.describe()).memo?.[memoKeys.state]).toMatchObject({ itemsDone: 20, parkedCount: 0 });
  });
});
