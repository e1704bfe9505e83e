import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archiveName, removeOldArchives, writeArchive } from '../core/diagnostics/archive.ts';
import { collectDiagnostics, type DiagnosticsRequest } from '../core/diagnostics/collect.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import { readArchive } from './helpers/diagnostics-archive.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from './helpers/kube-apiserver.ts';
import { findLeaks } from './helpers/leaks.ts';
import { looseDefinition } from './helpers/loose-definition.ts';
import { temporaryFolder, type TemporaryFolder } from './helpers/paths.ts';

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`no diagnostics are collected from a real API server: ${why}`);

const secrets = {
  inSecret: 'canary-secret-Pa55&1',
  inEnvironment: 'canary-environment-Pa55&2',
  inLog: 'canary-log-Pa55&3',
  inDockerConfig: 'canary-docker-Pa55&4',
};

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await temporaryFolder('diagnostics');
});
afterAll(() => folder?.remove());

describe('archives of diagnostics', () => {
  it('are kept in a bounded number for each cluster, and nothing else is touched', async () => {
    const at = join(folder.path, 'many');
    const names = ['prod', 'prod-2'].flatMap((name) =>
      Array.from({ length: 7 }, (_, index) => archiveName(name, new Date(Date.UTC(2026, 10, 21, 17, index)))),
    );
    for (const name of names) await writeArchive(join(at, name), [{ path: 'summary.txt', text: name }]);
    await writeFile(join(at, 'notes.txt'), 'mine');
    await removeOldArchives(at);
    expect((await readdir(at)).sort()).toEqual([...names.slice(2, 7), ...names.slice(9), 'notes.txt'].sort());
  });

  it('say where nothing can be written, and leave nothing half done', async () => {
    await writeFile(join(folder.path, 'file'), '');
    const path = join(folder.path, 'file', 'x.tar.gz');
    await expect(writeArchive(path, [])).rejects.toMatchObject({ type: 'PathUnwritable' });
  });

  it('have no two files of one name, and no name that leads elsewhere', async () => {
    const path = join(folder.path, 'names.tar.gz');
    await writeArchive(path, [
      { path: 'a/***.json', text: '1' },
      { path: 'a/+++.json', text: '2' },
      { path: '../../etc/passwd', text: '3' },
      { path: `${'long/'.repeat(40)}x`, text: '4' },
    ]);
    const { names, file } = await readArchive(path);
    expect(names).toEqual(['a/___.json', 'a/___.json.2', '_/_/etc/passwd', `${'long/'.repeat(40)}x`]);
    expect(await file(names[3]!)).toBe('4');
  });
});

describe.skipIf(why !== undefined)('diagnostics of clusters', () => {
  let api: KubeApiserver;

  beforeAll(async () => {
    api = await startKubeApiserver();
    await using cluster = await openCluster(api.kubeconfig);
    await cluster.applyAll([
      looseDefinition({ apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster' }, 'clusters'),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'eksa-system' } },
      {
        ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque' },
        metadata: { name: 'one-credentials', namespace: 'eksa-system', labels: { of: 'one' } },
        stringData: { password: secrets.inSecret },
      },
      {
        ...{ apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster' },
        metadata: { name: 'one', namespace: 'eksa-system', annotations: { note: `it is ${secrets.inSecret}` } },
        spec: { paused: true, url: `https://x/${encodeURIComponent(secrets.inSecret)}` },
      },
      {
        ...{ apiVersion: 'v1', kind: 'Event', metadata: { name: 'e1', namespace: 'eksa-system' } },
        ...{ type: 'Warning', reason: 'Failed', message: `login with ${secrets.inSecret} failed` },
        involvedObject: { kind: 'Cluster', namespace: 'eksa-system', name: 'one' },
      },
    ]);
    const conditions = [{ type: 'Ready', status: 'False', reason: 'Waiting', message: `for ${secrets.inSecret}\nnow` }];
    await cluster.patch(
      { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster', metadata: { name: 'one', namespace: 'eksa-system' } },
      { status: { conditions } },
      'status',
    );
    await api.createPod('eksa-system', {
      metadata: { name: 'controller' },
      spec: { containers: [{ name: 'manager', image: 'x' }], nodeName: 'node-1' },
      status: { containerStatuses: [{ name: 'manager', image: 'x', imageID: '', ready: false, restartCount: 1 }] },
    });
  }, 120_000);
  afterAll(() => api?.stop());

  async function request(name: string, clusters: DiagnosticsRequest['clusters']): Promise<DiagnosticsRequest> {
    const workspace = join(folder.path, name);
    const logs = join(workspace, 'bootstrap', 'providers');
    await mkdir(logs, { recursive: true });
    await writeFile(join(logs, 'capi-system.manager.token'), secrets.inLog);
    // what is no secret in it may not be taken out of everything else
    const kubeconfig = { apiVersion: 'v1', kind: 'Config', users: [{ user: { token: secrets.inLog } }] };
    await writeFile(join(logs, 'capi-system.manager.kubeconfig'), JSON.stringify(kubeconfig, undefined, 2));
    const lines = Array.from({ length: 60_000 }, (_, index) => `line ${index} of a log that is long`);
    await writeFile(
      join(logs, 'capi-system.manager.log'),
      [...lines, `it has ${secrets.inLog}`, 'last line'].join('\n'),
    );
    const docker = join(folder.path, 'docker');
    await mkdir(docker, { recursive: true });
    const auth = Buffer.from(`robot:${secrets.inDockerConfig}`).toString('base64');
    await writeFile(join(docker, 'config.json'), JSON.stringify({ auths: { 'r.example': { auth } } }));
    return {
      ...{ name, clusters, workspace },
      about: [`It stopped: ${secrets.inEnvironment} and ${secrets.inDockerConfig}`],
      env: { EKSA_VSPHERE_PASSWORD: secrets.inEnvironment, DOCKER_CONFIG: docker },
      output: { folder: join(folder.path, 'diagnostics') },
      signal: new AbortController().signal,
    };
  }

  it('have objects, conditions, events and the ends of logs, for their owner only and without a secret', async () => {
    const asked = await request('one', [{ place: 'management', kubeconfig: api.kubeconfig }]);
    const { archive, clusters, missing } = await collectDiagnostics(asked);
    expect((await stat(archive)).mode & 0o777).toBe(0o600);
    expect(clusters).toMatchObject([{ place: 'management', server: api.url, answered: true }]);
    const { names, text, file } = await readArchive(archive);
    expect(findLeaks(text, secrets, ['robot'])).toEqual([]);
    expect(names).toEqual(
      expect.arrayContaining(['summary.txt', 'management/events.txt', 'management/conditions.txt']),
    );
    expect(await file('management/conditions.txt')).toContain(
      'Cluster eksa-system/one  Ready=False Waiting for *** now (since )\n',
    );
    expect(await file('management/events.txt')).toContain(
      'Warning Failed Cluster eksa-system/one: login with *** failed',
    );
    const [cluster] = JSON.parse(await file('management/objects/Cluster.cluster.x-k8s.io.json')) as object[];
    expect(cluster).toMatchObject({ spec: { paused: true, url: 'https://x/***' }, metadata: { name: 'one' } });
    const kept = JSON.parse(await file('management/objects/Secret.json')) as object[];
    expect(kept).toContainEqual(expect.objectContaining({ kind: 'Secret', type: 'Opaque', keys: ['password'] }));
    const log = await file('this-machine/bootstrap/providers/capi-system.manager.log');
    expect(log).toMatch(/^\(the first \d+ bytes are left out\)\nline \d+ of a log that is long\n/);
    expect(log).toMatch(/it has \*\*\*\nlast line$/);
    expect(log.length).toBeLessThan(1024 * 1024 + 100);
    const summary = await file('summary.txt');
    expect(summary).toContain('It stopped: *** and ***');
    // there is no kubelet that has logs
    for (const run of ['', '.previous'])
      expect(missing.join('\n')).toContain(`log of eksa-system.controller.manager${run}: `);
    expect(summary).toContain('log of eksa-system.controller.manager: ');
  });

  it('have no text of a cluster whose Secrets may not be read', async () => {
    const asked = await request('two', [{ place: 'self', kubeconfig: await api.tokenKubeconfig('nobody') }]);
    const { archive, clusters, missing } = await collectDiagnostics(asked);
    expect(clusters).toMatchObject([{ place: 'self', answered: true, objects: 0 }]);
    expect(missing.join('\n')).toMatch(
      /self: Secret \(v1\): .*403[^]*self: events and logs: its Secrets are not known/,
    );
    expect((await readArchive(archive)).names.filter((name) => name.startsWith('self/'))).toEqual([]);
  });

  it('are collected of what answers when something does not', async () => {
    const gone = join(folder.path, 'gone.kubeconfig');
    await writeFile(gone, (await readFile(api.kubeconfig, 'utf8')).replace(api.url, 'https://127.0.0.1:9'), {
      mode: 0o600,
    });
    const asked = await request('three', [
      { place: 'bootstrap', kubeconfig: gone },
      { place: 'management', kubeconfig: api.kubeconfig },
      { place: 'self', kubeconfig: join(folder.path, 'not-there') },
    ]);
    const { archive, clusters } = await collectDiagnostics(asked);
    expect(clusters.map(({ place, answered }) => [place, answered])).toEqual([
      ['bootstrap', false],
      ['management', true],
      ['self', false],
    ]);
    expect(await (await readArchive(archive)).file('summary.txt')).toContain(
      'bootstrap at https://127.0.0.1:9: it does not answer',
    );
  });

  it('leave nothing when they are given up', async () => {
    const asked = await request('four', [{ place: 'management', kubeconfig: api.kubeconfig }]);
    const signal = AbortSignal.abort(new Error('cancelled'));
    await expect(collectDiagnostics({ ...asked, signal })).rejects.toThrow('cancelled');
    expect((await readdir(join(folder.path, 'diagnostics'))).filter((name) => name.includes('four'))).toEqual([]);
  });
});
