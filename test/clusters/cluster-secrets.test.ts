import { mkdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { readArchive } from '../helpers/diagnostics-archive.ts';
import { bareRepository, startGitHttp, type GitServer } from '../helpers/git-servers.ts';
import { filesBelow, findLeaks, histories, secretsWithin } from '../helpers/leaks.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runOk } from '../helpers/processes.ts';
import { runSealift, type SealiftResult } from '../helpers/sealift.ts';
import {
  keptInGit,
  managedBy,
  ofVersion,
  startClusterGround,
  type ClusterGround,
  type SpecificationChange,
} from '../lab/cluster-ground.ts';
import { serveClusterRelease } from '../lab/cluster-release.ts';
import { whyNotLong } from '../lab/long.ts';
import type { ManagementCluster } from '../lab/management-cluster.ts';
import { startPrivateMirror, type PrivateMirror } from '../lab/private-mirror.ts';
import { collectedSecrets } from '../lab/secrets-in-cluster.ts';

const minutes = 60_000;
const user = 'robot';
/** Canaries where credentials go; those that the clusters make are added when they are there. */
const canaries = {
  vsphere: 'canary-vsphere-Pa55&3f',
  cloudProvider: 'canary-cp-Pa55&91',
  registry: 'canary-registry-Pa55&77',
  wrongGit: 'canary-git-wrong-Pa55&0c',
  git: 'canary-git-Pa55&e2',
  passphrase: 'canary-ssh-Pa55&b8',
  planted: 'canary-planted-Pa55&d1',
};
/** The only ones that a cluster is given: for its mirror, and by its administrator. */
const onClusters = ['registry', 'planted'];

const throughBootstrap = [/spec: \{\}/, 'spec:\n  upgradeThroughBootstrap: true'] as const;

describe.skipIf(whyNotLong !== undefined)(`no secret of a cluster ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let management: ManagementCluster;
  let mirror: PrivateMirror;
  let git: GitServer;
  let environment: Record<string, string>;
  /** file of a private key */
  let sshKey: string;
  /** everything that commands wrote */
  let written = '';
  /** all that must not be found */
  const secrets: Record<string, string> = { ...canaries };

  beforeAll(async () => {
    mirror = await startPrivateMirror({ user, password: canaries.registry });
    ground = await startClusterGround({ release: () => serveClusterRelease({ withPrograms: true }) });
    management = await ground.lab.startManagementCluster('mgmt');
    await ground.lab.expectManagementCluster({ namespace: 'eksa-system', name: 'two' });
    const folder = join(ground.home.path, 'git');
    await mkdir(folder);
    await bareRepository(join(folder, 'fleet.git'));
    await runOk('git', ['-C', join(folder, 'fleet.git'), 'config', 'http.receivepack', 'true']);
    git = await startGitHttp(folder, { name: user, password: canaries.git });
    sshKey = join(ground.home.path, 'id_ed25519');
    await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', canaries.passphrase, '-f', sshKey]);
    environment = {
      ...{ EKSA_VSPHERE_USERNAME: 'administrator@vsphere.local', EKSA_VSPHERE_PASSWORD: canaries.vsphere },
      ...{ EKSA_VSPHERE_CP_USERNAME: 'cloud@vsphere.local', EKSA_VSPHERE_CP_PASSWORD: canaries.cloudProvider },
      ...{ REGISTRY_USERNAME: user, REGISTRY_PASSWORD: canaries.registry },
      ...{ GIT_USERNAME: user, GIT_PASSWORD: canaries.git },
      ...{ EKSA_GIT_PRIVATE_KEY: sshKey, EKSA_GIT_SSH_KEY_PASSPHRASE: canaries.passphrase },
    };
    await succeed('import', 'artifacts', '--input', ground.bundle, ...content(), ...mirror.into);
  }, 8 * minutes);
  afterAll(async () => {
    await git?.[Symbol.asyncDispose]();
    await ground?.[Symbol.asyncDispose]();
    await mirror?.[Symbol.asyncDispose]();
  });

  const content = (): string[] => [...mirror.from, ...mirror.trust];
  const below = (...names: string[]): string => join(ground.home.state, ...names);
  const twoAt = (place: 'bootstrap' | 'self'): string => below('clusters', 'two', `${place}.kubeconfig`);

  async function command(args: string[], env: Record<string, string> = {}): Promise<SealiftResult> {
    const result = await runSealift(args, { home: ground.home, env: { ...environment, ...env } });
    written += result.stdout + result.stderr;
    return result;
  }
  async function succeed(...args: string[]): Promise<SealiftResult> {
    const result = await command(args);
    expect(result.code, written).toBe(0);
    return result;
  }

  const specification = (name: string, minor: string, ...more: SpecificationChange[]): Promise<string> =>
    ground.specification(name, [
      ...[ofVersion(minor), mirror.change, ...keptInGit('/fleet.git')],
      ['file:///fleet.git', `${git.url}/fleet.git`],
      ...more,
    ]);
  const one = async (verb: string, minor: string): Promise<string[]> => [
    verb,
    'cluster',
    '-f',
    await specification('one', minor, managedBy('mgmt')),
    ...content(),
    ...atManagement(),
  ];
  const two = async (verb: string, minor: string, ...more: SpecificationChange[]): Promise<string[]> => [
    verb,
    'cluster',
    '-f',
    await specification('two', minor, ...more),
    ...content(),
  ];
  const atManagement = (): string[] => ['--kubeconfig', management.kubeconfig];

  /** Runs what cannot get into git, and so parks where everything else is done. @returns its archive of diagnostics */
  async function parks(args: string[], id: string): Promise<string> {
    const parked = await command(args, { GIT_PASSWORD: canaries.wrongGit });
    expect(parked.code, written).toBe(5);
    expect(parked.stderr).toContain('GitForbidden');
    const [, archive = ''] = /Diagnostics, without secrets: (\S+)/.exec(parked.stderr) ?? [];
    expect(archive).toMatch(/\/diagnostics\/diagnostics-(one|two)-\d{8}T\d{9}Z\.tar\.gz$/);
    // cause, remedy, archive and what to do now are on one screen
    expect(parked.stderr.slice(parked.stderr.indexOf('could not be done')).split('\n').length).toBeLessThan(24);
    expect((await command(['describe', id])).stdout).toContain(archive);
    expect((await stat(archive)).mode & 0o777).toBe(0o600);
    return archive;
  }

  /**
   * Everything that holds a secret on a cluster is in an archive, by its name; from now on what it holds must not be found.
   * @returns of which canaries something would be there if it had been collected as it is
   */
  async function learnFrom(archive: string, place: string, kubeconfig: string): Promise<string[]> {
    const found = await collectedSecrets(await readArchive(archive), place, kubeconfig);
    for (const { name, values } of found) {
      for (const [key, value] of Object.entries(values)) {
        // of a machine's bootstrap data: `cloud-config`, which definitions and manifests say too
        if (key !== 'format') learn(`Secret ${name} ${key}`, value);
      }
    }
    return findLeaks(JSON.stringify(found.map(({ values }) => values)), canaries, [user]);
  }

  function learn(name: string, value: string): void {
    for (const [index, part] of [value, ...secretsWithin(value)].entries()) {
      if (part.length >= 6) secrets[`${name} (${index})`] = part;
    }
  }

  /** The keys and tokens of the bootstrap cluster. */
  async function learnFromBootstrap(): Promise<void> {
    const files = (await filesBelow(below('clusters', 'two', 'bootstrap'))).filter((file) =>
      /\.(key|token)$/.test(file),
    );
    expect(files.map((file) => file.slice(file.lastIndexOf('.')))).toEqual(expect.arrayContaining(['.key', '.token']));
    for (const file of files) learn(relative(ground.home.state, file), (await readFile(file, 'utf8')).trim());
  }

  /** As an administrator gives workloads credentials. */
  async function plant(kubeconfig: string): Promise<void> {
    await using cluster = await openCluster(kubeconfig);
    const auth = Buffer.from(`${user}:${canaries.registry}`).toString('base64');
    const auths = { [mirror.registry.host]: { username: user, password: canaries.registry, auth } };
    const secret = (name: string, type: string, stringData: object): KubernetesObject => ({
      ...{ apiVersion: 'v1', kind: 'Secret', type: `kubernetes.io/${type}`, stringData },
      metadata: { name, namespace: 'default' },
    });
    const labels = { app: 'shop' };
    const containers = [{ name: 'shop', image: 'shop', env: [{ name: 'DB_PASSWORD', value: canaries.planted }] }];
    await cluster.applyAll([
      secret('pull', 'dockerconfigjson', { '.dockerconfigjson': JSON.stringify({ auths }) }),
      secret('deploy', 'ssh-auth', { 'ssh-privatekey': await readFile(sshKey, 'utf8') }),
      secret('database', 'basic-auth', { username: user, password: canaries.planted }),
      {
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'shop', namespace: 'default' } },
        spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
      },
    ]);
  }

  /** What is in the state folder of the secrets is where they belong, for its owner only. */
  async function expectOnlyIn(allowed: RegExp): Promise<void> {
    for (const file of await filesBelow(ground.home.state)) {
      const name = relative(ground.home.state, file);
      const leaks = findLeaks(await readFile(file), secrets, [user]);
      if (leaks.length === 0) continue;
      expect(name, leaks.join()).toMatch(allowed);
      expect(
        leaks.filter((leak) => leak in canaries && !onClusters.includes(leak)),
        name,
      ).toEqual([]);
      const workspace = name.split('/').slice(0, name.startsWith('clusters/') ? 2 : 3);
      const [modeOfFile, modeOfFolder] = [await stat(file), await stat(below(...workspace))].map(({ mode }) => mode);
      expect((modeOfFile! & 0o077) === 0 || (modeOfFolder! & 0o077) === 0, `${name} is for its owner only`).toBe(true);
    }
  }

  it('is left anywhere but where it belongs, whatever parks', { timeout: 20 * minutes }, async () => {
    learn('ssh key', await readFile(sshKey, 'utf8'));
    const archives = await Promise.all([
      parks(await one('create', '1.34'), 'cluster/mgmt/one'),
      parks(await two('create', '1.34'), 'cluster/two'),
    ]);
    const [ofOne, ofTwo] = archives;
    const controlPlanes = 'objects/KubeadmControlPlane.controlplane.cluster.x-k8s.io.json';
    const expected = { management: [ofOne, 'self'], bootstrap: [ofTwo, 'self'] } as const;
    for (const [place, [archive, other]] of Object.entries(expected)) {
      const objects = [`${place}/objects/Deployment.apps.json`, `${other}/objects/Node.json`];
      const { names } = await readArchive(archive);
      expect(names).toEqual(expect.arrayContaining(['summary.txt', `${place}/conditions.txt`, ...objects]));
    }
    expect((await readArchive(ofOne)).names).toContain(`management/${controlPlanes}`);
    const { names } = await readArchive(ofTwo);
    expect(names).toContain(`self/${controlPlanes}`);
    expect(names.filter((name) => /^this-machine\/bootstrap\/.*\.log$/.test(name))).not.toEqual([]);
    expect(await learnFrom(ofOne, 'management', management.kubeconfig)).toEqual(['registry']);
    expect(await learnFrom(ofTwo, 'self', twoAt('self'))).toEqual(['registry']);
    await learnFromBootstrap();
    for (const name of ['one-kubeconfig value', 'one-ca tls.key', 'two-kubeconfig value', 'two-ca tls.key']) {
      expect(Object.keys(secrets).filter((known) => known.includes(`/${name} (`)).length).toBeGreaterThan(1);
    }

    await Promise.all([succeed('retry', 'cluster/mgmt/one'), succeed('retry', 'cluster/two')]);
    const byHand = await succeed('generate', 'diagnostics', 'one', ...atManagement(), '--output-format', 'json');
    archives.push((parseOutput('diagnostics', byHand.stdout) as { archive: string }).archive);
    await plant(twoAt('self'));
    const ofUpgrade = await parks(await two('upgrade', '1.35', throughBootstrap), 'cluster/two');
    archives.push(ofUpgrade);
    const { names: ofBoth, file } = await readArchive(ofUpgrade);
    // all of its Secrets have gone with the cluster
    expect(ofBoth).toContain('bootstrap/objects/Deployment.apps.json');
    expect(await learnFrom(ofUpgrade, 'self', twoAt('self'))).toEqual(['registry', 'planted']);
    expect(await file('self/objects/Deployment.apps.json')).toMatch(/DB_PASSWORD[^}]*\*\*\*/);
    await learnFromBootstrap();
    await Promise.all([succeed('retry', 'cluster/two'), succeed(...(await one('upgrade', '1.35')))]);

    for (const archive of archives) {
      expect(findLeaks((await readArchive(archive)).text, secrets, [user]), archive).toEqual([]);
    }
    for (const kubeconfig of [
      management.kubeconfig,
      twoAt('self'),
      below('workload-clusters/mgmt/one/self.kubeconfig'),
    ]) {
      learn(kubeconfig, await readFile(kubeconfig, 'utf8'));
    }
    // how clusters are reached, and the copies of the last move
    await expectOnlyIn(/^(workload-clusters\/mgmt\/one|clusters\/two)\/self\.kubeconfig$|^clusters\/two\/move-/);
    await Promise.all([
      succeed('delete', 'cluster', 'one', ...atManagement()),
      succeed('delete', 'cluster', 'two', ...content()),
    ]);
    await expectOnlyIn(/^none$/);

    const texts = await histories(ground.home.env['TEMPORAL_ADDRESS']!);
    // the search does find what is there, in payloads too
    for (const word of ['collectDiagnostics', 'hostTaskQueue']) {
      expect(
        texts.some((text) => text.includes(word)),
        word,
      ).toBe(true);
    }
    expect(texts.filter((text) => text.includes('collectDiagnostics')).length).toBeGreaterThanOrEqual(3);
    expect(
      texts.flatMap((text) => findLeaks(text, secrets, [user])),
      'in histories',
    ).toEqual([]);
    expect(findLeaks(written, secrets, [user]), 'in what was printed').toEqual([]);
    const commits = await runOk('git', ['-C', join(ground.home.path, 'git', 'fleet.git'), 'log', '--all', '--patch']);
    expect(commits).toContain('Upgrade management cluster two');
    expect(findLeaks(commits, secrets, [user]), 'in git').toEqual([]);
  });
});
