import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WrittenTree } from '../../contracts/operations.ts';
import { isolatedApt } from '../helpers/apt.ts';
import { generateSigningKey, type SigningKey } from '../helpers/gpg.ts';
import { buildChart, buildDeb, buildWheel, writeFileBundle, type SampleFile } from '../../core/trees/testing.ts';
import { startFileServer } from '../helpers/file-server.ts';
import { findTool, requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { startRegistry } from '../helpers/registry.ts';
import { createSealiftHome, runSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { smallDisk, smallDiskUnavailable } from '../helpers/small-disk.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';
import { treeContents } from '../helpers/tree-contents.ts';

// One bundle laid out in folders, and what the far side's own clients make of them; they are shown no other source.

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let bundle: string;
let files: SampleFile[];
let imported: Record<string, unknown>;
const at = (...names: string[]): string => join(folder.path, ...names);
let signer: SigningKey;

beforeAll(async () => {
  folder = await temporaryFolder('trees');
  temporal = await startTemporal();
  signer = await generateSigningKey(at('gnupg'));
  home = await createSealiftHome({ ...temporal.env, ...signer.env });
  files = await sampleFiles();
  bundle = await writeFileBundle(at('bundle.tar'), files);
  imported = await layOut('far');
});

afterAll(async () => {
  await signer?.stop();
  await home?.remove();
  await temporal?.stop();
  await folder?.remove();
});

async function sampleFiles(): Promise<SampleFile[]> {
  const deb = (fields: Record<string, string>, path: string): Promise<Uint8Array> =>
    buildDeb(folder.path, { Architecture: 'all', ...fields }, { files: { [path]: 'from the far side\n' } });
  const lib = await deb({ Package: 'sealift-lib', Version: '1:1.0-1' }, 'usr/share/sealift/lib');
  const app = await deb(
    { Package: 'sealift-app', Version: '2.0', Depends: 'sealift-lib (>= 1:1.0)' },
    'usr/share/sealift/app',
  );
  const wheels = [
    await buildWheel(folder.path, { name: 'sealift_lib', version: '1.2' }),
    await buildWheel(folder.path, { name: 'sealift_app', version: '3.0', requires: ['Sealift.Lib>=1'] }),
  ];
  return [
    { reference: 'https://deb.example/pool/sealift-lib_1%3a1.0-1_all.deb', bytes: lib, package: 'deb' },
    { reference: 'https://deb.example/pool/sealift-app_2.0_all.deb', bytes: app, package: 'deb' },
    ...wheels.map(({ name, bytes }) => ({
      reference: `https://py.example/${name}`,
      bytes,
      package: 'python' as const,
    })),
    { reference: 'https://charts.example/demo-1.0.0.tgz', bytes: buildChart('demo', '1.0.0'), package: 'helm' },
    { reference: 'registry.example/charts/demo:1.1.0', bytes: buildChart('demo', '1.1.0'), chart: true },
    { reference: 'file:///near/side/a.charm', bytes: Buffer.from('a charm'), package: 'charm' },
    ...Array.from({ length: 3 }, (_, index) => ({
      reference: `https://dl.example/release/v1/large-${index}`,
      bytes: randomBytes(48 * 1024 * 1024),
    })),
  ];
}

function layOutArgs(below: string): string[] {
  const folders = ['files', 'charms', 'deb', 'pypi', 'helm'].flatMap((tree) => [`--${tree}-dir`, at(below, tree)]);
  return ['import', 'artifacts', '--input', bundle, ...folders, '--deb-signing-key', signer.name];
}

function layOut(below: string): Promise<Record<string, unknown>> {
  return sealiftJson(home, 'import', layOutArgs(below));
}

describe('an import into folders', () => {
  it('needs no registry, and says how many files it wrote', () => {
    const trees = imported['trees'] as WrittenTree[];
    expect(imported).toMatchObject({ registry: '', registryMirrorConfiguration: '', warnings: [] });
    expect(trees.map(({ tree, written, unchanged }) => [tree, written, unchanged])).toEqual([
      ['files', 9, 0],
      ['charms', 1, 0],
      ['deb', 5, 0],
      ['pypi', 8, 0],
      ['helm', 3, 0],
    ]);
  });

  it('puts files under their host and path, byte by byte', async () => {
    const contents = await treeContents(at('far/files'));
    for (const { reference, bytes } of files.filter(({ reference }) => reference.startsWith('https://dl.example/'))) {
      const digest = createHash('sha256').update(bytes).digest('hex');
      expect(contents.get(reference.slice('https://'.length)), reference).toBe(digest);
    }
    expect((await stat(at('far/files/local/a.charm'))).mode & 0o777).toBe(0o644);
  });

  it('writes nothing when it is done again, and mends what was altered', async () => {
    const before = await stat(at('far/deb/InRelease'));
    await writeFile(at('far/charms/a.charm'), 'A charm');
    const again = (await layOut('far'))['trees'] as WrittenTree[];
    expect(again.map(({ written }) => written)).toEqual([0, 1, 0, 0, 0]);
    expect(await readFile(at('far/charms/a.charm'), 'utf8')).toBe('a charm');
    expect((await stat(at('far/deb/InRelease'))).mtimeMs).toBe(before.mtimeMs);
  });

  it('comes to the same after kill -9 in the middle', async () => {
    // as soon as the first file is under way
    const begun = async (): Promise<boolean> => {
      const staged = (await readdir(at('killed/files')).catch(() => [])).find((name) => name.startsWith('.sealift-'));
      return staged !== undefined && (await readdir(at('killed/files', staged)).catch(() => [])).length > 0;
    };
    const cut = await runSealift(layOutArgs('killed'), { home, kill: { when: begun, victims: /sealift/ } });
    expect(cut.killed, cut.stderr).toBe(true);
    expect(existsSync(at('killed/helm/index.yaml')), 'an index before its time').toBe(false);
    await layOut('killed');
    expect(await readdir(at('killed/files'))).toEqual(await readdir(at('far/files')));
    expect(await treeContents(at('killed'))).toEqual(await treeContents(at('far')));
  });

  it('goes along with one into a registry', async () => {
    await using registry = await startRegistry({ kind: 'distribution' });
    const args = ['--input', bundle, '--registry', registry.host, '--charms-dir', at('both')];
    const result = await sealiftJson(home, 'import', ['import', 'artifacts', ...args]);
    expect(result).toMatchObject({ registry: registry.host, trees: [{ tree: 'charms', written: 1 }] });
    expect(await readdir(at('both'))).toEqual(['a.charm']);
  });

  it('does not follow a symbolic link out of its folder', async () => {
    await mkdir(at('linked'));
    await mkdir(at('outside'));
    await symlink(at('outside'), at('linked/dl.example'));
    const args = ['import', 'artifacts', '--input', bundle, '--files-dir', at('linked'), '--on-failure', 'fail'];
    const failure = await sealiftJson(home, 'failure', args, { code: 5 });
    expect(JSON.stringify(failure['problems'])).toContain('a symbolic link');
    expect(await readdir(at('outside'))).toEqual([]);
  });

  it('begins nothing where there is no room for all of it', async ({ skip }) => {
    const unavailable = await smallDiskUnavailable();
    if (unavailable !== undefined) return skip(unavailable);
    const disk = await smallDisk(8 * 1024 * 1024);
    try {
      const [far, helm] = [join(disk.path, 'files'), join(disk.path, 'helm')];
      const folders = ['--files-dir', far, '--helm-dir', helm, '--charms-dir', at('roomy')];
      const args = ['import', 'artifacts', '--input', bundle, ...folders, '--on-failure', 'fail'];
      const { problems } = await sealiftJson(home, 'failure', args, { code: 5 });
      expect(problems).toEqual([expect.objectContaining({ type: 'DiskFull', subject: `${far} and ${helm}` })]);
      expect([await readdir(disk.path), existsSync(at('roomy'))]).toEqual([[], false]);
    } finally {
      await disk.unmount();
    }
  });
});

describe('inspect', () => {
  it('shows what is in the bundle, as JSON and as a table', async () => {
    const contents = await sealiftJson(home, 'inspect', ['inspect', bundle]);
    const items = contents['items'] as { reference: string; size: number }[];
    expect(items.map(({ reference }) => reference)).toEqual(files.map(({ reference }) => reference));
    expect(contents).toMatchObject({
      digest: imported['bundle'],
      bySource: [{ name: 'sample', items: files.length }],
      byPackage: [{ name: 'charm' }, { name: 'deb', items: 2 }, { name: 'helm' }, { name: 'python', items: 2 }],
    });
    const { stdout } = await runSealift(['inspect', bundle], { home });
    for (const { reference } of files) expect(stdout).toContain(reference);
    expect(stdout).toMatch(/^deb +2 +\S+ \S+$/m);
  });
});

describe('the far side', () => {
  it('installs a package and what it depends on with apt', async () => {
    const root = at('root');
    const key = at('far/deb/sealift-archive-keyring.asc');
    const apt = await isolatedApt(root, `deb [signed-by=${key}] file://${at('far/deb')} ./`);
    const updated = await apt('--error-on=any', 'update');
    expect(updated).toContain('InRelease');
    if (process.getuid?.() !== 0) {
      console.warn('only root unpacks packages: they were downloaded, not installed');
      await apt('--yes', '--download-only', 'install', 'sealift-app');
      return;
    }
    await apt('--yes', 'install', 'sealift-app');
    for (const name of ['app', 'lib']) {
      expect(await readFile(join(root, 'usr/share/sealift', name), 'utf8')).toBe('from the far side\n');
    }
  });

  it('installs Python packages with pip', async () => {
    await writeFile(at('requirements.txt'), 'sealift-app==3.0\n');
    const index = ['--index-url', `file://${at('far/pypi/simple')}`];
    const target = ['--target', at('python'), '--no-cache-dir', '--disable-pip-version-check'];
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder.path, PIP_CONFIG_FILE: '/dev/null' };
    const python = await requireTool('python3');
    await runOk(python, ['-m', 'pip', 'install', '-r', at('requirements.txt'), ...index, ...target], { env });
    const program = 'import sealift_app, sealift_lib; print(sealift_app.version, sealift_lib.version)';
    const printed = await runOk(python, ['-c', program], { env: { ...env, PYTHONPATH: at('python') } });
    expect(printed.trim()).toBe('3.0 1.2');
  });

  it('adds, pulls and renders charts with helm', async () => {
    const found = await findTool('helm');
    if (found === undefined) throw new Error('helm is not there: run `make setup`');
    await using server = await startFileServer(at('far/helm'));
    const helm = (...args: string[]): Promise<string> =>
      runOk(found, args, { env: { ...home.env, HOME: at('helm-home') } });
    await helm('repo', 'add', 'far', server.url);
    for (const version of ['1.0.0', '1.1.0']) {
      await helm('pull', 'far/demo', '--version', version, '--destination', folder.path);
      expect(await helm('template', at(`demo-${version}.tgz`))).toContain(`chart: "${version}"`);
    }
  });
});
