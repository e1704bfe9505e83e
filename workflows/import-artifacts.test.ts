import { describe, expect, it } from 'vitest';
import { retryUpdateName, skipUpdateName, workflowTypes } from '../contracts/operations.ts';
import { eventually, failure } from '../test/helpers/commanded-activities.ts';
import { importActivities, importInput } from '../test/helpers/commanded-import.ts';
import { itemsOf, sorted, useWorkflowStage, type StagedOperation } from '../test/helpers/workflow-stage.ts';

const stage = useWorkflowStage(importActivities);
const start = (...options: Parameters<typeof importInput>): Promise<StagedOperation> =>
  stage.start(workflowTypes.import, importInput(...options));

describe('an import', () => {
  it('opens, checks, verifies, pushes in batches, publishes last', async () => {
    const operation = await start();
    expect(await operation.result()).toEqual({ kind: 'import' });
    const names = stage.activities.names();
    expect(names.slice(0, 3)).toEqual(['openBundle', 'checkDestination', 'verifyBlobs']);
    expect(sorted(names.slice(3, 5))).toEqual(['pushBlobs 0', 'pushBlobs 1']);
    expect(names.slice(5)).toEqual(['publishImages 0', 'publishImages 1', 'finishImport']);
    expect(await operation.summaries()).toEqual({
      openBundle: ['read artifacts.tar'],
      checkDestination: ['find what r.example lacks of 5 items'],
      verifyBlobs: ['hash 20 blobs, 2.0 KiB'],
      pushBlobs: ['batch 1 of 2: 10 blobs, 1.0 KiB', 'batch 2 of 2: 10 blobs, 1.0 KiB'],
      publishImages: ['3 images: manifests, then tags', '3 images: manifests, then tags'],
      finishImport: ['sum up'],
    });
  });

  it.each([
    ['everything is there', 0, 0, ['openBundle', 'checkDestination', 'finishImport']],
    ['only tags are missing', 0, 1, ['openBundle', 'checkDestination', 'publishImages 0', 'finishImport']],
  ])('does no more than it must when %s', async (_name, uploads, publishes, names) => {
    stage.activities = importActivities(uploads, publishes);
    await (await start()).result();
    expect(stage.activities.names()).toEqual(names);
  });

  it('publishes one batch at a time, and does not wait with the others for one that is parked', async () => {
    const second = stage.activities.hold('publishImages 1');
    stage.activities.fail('publishImages 0', failure('TagConflict', 'r.example/a:1'));
    const operation = await start();
    await operation.parked('r.example/a:1');
    await eventually('the second begun', () => second.entered === 1);
    await operation.answer(retryUpdateName);
    await operation.parked();
    expect(stage.activities.count('publishImages 0')).toBe(1);
    second.open();
    await operation.result();
    expect(stage.activities.ended.slice(-3)).toEqual(['publishImages 1', 'publishImages 0', 'finishImport']);
  });

  it('writes file trees after the last image, and says what came of them', async () => {
    const operation = await start({ trees: { files: '/srv/files', pypi: '/srv/pypi' } });
    await operation.result();
    expect(stage.activities.names().slice(-3)).toEqual(['publishImages 1', 'writeFileTrees', 'finishImport']);
    expect((await operation.summaries())['writeFileTrees']).toEqual(['write files, pypi of artifacts.tar']);
  });

  it('asks no registry when there is none, and parks on a full disk', async () => {
    stage.activities.fail('writeFileTrees', failure('DiskFull', '/srv/files/x'));
    const operation = await start({ host: '', namespace: '', trees: { files: '/srv/files' } });
    await operation.parked('/srv/files/x');
    await operation.answer(retryUpdateName);
    await operation.result();
    expect(stage.activities.names()).toEqual(['writeFileTrees', 'writeFileTrees', 'finishImport']);
  });

  it('tells every later step what to leave out', async () => {
    stage.activities.fail('checkDestination', failure('RepositoryMissing', 'm/a', 'm/b'));
    stage.activities.fail('pushBlobs 0', failure('RegistryForbidden', 'sha256:c'));
    const operation = await start();
    await operation.parked('m/a', 'm/b');
    expect(await operation.answer(skipUpdateName)).toBe(2);
    await operation.parked('sha256:c');
    await operation.answer(skipUpdateName, 'sha256:c');
    await operation.result();
    const skips = stage.activities.calls.flatMap(({ name, skip }) => (skip === undefined ? [] : [[name, skip]]));
    const two = ['m/a', 'm/b'];
    expect(skips).toContainEqual(['checkDestination', two]);
    expect(skips).toContainEqual(['pushBlobs 0', [...two, 'sha256:c']]);
    expect(skips).toContainEqual(['publishImages 1', [...two, 'sha256:c']]);
  });

  it('publishes what it can with --on-failure fail', async () => {
    stage.activities.fail('pushBlobs 0', failure('RegistryForbidden', 'sha256:c'));
    stage.activities.fail('publishImages 1', failure('BlobMissing', 'r.example/a:1'));
    const operation = await start({ onFailure: 'fail' });
    const { details, message } = await operation.failure();
    expect(message).toBe('2 failed, the first: RegistryForbidden of sha256:c');
    expect(itemsOf(details)).toEqual(['r.example/a:1', 'sha256:c']);
    expect(stage.activities.ended.slice(-2)).toEqual(['publishImages 0', 'publishImages 1']);
  });

  it('sends nothing when a blob in the bundle is wrong', async () => {
    stage.activities.fail('verifyBlobs', failure('DigestMismatch', 'sha256:bad'));
    const operation = await start();
    expect((await operation.failure()).type).toBe('DigestMismatch');
    expect(stage.activities.names().at(-1)).toBe('verifyBlobs');
  });

  it('gives up its uploads when it is cancelled', async () => {
    const gates = [0, 1].map((batch) => stage.activities.hold(`pushBlobs ${batch}`));
    const operation = await start();
    await eventually('both begun', () => gates.every(({ entered }) => entered === 1));
    await operation.cancel();
    expect(await operation.status()).toBe('CANCELLED');
    expect(gates.map(({ cancelled }) => cancelled)).toEqual([1, 1]);
    expect(stage.activities.ended.at(-1)).toBe('discardImport');
  });
});
