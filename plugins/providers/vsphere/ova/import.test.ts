import { copyFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../../../contracts/cluster-spec.ts';
import type { Finding, OvaFile } from '../../../../contracts/clusters.ts';
import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { temporaryFolder, toolsFolder, type TemporaryFolder } from '../../../../test/helpers/paths.ts';
import { streamOptimized, writeOva } from '../../../../test/lab/ova.ts';
import {
  makeTemplate,
  startVcsim,
  vcsimUnavailable,
  withoutPrivileges,
  type Vcsim,
} from '../../../../test/lab/vcsim.ts';
import { vsphere } from '../index.ts';
import { contextInVcsim, specInVcsim, type Documents, type SeenRun } from '../testing.ts';

const unavailable = await vcsimUnavailable();
const template = '/DC0/vm/Images/ubuntu-2204-kube-v1.34';
/** Commands of govc that change nothing. */
const questions = /^(about|find|.*\.info|.*\.ls)$/;

describe.skipIf(unavailable !== undefined)(`templates out of OVAs on a simulated vCenter ${unavailable ?? ''}`, () => {
  let vcsim: Vcsim;
  let folder: TemporaryFolder;
  let file: string;
  let runs: SeenRun[];

  beforeAll(async () => {
    [vcsim, folder] = await Promise.all([startVcsim(), temporaryFolder('vsphere')]);
    file = join(folder.path, 'image.ova');
    await vcsim.govc('folder.create', '/DC0/vm/Kubernetes');
  });
  beforeEach(async () => {
    runs = [];
    await writeOva(file);
  });
  afterEach(() => empty());
  afterAll(async () => {
    await vcsim.stop();
    await folder.remove();
  });

  /** Inventory paths of all virtual machines, templates or not. */
  async function machines(): Promise<string[]> {
    return (await vcsim.govc('find', '/DC0', '-type', 'm'))
      .split('\n')
      .filter((path) => path !== '')
      .sort();
  }

  async function empty(): Promise<void> {
    for (const path of await machines()) await vcsim.govc('object.destroy', path);
    await vcsim.govc('object.destroy', '/DC0/vm/Images').catch(() => undefined);
  }

  const specAfter = (change?: (documents: Documents) => void): ClusterSpec => specInVcsim(vcsim, template, change);
  const contextWith = (...ovas: OvaFile[]): ProviderContext => ({
    ...contextInVcsim(vcsim, { scratch: folder.path, tools: toolsFolder }, runs),
    ovas,
  });
  const preflight = (spec: ClusterSpec, context: ProviderContext): Promise<Finding[]> =>
    vsphere.preflight({ spec, operation: 'create', skip: [] }, context);
  const told = (findings: readonly Finding[]): string[] => findings.map(({ status, id }) => `${status} ${id}`).sort();
  const changes = (): string[] => runs.map(({ args }) => args[0]!).filter((command) => !questions.test(command));

  async function expectTemplate(expected = ['eksdRelease:kubernetes-1-34-eks-4', 'os:ubuntu']): Promise<void> {
    expect(await machines()).toEqual([template]);
    expect((await vcsim.govc('object.collect', '-s', template, 'config.template')).trim()).toBe('true');
    expect(await vcsim.govc('snapshot.tree', '-dc', 'DC0', '-vm', template)).toContain('root');
    const tags = (await vcsim.govc('tags.attached.ls', '-r', template)).trim().split('\n');
    expect(tags.sort()).toEqual(expected);
  }

  it('are promised by the preflight, which changes nothing, and are there afterwards', async () => {
    const findings = await preflight(specAfter(), contextWith({ file }));
    expect(told(findings).filter((one) => !one.startsWith('warning'))).toEqual([]);
    expect(findings.map(({ message }) => message)).toContain(
      `there is no template ${template}; it will be imported from ${file}`,
    );
    expect(changes()).toEqual([]);
    await vsphere.prepareAssets(specAfter(), contextWith({ file }));
    await expectTemplate();
    expect(await preflight(specAfter(), contextWith())).toEqual([]);
    expect(
      await preflight(
        specAfter(({ plane }) => Object.assign(plane, { cloneMode: 'linkedClone', diskGiB: 20 })),
        contextWith(),
      ),
    ).toEqual([]);
  });

  it('are imported once, and then need their OVA no more', async () => {
    await vsphere.prepareAssets(specAfter(), contextWith({ file }));
    runs = [];
    const gone = { file: join(folder.path, 'gone.ova') };
    expect(await preflight(specAfter(), contextWith(gone))).toEqual([]);
    await vsphere.prepareAssets(specAfter(), contextWith(gone));
    expect(changes()).toEqual([]);
  });

  it('keep what the preflight asks of them: another Kubernetes, another system, a larger disk', async () => {
    await writeOva(file, { properties: { KUBERNETES_SEMVER: 'v1.33.1', DISTRO_NAME: 'rhel' }, capacityGiB: 40 });
    const expected = [
      'problem vsphere.template-disk',
      'problem vsphere.template-os',
      'problem vsphere.template-version',
    ];
    const problems = (findings: Finding[]): string[] => [
      ...new Set(told(findings.filter(({ status }) => status === 'problem'))),
    ];
    expect(problems(await preflight(specAfter(), contextWith({ file })))).toEqual(expected);
    await vsphere.prepareAssets(specAfter(), contextWith({ file }));
    expect(problems(await preflight(specAfter(), contextWith())), 'by its tags').toEqual(expected);
  });

  describe('broken off', () => {
    class Killed extends Error {}

    /** A context whose worker is killed after a command that changes something, by its place among those or its name. */
    function killedAfter(place: number | string): ProviderContext {
      const context = contextWith({ file });
      let seen = 0;
      return {
        ...context,
        run: async (command, args, options) => {
          const output = context.run(command, args, options);
          if (questions.test(args[0]!) || ![seen++, args[0]].includes(place)) return output;
          // nobody hears how it ended
          await output.catch(() => undefined);
          throw new Killed(args[0]);
        },
      };
    }

    it('after any command, they are no template before the last, and come about with one more try', async () => {
      await empty();
      await writeOva(file, { properties: {} });
      await vsphere.prepareAssets(specAfter(), contextWith({ file }));
      const commands = changes();
      expect(commands).toEqual([
        ...['folder.create', 'import.ova', 'snapshot.create'],
        ...['tags.category.create', 'tags.create', 'tags.attach', 'vm.markastemplate', 'object.rename'],
      ]);
      for (const [index, command] of commands.entries()) {
        await empty();
        await expect(vsphere.prepareAssets(specAfter(), killedAfter(index)), command).rejects.toThrow(Killed);
        expect((await machines()).includes(template), command).toBe(command === 'object.rename');
        runs = [];
        await vsphere.prepareAssets(specAfter(), contextWith({ file }));
        await expectTemplate(['os:ubuntu']);
        // without the snapshot nothing says that the upload was complete
        const again = index < commands.indexOf('snapshot.create');
        expect(changes().includes('import.ova'), `uploaded again after ${command}`).toBe(again);
      }
    });

    it('in the middle of the upload, half of it is removed and it is uploaded again', async () => {
      const half = join(folder.path, 'half.ova');
      await copyFile(file, half);
      await truncate(half, 50_000);
      const context = contextWith({ file });
      const broken = vsphere.prepareAssets(specAfter(), {
        ...context,
        run: (command, args, options) =>
          context.run(command, args[0] === 'import.ova' ? [...args.slice(0, -1), half] : args, options),
      });
      await expect(broken, 'tried again by itself').rejects.toMatchObject({
        problem: { type: 'ConnectionFailed', side: 'cluster', subject: file },
      });
      expect(await machines()).toEqual([
        expect.stringMatching(/^\/DC0\/vm\/Images\/ubuntu-2204-kube-v1.34-sealift-[0-9a-f]{8}-[0-9a-f]{8}$/),
      ]);
      runs = [];
      await vsphere.prepareAssets(specAfter(), contextWith({ file }));
      expect(changes().slice(0, 2)).toEqual(['object.destroy', 'import.ova']);
      await expectTemplate();
    });

    it('by a cancel, the upload is ended', async () => {
      await writeOva(file, { disk: streamOptimized(1024 ** 2) });
      const cancelled = new Error('cancelled');
      const context = contextWith({ file });
      const isUploading = (): boolean => runs.some(({ args }) => args[0] === 'import.ova');
      const run: ProviderContext['run'] = (command, args, options) =>
        // as long as a slow line takes
        args[0] === 'import.ova'
          ? (runs.push({ command, args }), context.run('sleep', ['60'], options))
          : context.run(command, args, options);
      const alive = (): void => {
        if (isUploading()) throw cancelled;
      };
      await expect(vsphere.prepareAssets(specAfter(), { ...context, run, alive })).rejects.toBe(cancelled);
    });

    it('with another OVA, what that has left is removed, and nothing of another cluster', async () => {
      for (const name of ['prod', 'other']) {
        const killed = killedAfter('vm.markastemplate');
        await expect(vsphere.prepareAssets({ ...specAfter(), name }, killed)).rejects.toThrow(Killed);
      }
      const left = await machines();
      expect(left).toHaveLength(2);
      await writeOva(file, { capacityGiB: 21 });
      await vsphere.prepareAssets(specAfter(), contextWith({ file }));
      const now = await machines();
      expect(now).toContain(template);
      expect(now.filter((path) => left.includes(path))).toHaveLength(1);
    });
  });

  it('are imported by two clusters at the same time', async () => {
    const specs = [specAfter(), { ...specAfter(), name: 'other' }];
    await Promise.all(
      specs.map(async (spec) => {
        await using scratch = await temporaryFolder('vsphere');
        await vsphere.prepareAssets(spec, { ...contextWith({ file }), scratch: scratch.path });
      }),
    );
    await expectTemplate();
  });

  it.each<[string, () => Promise<void>, RegExp]>([
    [
      'is damaged',
      () =>
        writeOva(file, {
          change: (entries) => [
            ...entries.slice(0, 2),
            { name: entries[2]!.name, bytes: streamOptimized().fill(1, 60_000) },
          ],
        }),
      /its manifest says/,
    ],
    ['has no streamOptimized disk', () => writeOva(file, { disk: Buffer.alloc(65_536) }), /no streamOptimized disk/],
    ['is something else', () => writeFile(file, 'something else'), /no tar/],
  ])('are not begun with when the OVA %s', async (_name, spoil, message) => {
    await spoil();
    const findings = await preflight(specAfter(), contextWith({ file }));
    expect(told(findings)).toEqual(['problem vsphere.ova']);
    expect(findings[0]?.message).toMatch(message);
    await expect(vsphere.prepareAssets(specAfter(), contextWith({ file }))).rejects.toMatchObject({
      problem: { type: 'ValidationFailed', subject: file, message: expect.stringMatching(message) as string },
    });
    expect(changes().filter((command) => command !== 'folder.create')).toEqual([]);
  });

  it('need an OVA that is clearly theirs', async () => {
    const two = specAfter(({ worker }) => (worker.template = 'other-kube-v1.34'));
    const messages = async (spec: ClusterSpec, ...ovas: OvaFile[]): Promise<string[]> =>
      (await preflight(spec, contextWith(...ovas)))
        .filter(({ id }) => id === 'vsphere.ova')
        .map(({ message }) => message);
    expect(await messages(two, { file })).toEqual([expect.stringContaining('may be for any of the templates')]);
    expect(await messages(two, { file, template: 'none' })).toEqual([expect.stringContaining('no machine config has')]);
    expect(await messages(specAfter(), { file }, { file })).toEqual([expect.stringContaining('two OVAs for')]);
    await expect(vsphere.prepareAssets(two, contextWith({ file }))).rejects.toThrow(/may be for any/);
    const both = [
      { file, template },
      { file, template: 'other-kube-v1.34' },
    ];
    expect(await messages(two, ...both)).toEqual([]);
    await vsphere.prepareAssets(two, contextWith(...both));
    expect(await machines()).toEqual([template, '/DC0/vm/other-kube-v1.34']);
  });

  it.each([
    ['a pattern', '/DC0/vm/Images/*none', 'problem vsphere.template-name'],
    ['a folder', '/DC0/vm/Kubernetes', 'problem vsphere.template-name'],
    ['too long', `/DC0/vm/${'a'.repeat(54)}`, 'problem vsphere.template-name'],
    ['of a virtual machine', '/DC0/vm/Kubernetes/plain-kube-v1.34', 'problem vsphere.template-kind'],
  ])('have no name that is %s', async (_name, wrong, expected) => {
    await makeTemplate(vcsim, { path: '/DC0/vm/Kubernetes/plain-kube-v1.34', diskGiB: 20, template: false });
    const spec = specInVcsim(vcsim, wrong);
    expect(told(await preflight(spec, contextWith({ file })))).toContain(expected);
  });

  it('need room on the datastore', async () => {
    await writeOva(file, { populatedBytes: 3 * 1024 ** 4 });
    expect(told(await preflight(specAfter(), contextWith({ file })))).toContain('problem vsphere.datastore-full');
  });

  it('need privileges beside those of machines', async () => {
    await using front = await withoutPrivileges(vcsim, ['VApp.Import', 'InventoryService.Tagging.CreateTag']);
    const spec = specInVcsim({ ...vcsim, server: front.server }, template);
    const messages = (await preflight(spec, contextWith({ file }))).map(({ message }) => message);
    expect(messages).toContainEqual(
      expect.stringContaining('lacks privileges on /DC0/host/DC0_C0/Resources: VApp.Import'),
    );
    expect(messages).toContainEqual(
      expect.stringContaining('lacks privileges on /: InventoryService.Tagging.CreateTag'),
    );
  });
});
