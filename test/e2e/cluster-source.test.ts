import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { generateImage, type GeneratedImage } from '../helpers/images.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from '../helpers/kube-apiserver.ts';
import {
  createProvingGround,
  expectDone,
  expectProblems,
  origin,
  type ProvingGround,
} from '../helpers/proving-ground.ts';
import { createPuller } from '../helpers/pull.ts';

// A real API server holds the workloads; the status of the pods is what containerd's kubelet would have written.

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`no cluster is exported: ${why}`);

describe.skipIf(why !== undefined)('export from a running cluster', () => {
  let api: KubeApiserver;
  let ground: ProvingGround;
  const images: Record<string, GeneratedImage> = {};

  async function offer(repository: string, tag: string, seed = `${repository} ${tag}`): Promise<string> {
    images[seed] = generateImage({ seed, layers: [2000] });
    return ground.offer(repository, tag, images[seed]);
  }

  const running = (repository: string, seed: string): string =>
    `${origin}/${repository}@${images[seed]?.root.digest ?? ''}`;

  beforeAll(async () => {
    [api, ground] = await Promise.all([startKubeApiserver(), createProvingGround()]);
    const web = await offer('shop/web', '1', 'web old');
    await offer('shop/web', '1', 'web new');
    const migrate = await offer('shop/migrate', '2');
    const report = await offer('shop/report', '3');
    const scheduler = await offer('kube-scheduler', 'v1');
    await api.create('/api/v1/namespaces', { metadata: { name: 'shop' } });
    const labels = { app: 'web' };
    const container = { name: 'app', image: web };
    const initContainers = [{ name: 'migrate', image: migrate }];
    await api.create('/apis/apps/v1/namespaces/shop/deployments', {
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { initContainers, containers: [container] } },
      },
    });
    await api.create('/apis/batch/v1/namespaces/shop/cronjobs', {
      metadata: { name: 'report' },
      spec: {
        schedule: '0 0 * * *',
        jobTemplate: {
          spec: {
            template: { spec: { restartPolicy: 'Never', containers: [{ name: 'report', image: report }] } },
          },
        },
      },
    });
    const status = (name: string, imageID: string): object => ({
      ...{ name, image: 'x', imageID, ready: true, restartCount: 0, state: { running: {} } },
    });
    for (const [name, seed] of [
      ['web-1', 'web old'],
      ['web-2', 'web old'],
      ['web-3', 'web new'],
    ] as const) {
      await api.createPod('shop', {
        metadata: { name, labels },
        spec: { initContainers, containers: [container] },
        status: {
          containerStatuses: [status('app', running('shop/web', seed))],
          initContainerStatuses: [status('migrate', running('shop/migrate', 'shop/migrate 2'))],
        },
      });
    }
    // the mirror of a static pod
    await api.createPod('kube-system', {
      metadata: { name: 'kube-scheduler-node', annotations: { 'kubernetes.io/config.mirror': 'x' } },
      spec: { nodeName: 'node', containers: [{ name: 'kube-scheduler', image: scheduler }] },
      status: { containerStatuses: [status('kube-scheduler', running('kube-scheduler', 'kube-scheduler v1'))] },
    });
  });
  afterAll(async () => {
    await ground?.[Symbol.asyncDispose]();
    await api?.stop();
  });

  it('carries what runs, by its digests, and puts it into the private registry', async () => {
    const output = ground.path('cluster.tar');
    const args = ['--source', 'cluster', '--source-option', `kubeconfig=${api.kubeconfig}`, '--digest-policy', 'warn'];
    const exported = await ground.run([
      ...['export', 'artifacts', '-o', output, '--pull-from', `${origin}=${ground.source.url}`],
      ...args,
    ]);
    expectDone(exported, 'the export');
    expect(exported.document?.warnings).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /shop\/web:1 runs with 2 digests: .* in Pod shop\/web-1 app, Pod shop\/web-2 app; .*web-3/,
        ),
      ]),
    );
    // the bill of materials says what was selected, not where things lie on this machine
    expect((await readFile(output)).includes(api.kubeconfig)).toBe(false);
    expectDone(await ground.run(ground.importArgs(output, 'far')), 'the import');
    await using puller = createPuller(ground.registry.url);
    for (const [repository, tag, seed] of [
      ['shop/web', '1', 'web old'],
      ['shop/migrate', '2', 'shop/migrate 2'],
      ['shop/report', '3', 'shop/report 3'],
      ['kube-scheduler', 'v1', 'kube-scheduler v1'],
    ] as const) {
      expect(await puller.whole(`far/${repository}`, tag), repository).toBe(images[seed]?.root.digest);
    }
    const other = images['web new']?.root.digest ?? '';
    expect(await puller.whole('far/shop/web', other)).toBe(other);
  });

  it('lists one namespace from the kubeconfig alone', async () => {
    const listed = await ground.run([
      'list',
      'images',
      '-f',
      api.kubeconfig,
      '--source-option',
      'namespace=kube-system',
    ]);
    expectDone(listed, 'the list');
    const { items } = listed.document as unknown as { items: { reference: string }[] };
    expect(items.map(({ reference }) => reference)).toEqual([`${origin}/kube-scheduler:v1`]);
  });

  it('exports several sources of a sealift.yaml into one bundle, and what they share once', async () => {
    const own = await offer('tools/probe', '1');
    await ground.list('images.txt', [own, `${origin}/kube-scheduler:v1`]);
    const config = {
      output: 'both.tar',
      pullFrom: { [origin]: 'http://127.0.0.1:1' },
      concurrency: 2,
      onFailure: 'fail',
      sources: [
        { name: 'images', files: ['images.txt'] },
        { name: 'cluster', options: { kubeconfig: api.kubeconfig, namespace: 'kube-system' } },
      ],
    };
    await writeFile(ground.path('sealift.yaml'), stringify(config));
    const args = ['--config', ground.path('sealift.yaml')];
    // the command line wins: nothing listens where the file says
    const pullFrom = ['--pull-from', `${origin}=${ground.source.url}`];
    const exported = await ground.run(['export', 'artifacts', ...args, ...pullFrom]);
    expectDone(exported, 'the export');
    expect(exported.document).toMatchObject({ output: ground.path('both.tar'), images: 2 });
    const listed = await ground.run(['list', 'images', ...args]);
    const { items } = listed.document as unknown as { items: { reference: string; digest?: string }[] };
    expect(items).toMatchObject([
      // the list states no digest, the cluster knows what runs
      { reference: `${origin}/kube-scheduler:v1`, digest: images['kube-scheduler v1']?.root.digest },
      { reference: own },
    ]);

    const replaced = await ground.run(['list', 'images', ...args, '-f', ground.path('images.txt')]);
    expect((replaced.document as unknown as { items: object[] }).items).not.toContainEqual(
      expect.objectContaining({ digest: expect.anything() }),
    );
    const unclear = await ground.run(['list', 'images', ...args, '--kube-version', '1.30']);
    expectProblems(unclear, 2, [{ type: 'InvalidInput', side: 'local', subject: '--kube-version', remedy: /-f/ }]);
  });

  it('says what an account that may not list is lacking', async () => {
    const kubeconfig = await api.tokenKubeconfig('nobody');
    const listed = await ground.run(['list', 'images', '-f', kubeconfig]);
    expectProblems(listed, 3, [{ type: 'RegistryForbidden', side: 'source', remedy: /--source-option namespace=/ }]);
  });
});
