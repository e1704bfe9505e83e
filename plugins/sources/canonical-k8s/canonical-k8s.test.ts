import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceContext, SourceSelection } from '../../../contracts/source-plugin.ts';
import { createSourceContext } from '../../../core/sources/context.ts';
import { readLocal } from '../../../core/sources/read-local.ts';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { findTool, samplesFolder, temporaryFolder, type TemporaryFolder } from '../../../test/helpers/paths.ts';
import { makeSnap, revisionAssertion } from '../../../test/helpers/snaps.ts';
import { canonicalK8s } from './index.ts';

const noSquashfs = (await findTool('mksquashfs')) === undefined;
let folder: TemporaryFolder;
let k8s: string;
const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder('snaps');
  if (noSquashfs) return;
  await mkdir(at('snaps'));
  k8s = await makeSnap(at('snaps'), { name: 'k8s', base: 'core22', images: ['ghcr.io/canonical/coredns:1.12.0-ck1'] });
  await makeSnap(at('snaps'), { name: 'core22' });
});

afterAll(() => folder.remove());

function select(files: string[], options?: Record<string, string[]>): SourceSelection {
  return {
    ...{ source: 'canonical-k8s', files, kubeVersions: [], providers: [] },
    ...(options === undefined ? {} : { options }),
  };
}

/** The real context; `run` answers as a machine with that snapd would. */
function context(run?: SourceContext['run']): SourceContext & { warnings: string[] } {
  const warnings: string[] = [];
  const real = createSourceContext({
    read: (location) => readLocal(location, 'source'),
    warn: (message) => warnings.push(message),
    scratch: at('scratch'),
  });
  return { ...real, ...(run === undefined ? {} : { run }), warnings };
}

describe('canonical-k8s', () => {
  it('recognises lists of mostly Canonical images, snaps and assertions', () => {
    expect(canonicalK8s.recognises('ghcr.io/canonical/a:1\nghcr.io/canonical/b:1\nr.test/c:1\n')).toBe(true);
    expect(canonicalK8s.recognises('ghcr.io/canonical/a:1\nr.test/b:1\n')).toBe(false);
    expect(canonicalK8s.recognises('hsqs\u0000\u0001')).toBe(true);
    expect(canonicalK8s.recognises('type: snap-revision\nauthority-id: x\n')).toBe(true);
    expect(canonicalK8s.recognises('type: list\n- a\n')).toBe(false);
    expect(canonicalK8s.recognises('')).toBe(false);
  });

  it('lists the documented output of `k8s list-images`', async ({ skip }) => {
    const sample = join(samplesFolder, 'canonical-k8s/images.txt');
    const text = await readFile(sample, 'utf8').catch(() => skip(`${sample} is not there`));
    const { items } = await canonicalK8s.list(select([sample]), memoryContext({ [sample]: text }));
    expect(items.map(({ reference }) => reference)).toEqual(text.trim().split('\n').sort());
  });

  it('refuses a snap by URL and an option without its partner', async () => {
    await expect(canonicalK8s.list(select(['https://h.test/k8s.snap']), context())).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { remedy: expect.stringContaining('fetch') },
    });
    await expect(canonicalK8s.list(select([], { channel: ['1.36/stable'] }), context())).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { remedy: expect.stringContaining('snap=k8s') },
    });
    for (const snap of ['--help', '../k8s', 'K8S']) {
      await expect(canonicalK8s.list(select([], { snap: [snap] }), context())).rejects.toMatchObject({
        type: 'InvalidInput',
      });
    }
  });

  it('says what to do where there is no snapd', async () => {
    const listing = canonicalK8s.list(
      select([], { snap: ['k8s'], channel: ['1.36-classic/stable'] }),
      context(() => Promise.resolve(undefined)),
    );
    await expect(listing).rejects.toMatchObject({
      type: 'ToolMissing',
      problem: { remedy: expect.stringContaining('snap download k8s --channel=1.36-classic/stable --basename k8s') },
    });
  });
});

// mksquashfs comes with unsquashfs
describe.skipIf(noSquashfs)('canonical-k8s from snaps (apt-get install squashfs-tools)', () => {
  it('takes the images in the snap, and snaps and assertions as files', async () => {
    const used = context();
    const { items } = await canonicalK8s.list(select([], { folder: [at('snaps')] }), used);
    const sha256 = createHash('sha256')
      .update(await readFile(k8s))
      .digest('hex');
    expect(items.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      ...['file core22.assert', 'file core22.snap', 'file k8s.assert', 'file k8s.snap'],
      'image coredns',
    ]);
    expect(items[3]).toEqual({
      kind: 'file',
      name: 'k8s.snap',
      reference: pathToFileURL(k8s).href,
      checksums: { sha256 },
      package: 'snap',
      foundAt: 'k8s.snap',
    });
    expect(used.warnings).toEqual([]);
  });

  it('finds the assertions beside a snap, and warns of a base that is not given', async () => {
    const used = context();
    const { items } = await canonicalK8s.list(select([k8s]), used);
    expect(items.map(({ name }) => name)).toEqual(['k8s.assert', 'k8s.snap', 'coredns']);
    expect(used.warnings).toEqual([expect.stringContaining('core22')]);
  });

  it('warns of a snap without assertions, and of assertions without a snap', async () => {
    await mkdir(at('alone'));
    const snap = await makeSnap(at('alone'), { name: 'core22', assertion: false });
    const used = context();
    await canonicalK8s.list(select([snap, at('snaps/k8s.assert')]), used);
    expect(used.warnings).toEqual([
      expect.stringContaining('--dangerous'),
      expect.stringContaining('carried unchecked'),
      expect.stringContaining('no image is listed'),
    ]);
  });

  it.each([
    ['snap-sha3-384', { sha3: Buffer.alloc(48).toString('base64url') }],
    ['snap-size', { size: 1 }],
  ])('refuses a snap whose assertion has another %s, naming both', async (header, lie) => {
    await mkdir(at(header));
    const snap = await makeSnap(at(header), { name: 'k8s' });
    await writeFile(at(`${header}/k8s.assert`), await revisionAssertion(snap, lie));
    await expect(canonicalK8s.list(select([snap]), context())).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: {
        subject: expect.stringMatching(new RegExp(`${header}/k8s\\.assert:[0-9]+$`)),
        message: expect.stringMatching(new RegExp(`k8s\\.snap.*${header}`)),
        remedy: expect.stringContaining('download'),
      },
    });
  });

  it('refuses assertions that say nothing of a snap, and a file that is no snap', async () => {
    await mkdir(at('odd'));
    const snap = await makeSnap(at('odd'), { name: 'k8s', assertion: false });
    await writeFile(at('odd/k8s.assert'), 'type: account\nauthority-id: x\n\nAcLB\n');
    await expect(canonicalK8s.list(select([snap]), context())).rejects.toMatchObject({
      problem: { subject: expect.stringContaining('k8s.assert:1'), message: expect.stringContaining('snap-revision') },
    });
    await writeFile(at('odd/text.snap'), 'not a snap');
    await expect(canonicalK8s.list(select([at('odd/text.snap')]), context())).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: at('odd/text.snap') },
    });
  });

  it('downloads a snap and the base it runs on', async () => {
    const asked: string[] = [];
    const used = context(async (command, args, { cwd = '' } = {}) => {
      asked.push([command, ...args].join(' '));
      const name = args[1] ?? '';
      await makeSnap(cwd, name === 'k8s' ? { name, base: 'core22', images: ['ghcr.io/canonical/a:1'] } : { name });
      return '';
    });
    const options = { snap: ['k8s'], channel: ['1.36-classic/stable'] };
    const { items } = await canonicalK8s.list(select([], options), used);
    expect(asked).toEqual([
      'snap download k8s --channel=1.36-classic/stable --basename=k8s',
      'snap download core22 --basename=core22',
    ]);
    expect(items.map(({ name }) => name)).toEqual(['core22.assert', 'core22.snap', 'k8s.assert', 'k8s.snap', 'a']);
    expect(used.warnings).toEqual([]);
  });
});
