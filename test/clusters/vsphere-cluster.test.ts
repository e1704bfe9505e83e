import { join } from 'node:path';
import { basename } from 'node:path/posix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { Problem } from '../../contracts/errors.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { readArchive } from '../helpers/diagnostics-archive.ts';
import { bareRepository } from '../helpers/git-servers.ts';
import { findLeaks } from '../helpers/leaks.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runSealift, type SealiftResult } from '../helpers/sealift.ts';
import { keptInGit, managedBy, ofVersion, type SpecificationChange } from '../lab/cluster-ground.ts';
import { labVersions } from '../lab/cluster-release.ts';
import { labUnavailable } from '../lab/lab.ts';
import { whyNotLong } from '../lab/long.ts';
import type { ApiServerPlace, ManagementCluster } from '../lab/management-cluster.ts';
import { writeOva } from '../lab/ova.ts';
import { collectedSecrets } from '../lab/secrets-in-cluster.ts';
import { vcsimUnavailable, withoutPrivileges } from '../lab/vcsim.ts';
import { machinesOf, ofTemplate, startVSphereGround, templateOf, type VSphereGround } from '../lab/vsphere-ground.ts';

const why = whyNotLong ?? (await labUnavailable('vsphere')) ?? (await vcsimUnavailable());
const minutes = 60_000;
const namespace = 'eksa-system';
const infrastructure = 'infrastructure.cluster.x-k8s.io/v1beta2';
/** Clusters' endpoints are addresses of loopback; other runs have others. */
const network = `127.${100 + Math.floor(Math.random() * 100)}.${1 + Math.floor(Math.random() * 250)}`;

interface Parked {
  operation: string;
  parked: (Problem & { diagnostics?: string })[];
}

describe.skipIf(why !== undefined)(`clusters on vSphere: the real CAPV, a simulated vCenter ${why ?? ''}`, () => {
  let ground: VSphereGround;

  beforeAll(async () => {
    ground = await startVSphereGround(['1.34', '1.35']);
  }, 5 * minutes);
  afterAll(() => ground[Symbol.asyncDispose]());

  describe('a workload cluster of three control planes and two workers', { timeout: 12 * minutes }, () => {
    let management: ManagementCluster;

    beforeAll(async () => {
      management = await ground.lab.startManagementCluster('mgmt');
      await ground.lab.bootMachines(management.kubeconfig);
    }, 3 * minutes);

    const specification = (minor: string, template = templateOf(minor)): Promise<string> =>
      ground.specification('one', [
        ...ground.inVcsim(`${network}.10`),
        ...[managedBy('mgmt'), ofVersion(minor), ofTemplate(template)],
      ]);
    const succeed = async (words: string[], ...options: string[]): Promise<Record<string, unknown>> => {
      const { code, stdout, stderr } = await ground.sealift(
        ...words,
        '--kubeconfig',
        management.kubeconfig,
        ...options,
      );
      expect({ code, said: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, said: '' });
      return parseOutput(words.length === 3 ? 'upgrade-plan' : words.join('-'), stdout);
    };
    const objects = async (kind: string): Promise<KubernetesObject[]> => {
      await using cluster = await openCluster(management.kubeconfig);
      return await cluster.list({ apiVersion: infrastructure, kind }, { namespace });
    };
    const roles = (result: Record<string, unknown>): string[] =>
      (result['nodes'] as { role: string; version: string }[]).map(({ role, version }) => `${role} ${version}`).sort();
    const threeAndTwo = (version: string): string[] => [
      ...Array<string>(3).fill(`control-plane ${version}`),
      ...Array<string>(2).fill(`worker ${version}`),
    ];

    it('is created from a template that comes out of an OVA', async () => {
      const template = '/DC0/vm/Imported/ubuntu-2204-kube-v1.34';
      const [file, ova] = [await specification('1.34', template), join(ground.home.state, 'image.ova')];
      await writeOva(ova);
      const result = await succeed(['create', 'cluster'], '-f', file, '--bundle', ground.bundle, '--ova', ova);
      expect((await ground.vcsim.govc('object.collect', '-s', template, 'config.template')).trim()).toBe('true');
      for (const { spec } of await objects('VSphereMachine')) expect(spec).toMatchObject({ template });
      expect(roles(result)).toEqual(threeAndTwo(labVersions.older));
      const machines = await machinesOf(ground.vcsim);
      expect(machines).toHaveLength(5);
      const power = await ground.vcsim.govc('object.collect', '-s', machines[0]!, 'runtime.powerState');
      expect(power.trim()).toBe('poweredOn');
    });

    it('has its machines where the specification says, and the pin in every object', async () => {
      const machines = await objects('VSphereMachine');
      expect(machines).toHaveLength(5);
      for (const object of [...machines, ...(await objects('VSphereVM')), ...(await objects('VSphereCluster'))]) {
        expect(object['spec']).toMatchObject({ server: ground.vcsim.server, thumbprint: ground.vcsim.sha256 });
      }
      for (const path of await machinesOf(ground.vcsim)) {
        expect(path).toMatch(/^\/DC0\/vm\/Kubernetes\/one-/);
        const userdata = await ground.vcsim.govc('vm.info', '-e', path);
        expect(userdata).toContain('guestinfo.userdata');
      }
      expect(machines.map(({ metadata }) => metadata.name).sort()).toEqual(
        (await machinesOf(ground.vcsim)).map((path) => basename(path)),
      );
    });

    it('is upgraded by a minor version, with another template', async () => {
      const before = await machinesOf(ground.vcsim);
      const file = await specification('1.35');
      const plan = await succeed(['upgrade', 'plan', 'cluster'], '-f', file, '--bundle', ground.bundle);
      expect(plan).toMatchObject({ needed: true, rolls: [{ machines: 3 }, { machines: 2 }] });
      const result = await succeed(['upgrade', 'cluster'], '-f', file, '--bundle', ground.bundle);
      expect(result).toMatchObject({ kubernetesVersion: labVersions.newer });
      const after = await machinesOf(ground.vcsim);
      expect(after).toHaveLength(5);
      expect(
        after.filter((path) => before.includes(path)),
        'machines that stayed',
      ).toEqual([]);
      for (const { spec } of await objects('VSphereMachine')) {
        expect(spec).toMatchObject({ template: templateOf('1.35') });
      }
      expect(await objects('VSphereMachineTemplate'), 'templates that nothing refers to are gone').toHaveLength(2);
    });

    it('is deleted, and leaves no virtual machine', async () => {
      await succeed(['delete', 'cluster'], 'one');
      expect(await machinesOf(ground.vcsim)).toEqual([]);
      expect(await objects('VSphereVM')).toEqual([]);
      expect(await objects('VSphereCluster')).toEqual([]);
    });
  });

  describe('a management cluster', { timeout: 12 * minutes }, () => {
    const two = { namespace, name: 'two' };
    let place: ApiServerPlace;
    let bootstrap: string;
    let repository: string;

    beforeAll(async () => {
      place = await ground.lab.expectManagementCluster(two);
      bootstrap = join(ground.home.state, 'clusters', 'two', 'bootstrap', 'control-plane', 'pki', 'admin.kubeconfig');
      repository = join(ground.home.path, 'fleet.git');
      await ground.lab.bootMachines(place.kubeconfig);
    }, minutes);

    const specification = (minor: string): Promise<string> =>
      ground.specification('two', [
        ...ground.inVcsim(`${network}.20`),
        ...[
          ofVersion(minor),
          ofTemplate(templateOf(minor)),
          ['count: 3', 'count: 1'] as const,
          ['count: 2', 'count: 1'] as const,
        ],
        ...keptInGit(repository),
      ]);
    const run = async (...words: string[]): Promise<SealiftResult> => {
      const booter = await ground.lab.bootMachines(bootstrap);
      const result = await ground.sealift(...words);
      await booter.stop();
      return result;
    };
    const succeed = async (...words: string[]): Promise<void> => {
      const { code, stdout, stderr } = await run(...words);
      expect({ code, said: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, said: '' });
    };
    const bundle = (): string[] => ['--bundle', ground.bundle];

    it('is created through a bootstrap cluster of processes, and owns its virtual machines afterwards', async () => {
      // it parks when all but its place in git is there: what is collected then has no password of vCenter
      const parked = await run('create', 'cluster', '-f', await specification('1.34'), ...bundle());
      expect(parked.code, parked.stderr + parked.stdout).toBe(5);
      const [{ diagnostics } = { diagnostics: '' }] = parseOutput('parked', parked.stdout)[
        'parked'
      ] as Parked['parked'];
      const archive = await readArchive(diagnostics!);
      const password = { ofVCenter: ground.vcsim.user.password };
      await collectedSecrets(archive, 'bootstrap', bootstrap);
      const found = await collectedSecrets(archive, 'self', place.kubeconfig);
      expect(findLeaks(found.map(({ values }) => Object.values(values)).join('\n'), password)).toEqual(['ofVCenter']);
      expect(findLeaks(archive.text, password, [ground.vcsim.user.name])).toEqual([]);
      await bareRepository(repository);
      await succeed('retry', 'cluster/two');

      await using cluster = await openCluster(place.kubeconfig);
      const machines = await cluster.list({ apiVersion: infrastructure, kind: 'VSphereMachine' }, { namespace });
      expect(machines.map(({ metadata }) => metadata.name).sort()).toEqual(
        (await machinesOf(ground.vcsim)).map((path) => basename(path)),
      );
      const [owner] = await cluster.list({ apiVersion: infrastructure, kind: 'VSphereCluster' }, { namespace });
      const { conditions } = owner?.['status'] as { conditions: { type: string; status: string }[] };
      expect(conditions, 'its own CAPV logs in with the Secret that moved along').toContainEqual(
        expect.objectContaining({ type: 'VCenterAvailable', status: 'True' }),
      );
    });

    it('is upgraded by a minor version by itself', async () => {
      const before = await machinesOf(ground.vcsim);
      await succeed('upgrade', 'cluster', '-f', await specification('1.35'), ...bundle());
      const after = await machinesOf(ground.vcsim);
      expect(after).toHaveLength(2);
      expect(after.filter((path) => before.includes(path))).toEqual([]);
    });

    it('is deleted, and leaves no virtual machine', async () => {
      await succeed('delete', 'cluster', 'two', ...bundle());
      expect(await machinesOf(ground.vcsim)).toEqual([]);
    });
  });

  describe('preflight', { timeout: 2 * minutes }, () => {
    let front: Awaited<ReturnType<typeof withoutPrivileges>>;

    beforeAll(async () => {
      front = await withoutPrivileges(ground.vcsim, ['Datastore.AllocateSpace']);
    });
    afterAll(() => front[Symbol.asyncDispose]());

    interface Fault {
      name: string;
      changes?: () => SpecificationChange[];
      env?: Record<string, string>;
      message: RegExp;
      remedy: RegExp;
    }
    const faults: Fault[] = [
      {
        name: 'a wrong pin',
        changes: () => [[/thumbprint: .*/, `thumbprint: "${Array(20).fill('00').join(':')}"`]],
        message: /certificate/,
        remedy: /thumbprint/,
      },
      {
        name: 'a wrong password',
        env: { EKSA_VSPHERE_PASSWORD: 'wrong' },
        message: /does not accept the user administrator@vsphere\.local/,
        remedy: /EKSA_VSPHERE_USERNAME and EKSA_VSPHERE_PASSWORD/,
      },
      {
        name: 'a missing template',
        changes: () => [[/template: .*/, 'template: /DC0/vm/Templates/none']],
        message: /\/DC0\/vm\/Templates\/none/,
        remedy: /make it, correct the name, or give the user the right to see it/,
      },
      {
        name: 'a full datastore',
        changes: () => [[/diskGiB: 25/g, 'diskGiB: 700']],
        message: /need \d+ GiB on \/DC0\/datastore\/LocalDS_0, and \d+ GiB are free/,
        remedy: /make room there, use another datastore, or ask for less diskGiB/,
      },
      {
        name: 'a missing privilege',
        changes: () => [[ground.vcsim.server, front.server]],
        message: /lacks privileges on \/DC0\/datastore\/LocalDS_0: Datastore\.AllocateSpace/,
        remedy: /give the user a role with them on/,
      },
    ];

    const specification = (changes: readonly SpecificationChange[] = []): Promise<string> =>
      ground.specification('three', [...ground.inVcsim(`${network}.30`), ...changes]);
    const run = (args: string[], env: Record<string, string> = {}): Promise<SealiftResult> =>
      runSealift([...args, '--output-format', 'json'], { home: ground.home, env });

    it.each(faults)('finds $name, and says what to do', async ({ changes, env, message, remedy }) => {
      const file = await specification(changes?.());
      const create = ['create', 'cluster', '-f', file, '--bundle', ground.bundle, '--on-failure', 'fail'];
      const { code, stdout } = await run(create, env);
      const { problems } = parseOutput('failure', stdout) as { problems: Problem[] };
      expect({ code, problems }).toEqual({
        code: 5,
        problems: [
          expect.objectContaining({ message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) }),
        ],
      });
    });

    it('parks on what is wrong, and a retry looks at all of it again', async () => {
      const file = await specification([[/diskGiB: 25/g, 'diskGiB: 700']]);
      const parks = async (args: string[], env?: Record<string, string>): Promise<Parked> => {
        const { code, stdout } = await run(args, env);
        expect(code).toBe(5);
        return parseOutput('parked', stdout) as unknown as Parked;
      };
      const wrong = { EKSA_VSPHERE_PASSWORD: 'wrong' };
      const first = await parks(['create', 'cluster', '-f', file, '--bundle', ground.bundle], wrong);
      expect(first.parked.map(({ message }) => message)).toEqual([expect.stringContaining('does not accept the user')]);
      const described = await runSealift(['describe', first.operation], { home: ground.home });
      expect(described.stdout).toContain('set EKSA_VSPHERE_USERNAME and EKSA_VSPHERE_PASSWORD where the worker runs');
      const second = await parks(['retry', first.operation]);
      expect(second.parked.map(({ message }) => message)).toEqual([expect.stringContaining('GiB are free')]);
      await run(['abort', first.operation]);
    });
  });
});
