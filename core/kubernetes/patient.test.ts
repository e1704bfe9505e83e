import { describe, expect, it } from 'vitest';
import { SealiftError } from '../errors.ts';
import type { Cluster } from './cluster.ts';
import { withPatience, type Patience } from './patient.ts';
import { waitFor } from './wait.ts';

const kind = { apiVersion: 'v1', kind: 'Node' };
const object = { ...kind, metadata: { name: 'a' } };
const settings: Patience = { who: 'the management cluster prod', remedy: 'start it again' };

function unreachable(message: string): SealiftError {
  return new SealiftError('ClusterUnreachable', {
    ...{ side: 'cluster', operation: 'get', subject: 'Node a at https://192.0.2.1', message, remedy: 'its own' },
  });
}

/** @param answers what each request gets, in turn; the last stays */
function answering(...answers: (Error | undefined)[]): Cluster {
  const next = (): Promise<undefined> => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer === undefined ? Promise.resolve(undefined) : Promise.reject(answer);
  };
  return { server: 'https://192.0.2.1', get: next, read: next } as unknown as Cluster;
}

describe('a cluster that is away', () => {
  it('is named by its errors, with what to do', async () => {
    const cluster = withPatience(answering(unreachable('connection refused')), settings);
    await expect(cluster.get(object)).rejects.toMatchObject({
      type: 'ClusterUnreachable',
      problem: {
        subject: 'Node a at https://192.0.2.1',
        message: 'the management cluster prod cannot be reached: connection refused',
        remedy: 'start it again',
      },
    });
  });

  it('is a thing to mend once it was away for long; an answer between begins anew', async () => {
    const away = unreachable('connection refused');
    const cluster = withPatience(answering(away), { ...settings, patienceMs: 0 });
    await expect(cluster.get(object)).rejects.toMatchObject({ type: 'ClusterNotReady' });
    const again = withPatience(answering(away, undefined, away), settings);
    await expect(again.get(object)).rejects.toThrow('cannot be reached');
    expect(await again.get(object)).toBeUndefined();
    await expect(again.get(object)).rejects.toMatchObject({ type: 'ClusterUnreachable' });
  });

  it('is not away when its API server answers, or refuses', async () => {
    const answered = unreachable('the API server answered 500: failed calling webhook');
    const forbidden = new SealiftError('ClusterForbidden', { ...answered.problem, message: 'no' });
    const cluster = withPatience(answering(answered, forbidden), { ...settings, patienceMs: 0 });
    await expect(cluster.get(object)).rejects.toMatchObject({
      type: 'ClusterUnreachable',
      problem: { message: expect.stringContaining('prod: the API server answered 500') as string, remedy: 'its own' },
    });
    await expect(cluster.get(object)).rejects.toBe(forbidden);
  });

  it('ends a wait that has no end of its own', async () => {
    const cluster = withPatience(answering(unreachable('connection refused')), { ...settings, patienceMs: 300 });
    const waiting = waitFor(cluster, {
      subject: 'Node a',
      watched: [kind],
      decide: () => ({ done: true, detail: '' }),
    });
    await expect(waiting).rejects.toThrow(/prod has not answered for \d+ s: connection refused\n.*start it again/);
  });
});
