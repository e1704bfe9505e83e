import { mkdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { bareRepository, startGitHttp, type GitServer } from '../helpers/git-servers.ts';
import { filesBelow, findLeaks, histories } from '../helpers/leaks.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runOk } from '../helpers/processes.ts';
import { runSealift, type SealiftResult } from '../helpers/sealift.ts';
import { keptInGit, managedBy, ofVersion, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { whyNotLong } from '../lab/long.ts';
import type { ManagementCluster } from '../lab/management-cluster.ts';

const minutes = 60_000;
const user = 'robot';
/** Canaries where credentials go; those that the clusters make are added when they are there. */
const secrets: Record<string, string> = {
  vsphere: 'canary-vsphere-Pa55&3f',
  cloudProvider: 'canary-cp-Pa55&91',
  registry: 'canary-registry-Pa55&77',
  wrongGit: 'canary-git-wrong-Pa55&0c',
  git: 'canary-git-Pa55&e2',
};
const environment = {
  EKSA_VSPHERE_USERNAME: 'administrator@vsphere.local',
  EKSA_VSPHERE_PASSWORD: secrets['vsphere']!,
  EKSA_VSPHERE_CP_USERNAME: 'cloud@vsphere.local',
  EKSA_VSPHERE_CP_PASSWORD: secrets['cloudProvider']!,
  REGISTRY_USERNAME: user,
  REGISTRY_PASSWORD: secrets['registry']!,
  GIT_USERNAME: user,
  GIT_PASSWORD: secrets['git']!,
};

describe.skipIf(whyNotLong !== undefined)(`no secret of a cluster ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let management: ManagementCluster;
  let git: GitServer;
  /** everything that commands wrote */
  let written = '';

  beforeAll(async () => {
    ground = await startClusterGround();
    management = await ground.lab.startManagementCluster('mgmt');
    const folder = join(ground.home.path, 'git');
    await mkdir(folder);
    await bareRepository(join(folder, 'fleet.git'));
    await runOk('git', ['-C', join(folder, 'fleet.git'), 'config', 'http.receivepack', 'true']);
    git = await startGitHttp(folder, { name: user, password: secrets['git']! });
  }, 8 * minutes);
  afterAll(async () => {
    await git?.[Symbol.asyncDispose]();
    await ground?.[Symbol.asyncDispose]();
  });

  async function command(args: string[], env: Record<string, string> = {}): Promise<SealiftResult> {
    const result = await runSealift(args, { home: ground.home, env: { ...environment, ...env } });
    written += result.stdout + result.stderr;
    return result;
  }

  const specification = (minor: string): Promise<string> =>
    ground.specification('one', [
      ofVersion(minor),
      managedBy('mgmt'),
      ...keptInGit('/fleet.git'),
      ['file:///fleet.git', `${git.url}/fleet.git`],
    ]);

  /** The values of all Secrets of the management cluster, as base64 and as they are. */
  async function valuesOfSecrets(): Promise<Record<string, string>> {
    await using cluster = await openCluster(management.kubeconfig);
    const found = await cluster.list({ apiVersion: 'v1', kind: 'Secret' });
    const values = found.flatMap(({ metadata, ...secret }) =>
      Object.entries((secret['data'] ?? {}) as Record<string, string>).map(([key, value]): [string, string] => [
        `Secret ${metadata.namespace}/${metadata.name} ${key}`,
        Buffer.from(value, 'base64').toString('utf8'),
      ]),
    );
    return Object.fromEntries(values.filter(([, value]) => value.length >= 6));
  }

  it('is left anywhere but where it belongs, whatever parks', { timeout: 20 * minutes }, async () => {
    const at = ['--bundle', ground.bundle, '--kubeconfig', management.kubeconfig];
    const parked = await command(['create', 'cluster', '-f', await specification('1.34'), ...at], {
      GIT_PASSWORD: secrets['wrongGit']!,
    });
    expect(parked.code, written).toBe(5);
    expect(parked.stderr).toContain('GitForbidden');
    const [, archive = ''] = /Diagnostics, without secrets: (\S+)/.exec(parked.stderr) ?? [];
    expect(archive).toMatch(/\/diagnostics\/diagnostics-one-\d{8}T\d{9}Z\.tar\.gz$/);
    // cause, remedy, archive and what to do now are on one screen
    expect(parked.stderr.slice(parked.stderr.indexOf('could not be done')).split('\n').length).toBeLessThan(24);
    expect((await command(['describe', 'cluster/mgmt/one'])).stdout).toContain(archive);
    expect((await stat(archive)).mode & 0o777).toBe(0o600);
    const entries = await runOk('tar', ['-tzf', archive]);
    for (const name of ['summary.txt', 'management/conditions.txt', 'management/objects/Secret.json']) {
      expect(entries).toContain(`/${name}\n`);
    }
    expect(entries).toMatch(/\/self\/objects\/Node\.json\n/);
    expect(entries).toMatch(/\/management\/objects\/KubeadmControlPlane\.controlplane\.cluster\.x-k8s\.io\.json\n/);
    const ofCluster = await valuesOfSecrets();
    expect(Object.keys(ofCluster).join()).toMatch(/one-kubeconfig value.*one-ca|one-ca.*one-kubeconfig value/);

    expect((await command(['retry', 'cluster/mgmt/one'])).code, written).toBe(0);
    const byHand = await command(['generate', 'diagnostics', 'one', ...at.slice(2), '--output-format', 'json']);
    const report = parseOutput('diagnostics', byHand.stdout) as { archive: string };
    const archives = [archive, report.archive];
    expect((await command(['upgrade', 'cluster', '-f', await specification('1.35'), ...at])).code, written).toBe(0);

    const own = join(ground.home.state, 'workload-clusters', 'mgmt', 'one', 'self.kubeconfig');
    const keys = { clientKey: await keyIn(own), managementKey: await keyIn(management.kubeconfig) };
    const all = { ...secrets, ...ofCluster, ...keys };
    for (const path of archives) {
      expect(findLeaks(gunzipSync(await readFile(path)), all, [user]), path).toEqual([]);
    }
    // what holds them holds nothing else than what it is for, and is its owner's
    const allowed = /^workload-clusters\/mgmt\/one\/self\.kubeconfig$/;
    for (const file of await filesBelow(ground.home.state)) {
      const leaks = findLeaks(await readFile(file), all, [user]);
      if (leaks.length === 0) continue;
      expect(relative(ground.home.state, file), leaks.join()).toMatch(allowed);
      expect(leaks.filter((name) => name in secrets)).toEqual([]);
      expect((await stat(file)).mode & 0o777, file).toBe(0o600);
    }
    expect((await command(['delete', 'cluster', 'one', ...at.slice(2)])).code, written).toBe(0);

    const texts = await histories(ground.home.env['TEMPORAL_ADDRESS']!);
    // the search does find what is there, in payloads too
    for (const word of ['collectDiagnostics', 'hostTaskQueue']) {
      expect(
        texts.some((text) => text.includes(word)),
        word,
      ).toBe(true);
    }
    expect(
      texts.flatMap((text) => findLeaks(text, all, [user])),
      'in histories',
    ).toEqual([]);
    expect(findLeaks(written, all, [user]), 'in what was printed').toEqual([]);
    for (const file of await filesBelow(ground.home.state)) {
      expect(findLeaks(await readFile(file), all, [user]), file).toEqual([]);
    }
  });
});

/** The private key of its user, as it stands there. */
async function keyIn(kubeconfig: string): Promise<string> {
  const [, key] = /client-key-data"?: *"?([A-Za-z0-9+/=]+)/.exec(await readFile(kubeconfig, 'utf8')) ?? [];
  if (key === undefined) throw new Error(`${kubeconfig} has no key`);
  return key;
}
