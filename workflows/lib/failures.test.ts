import { describe, expect, it } from 'vitest';
import { ActivityFailure, ApplicationFailure, RetryState, TimeoutFailure, TimeoutType } from '@temporalio/common';
import type { ErrorType } from '../../contracts/errors.ts';
import { failure } from '../../test/helpers/commanded-activities.ts';
import { problemsOf } from './failures.ts';

const failed = (cause: Error): ActivityFailure =>
  new ActivityFailure('it failed', 'fetchBlobs', '1', RetryState.MAXIMUM_ATTEMPTS_REACHED, 'a worker', cause);

describe('what an operator can decide about', () => {
  it.each<ErrorType>(['RegistryUnauthorized', 'DiskFull', 'Stalled', 'TagMoved'])('is %s', (type) => {
    expect(problemsOf(failed(failure(type, 'a', 'b')))).toMatchObject([
      { item: 'a', type },
      { item: 'b', type },
    ]);
  });

  it('is a worker that is silent, or that was killed as often as a step is tried', () => {
    const silent = new TimeoutFailure('heartbeat', undefined, TimeoutType.HEARTBEAT);
    const killed = ApplicationFailure.create({ type: 'WorkerDied', message: 'the worker 1@here was killed' });
    expect(problemsOf(failed(silent))).toMatchObject([
      { item: 'fetchBlobs', message: 'no worker finished it in time' },
    ]);
    expect(problemsOf(failed(killed))).toMatchObject([{ item: 'fetchBlobs', message: 'the worker 1@here was killed' }]);
  });

  it('is nothing that can never work, alone or among others', () => {
    const mixed = failure('BlobMissing', 'a');
    (mixed.details![0] as unknown[]).push({ item: 'b', type: 'DigestMismatch' });
    for (const cause of [failure('DigestMismatch', 'a'), mixed]) expect(problemsOf(failed(cause))).toBeUndefined();
  });

  it('is no defect', () => {
    for (const cause of [ApplicationFailure.create({ type: 'TypeError' }), new Error('what?')]) {
      expect(problemsOf(failed(cause))).toBeUndefined();
    }
    expect(problemsOf(new Error('in the workflow'))).toBeUndefined();
  });
});
