import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../contracts/cluster-spec.ts';
import type { Problem } from '../contracts/errors.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { whileConnected } from '../core/kubernetes/connected.ts';
import { waitFor } from '../core/kubernetes/wait.ts';
import { WatchGone } from '../core/kubernetes/watch.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from './helpers/kube-apiserver.ts';

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`no real API server is acted on: ${why}`);

const namespace = (name: string): KubernetesObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

function configMap(place: string, name: string, data: Record<string, unknown> = {}): KubernetesObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: place }, data };
}

/** A definition of `<Kind>` in `lab.example/v1` whose `spec.size` has to be below 10. */
function definition(kind: string, scope: 'Namespaced' | 'Cluster' = 'Namespaced'): KubernetesObject {
  const plural = `${kind.toLowerCase()}s`;
  const size = { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 10', message: 'too big for the lab' }] };
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: { size } }, status: anything } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.lab.example` },
    spec: {
      group: 'lab.example',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      scope,
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, subresources: { status: {} } },
      ],
    },
  };
}

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

const made = (kind: string, name: string, place?: string, size = 1): KubernetesObject => ({
  apiVersion: 'lab.example/v1',
  kind,
  metadata: { name, ...(place === undefined ? {} : { namespace: place }) },
  spec: { size },
});

async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return (error as { problem: Problem }).problem;
}

describe.skipIf(why !== undefined)('acting on a real API server', () => {
  let api: KubeApiserver;
  let cluster: Cluster;

  beforeAll(async () => {
    api = await startKubeApiserver();
    cluster = await openCluster(api.kubeconfig);
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await api?.stop();
  });

  it('applies, reads, lists, patches and deletes', async () => {
    await cluster.apply(namespace('basics'));
    const key = configMap('basics', 'one');
    expect(await cluster.get(key)).toBeUndefined();
    const applied = await cluster.apply({ ...key, data: { a: '1' } });
    expect(applied.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT/);
    // an object that was read can be applied again, unless somebody changed it since
    await cluster.apply({ ...applied, metadata: { ...applied.metadata, labels: { lab: 'yes' } } });
    expect(await problemOf(cluster.apply(applied))).toMatchObject({ type: 'ObjectConflict' });
    await cluster.patch(key, { data: { a: null, b: '2' } });
    expect((await cluster.get(key))?.['data']).toEqual({ b: '2' });
    await cluster.apply(configMap('basics', 'two'));
    const names = (await cluster.list(key, { namespace: 'basics' })).map(({ metadata }) => metadata.name);
    expect(names.sort()).toEqual(['one', 'two']);
    expect((await cluster.list(key, { namespace: 'basics' }))[0]).toMatchObject({
      apiVersion: 'v1',
      kind: 'ConfigMap',
    });
    expect(await cluster.delete(key)).toBe(true);
    expect(await cluster.delete(key)).toBe(false);
  });

  it('takes over what another field manager wrote', async () => {
    await cluster.apply(namespace('owners'));
    await api.create('/api/v1/namespaces/owners/configmaps', configMap('owners', 'one', { a: 'theirs' }));
    expect((await cluster.apply(configMap('owners', 'one', { a: 'ours' })))['data']).toEqual({ a: 'ours' });
  });

  it('applies a heap in an order that works, twice', async () => {
    const heap = [made('Widget', 'w', 'heap'), made('Gadget', 'g'), configMap('heap', 'c'), namespace('heap')];
    const definitions = [definition('Widget'), definition('Gadget', 'Cluster')];
    for (let round = 1; round <= 2; round += 1) {
      const applied = await cluster.applyAll([...heap, ...definitions]);
      expect(applied.map(({ kind }) => kind)).toEqual([
        'Namespace',
        'CustomResourceDefinition',
        'CustomResourceDefinition',
        'ConfigMap',
        'Widget',
        'Gadget',
      ]);
    }
    expect(await cluster.get(made('Gadget', 'g'))).toMatchObject({ spec: { size: 1 } });
    await cluster.patch(made('Widget', 'w', 'heap'), { status: { fine: true } }, 'status');
    expect(await cluster.get(made('Widget', 'w', 'heap'))).toMatchObject({ status: { fine: true } });
  });

  it('finds a kind that was defined after others of its group, and again with another scope', async () => {
    await cluster.applyAll([definition('First'), made('First', 'a')]);
    const [, second] = await cluster.applyAll([definition('Second'), made('Second', 'b')]);
    expect(second!.metadata.namespace).toBe('default');
    await cluster.delete(definition('Second'));
    await waitFor(cluster, {
      subject: 'the definition to be gone',
      watched: [definition('Second')],
      decide: (found) => ({ done: !found.some(({ metadata }) => metadata.name === 'seconds.lab.example'), detail: '' }),
    });
    await cluster.applyAll([definition('Second', 'Cluster'), made('Second', 'b')]);
    expect((await cluster.get(made('Second', 'b')))?.metadata.namespace).toBeUndefined();
  });

  it('names the kind that is missing', async () => {
    expect(await problemOf(cluster.apply(made('Missing', 'm')))).toEqual({
      type: 'KindUnknown',
      side: 'cluster',
      operation: 'apply',
      subject: `Missing m at ${api.url}`,
      message: 'the API server has no kind Missing in lab.example/v1',
      remedy: 'install the component that the kind belongs to, or use a cluster that has it',
    });
  });

  it("hands on the API server's own words about an object", async () => {
    const problem = await problemOf(cluster.applyAll([definition('Limited'), made('Limited', 'l', 'default', 11)]));
    expect(problem).toMatchObject({ type: 'ObjectInvalid', subject: `Limited default/l at ${api.url}` });
    expect(problem.message).toBe(
      'the API server answered 422: Limited.lab.example "l" is invalid: spec.size: Invalid value: 11: too big for the lab',
    );
    const nowhere = await problemOf(cluster.apply(configMap('nowhere', 'c')));
    expect(nowhere).toMatchObject({ type: 'ObjectInvalid' });
    expect(nowhere.message).toContain('namespaces "nowhere" not found');
  });

  it('says that a webhook does not answer, whole', async () => {
    await cluster.applyAll([definition('Guarded'), webhook('guardeds', 'https://127.0.0.1:1/guard')]);
    await expect
      .poll(() => problemOf(cluster.apply(made('Guarded', 'g'))), { timeout: 30_000 })
      .toMatchObject({ type: 'ClusterUnreachable' });
    const problem = await problemOf(cluster.apply(made('Guarded', 'g')));
    expect(problem.message).toContain('failed calling webhook "guardeds.lab.example"');
    expect(problem.remedy).toContain('the controller behind the webhook');
  });

  it('tells forbidden, bad credentials and unreachable apart', async () => {
    await using nobody = await openCluster(await api.tokenKubeconfig('nobody'));
    const forbidden = await problemOf(nobody.apply(configMap('default', 'c')));
    expect(forbidden).toMatchObject({ type: 'ClusterForbidden' });
    expect(forbidden.message).toContain('User "nobody" cannot');
    const path = await api.tokenKubeconfig('admin', 'wrong-token');
    await using stranger = await openCluster(path);
    expect(await problemOf(stranger.list(namespace('')))).toMatchObject({ type: 'ClusterForbidden' });
    // a kubeconfig that is replaced while it is used
    await writeFile(path, (await readFile(path, 'utf8')).replace('wrong-token', 'admin-token'));
    expect(await stranger.list(namespace(''))).not.toEqual([]);
    await writeFile(path, (await readFile(path, 'utf8')).replace(api.url, 'https://127.0.0.1:1'));
    await using away = await openCluster(path);
    const problem = await problemOf(away.get(namespace('default')));
    expect(problem).toMatchObject({ type: 'ClusterUnreachable', subject: 'Namespace default at https://127.0.0.1:1' });
  });

  it('repeats no secret, whatever the API server says', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'default' } };
    for (const wrong of [
      { stringData: { password: { deep: 'hunter2-plain' } } },
      { data: { password: 'hunter2-plain, no base64' } },
      { stringData: { password: 12345678 } },
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{"auths": hunter2-plain' } },
    ]) {
      const { message } = await problemOf(cluster.apply({ ...secret, ...wrong }));
      expect(message).not.toMatch(/hunter2|12345678/);
    }
  });

  it('keeps fields that no generated model knows, and numbers as they are', async () => {
    const odd = { ...made('Open', 'o'), status: undefined };
    await cluster.applyAll([definition('Open'), odd]);
    await cluster.patch(
      odd,
      { status: { brandNew: { at: '2026-01-02T03:04:05.678Z', big: 9007199254740991 } } },
      'status',
    );
    expect((await cluster.get(odd))?.['status']).toEqual({
      brandNew: { at: '2026-01-02T03:04:05.678Z', big: 9007199254740991 },
    });
  });

  describe('waiting', () => {
    it('sees what comes, changes and goes', async () => {
      await cluster.apply(namespace('waits'));
      const seen: string[] = [];
      const waiting = waitFor(cluster, {
        subject: 'three steps',
        watched: [{ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'waits', labelSelector: 'lab=wait' }],
        alive: (detail) => seen.push(detail),
        decide(found) {
          const state = found.map(({ metadata, data }) => `${metadata.name}=${(data as { a: string }).a}`).join();
          return { done: seen.includes('x=2') && state === '', detail: state };
        },
      });
      const step = async (detail: string): Promise<void> => {
        await expect.poll(() => seen, { timeout: 30_000 }).toContain(detail);
      };
      const x = configMap('waits', 'x', { a: '1' });
      x.metadata.labels = { lab: 'wait' };
      await step('');
      await cluster.apply(configMap('waits', 'other', { a: '0' }));
      await cluster.apply(x);
      await step('x=1');
      await cluster.apply({ ...x, data: { a: '2' } });
      await step('x=2');
      await cluster.delete(x);
      expect(await waiting).toEqual([]);
      expect(seen.join()).not.toContain('other');
    });

    it('goes on when the API server is killed and started again', async () => {
      await cluster.apply(namespace('killed'));
      const seen: string[] = [];
      const waiting = waitFor(cluster, {
        subject: 'x',
        watched: [{ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'killed' }],
        alive: (detail) => seen.push(detail),
        decide: (found) => ({ done: found.length === 2, detail: `${found.length} of 2` }),
      });
      await cluster.apply(configMap('killed', 'one'));
      await expect.poll(() => seen, { timeout: 30_000 }).toContain('1 of 2');
      await api.restart(async () => {
        await expect.poll(() => seen.at(-1), { timeout: 30_000 }).toMatch(/^1 of 2 \(.*refused the connection/);
      });
      await cluster.apply(configMap('killed', 'two'));
      expect((await waiting).map(({ metadata }) => metadata.name)).toEqual(['one', 'two']);
    });

    it('tells whoever works in the meantime that the connection was lost', async () => {
      const followed = { apiVersion: 'v1', kind: 'Namespace' };
      const untilLost = (lost: AbortSignal): Promise<never> =>
        new Promise((_resolve, reject) => lost.addEventListener('abort', () => reject(lost.reason as Error)));
      expect(await whileConnected(cluster, followed, () => pause(500, 'done'))).toBe('done');
      let lost: Problem | undefined;
      const working = problemOf(whileConnected(cluster, followed, untilLost)).then((problem) => (lost = problem));
      // the first time it may not have begun to follow
      while (lost === undefined) await api.restart();
      expect(await working).toMatchObject({ type: 'ClusterUnreachable' });
    });

    it('is told when it has to list again', async () => {
      await cluster.apply(configMap('default', 'old'));
      const watching = cluster.watch(configMap('', ''), '1', AbortSignal.timeout(30_000));
      await expect(watching.next()).rejects.toBeInstanceOf(WatchGone);
    });

    it('ends when its time is up, when it is told to, and when it may not look', async () => {
      const never = {
        subject: 'Cluster default/prod',
        watched: [{ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' }],
        decide: () => ({ done: false, detail: 'InfrastructureReady: no hardware left' }),
      };
      const late = await problemOf(waitFor(cluster, { ...never, timeoutMs: 300 }));
      expect(late).toMatchObject({ type: 'ClusterNotReady', subject: `Cluster default/prod at ${api.url}` });
      expect(late.message).toMatch(/^not ready after \d+ s: InfrastructureReady: no hardware left$/);
      const ending = new AbortController();
      const cancelled = waitFor(cluster, { ...never, signal: ending.signal });
      await pause(100);
      ending.abort(new Error('cancelled by the operator'));
      await expect(cancelled).rejects.toThrow('cancelled by the operator');
      const heartbeat = waitFor(cluster, {
        ...never,
        alive: () => {
          throw new Error('no more heartbeats');
        },
      });
      await expect(heartbeat).rejects.toThrow('no more heartbeats');
      await using nobody = await openCluster(await api.tokenKubeconfig('nobody'));
      expect(await problemOf(waitFor(nobody, never))).toMatchObject({ type: 'ClusterForbidden' });
      const unknown = { ...never, watched: [{ apiVersion: 'lab.example/v1', kind: 'Nothing' }] };
      expect(await problemOf(waitFor(cluster, unknown))).toMatchObject({ type: 'KindUnknown' });
    });
  });
});

function webhook(plural: string, url: string): KubernetesObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: plural },
    webhooks: [
      {
        name: `${plural}.lab.example`,
        clientConfig: { url },
        rules: [{ apiGroups: ['lab.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: [plural] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 1,
      },
    ],
  };
}
