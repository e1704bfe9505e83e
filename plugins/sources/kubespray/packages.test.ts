import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import { createSourceContext } from '../../../core/sources/context.ts';
import { readLocal } from '../../../core/sources/read-local.ts';
import { ansibleVenv, hasAnsible } from '../../../test/helpers/ansible.ts';
import { startFileServer, type FileServer } from '../../../test/helpers/file-server.ts';
import { kubespray } from './index.ts';

const run = promisify(execFile);
const hasApt = ['apt-get', 'dpkg-deb', 'apt-ftparchive'].every((name) => existsSync(join('/usr/bin', name)));
if (!hasApt) console.warn('OS packages not tested: apt-get, dpkg-deb and apt-ftparchive are not all on this machine');

let folder: string;
let server: FileServer;
let warnings: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-packages-'));
  await mkdir(join(folder, 'served'));
  server = await startFileServer(join(folder, 'served'));
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function write(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

async function list(files: string[], options: Record<string, string[]>): Promise<SourceItem[]> {
  warnings = [];
  const context = createSourceContext({
    read: (location) => readLocal(location, 'source'),
    warn: (message) => warnings.push(message),
    scratch: await mkdtemp(join(folder, 'scratch-')),
  });
  const selection = { source: 'kubespray', files, kubeVersions: [], providers: [], options };
  return (await kubespray.list(selection, context)).items;
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

describe.runIf(hasApt)('OS packages', () => {
  let sources: string;
  let noFiles: string;

  async function makeDeb(name: string, fields: Record<string, string> = {}): Promise<void> {
    const control = {
      ...{ Package: name, Version: '1:1.0+b1', Architecture: 'amd64', Maintainer: 'nobody <nobody@example.test>' },
      ...{ Description: 'made for a test', ...fields },
    };
    const root = join(folder, 'deb', `${name}-${control.Architecture}`);
    await mkdir(join(root, 'DEBIAN'), { recursive: true });
    const lines = Object.entries(control).map(([field, value]) => `${field}: ${value}\n`);
    await writeFile(join(root, 'DEBIAN/control'), lines.join(''));
    await run('dpkg-deb', ['--root-owner-group', '--build', root, join(folder, 'served/debian')]);
  }

  beforeAll(async () => {
    const repository = join(folder, 'served/debian');
    await mkdir(repository);
    await makeDeb('ipset', { Depends: 'libipset (>= 1:1.0)' });
    await makeDeb('libipset', { Architecture: 'all', Recommends: 'curl' });
    await makeDeb('curl');
    await makeDeb('curl', { Architecture: 'arm64' });
    await makeDeb('chrony', { Provides: 'time-daemon', Conflicts: 'time-daemon' });
    await makeDeb('ntp', { Provides: 'time-daemon', Conflicts: 'time-daemon' });
    const index = await run('apt-ftparchive', ['packages', '.'], { cwd: repository });
    await writeFile(join(repository, 'Packages'), index.stdout);
    const release = await run('apt-ftparchive', ['release', '.'], { cwd: repository });
    await writeFile(join(repository, 'Release'), release.stdout);
    sources = await write('sources.list', `deb [trusted=yes] ${server.url}/debian ./\n`);
    noFiles = await write('one.list', 'h.example.test/a/b:1\n');
  });

  it('are carried with what they depend on and the checksum of the repository, without what they recommend', async () => {
    const items = await list([noFiles], { 'deb-packages': ['ipset'], 'deb-sources': [sources] });
    const debs = items.filter((item) => item.package === 'deb');
    expect(debs.map(({ name }) => name)).toEqual(
      ['ipset_1:1.0+b1_amd64.deb', 'libipset_1:1.0+b1_all.deb'].map(asServed),
    );
    for (const deb of debs) {
      const path = join(folder, 'served', decodeURIComponent(new URL(deb.reference).pathname));
      expect(deb.checksums).toEqual({ sha256: await sha256(path) });
    }
  });

  // dpkg-deb leaves the epoch out of file names
  function asServed(name: string): string {
    return name.replace('1:', '');
  }

  it('are those of system_packages.yml that the release may want, alternatives each by itself', async () => {
    const file = await write(
      'system_packages.yml',
      [
        'pkgs:',
        '  curl: []',
        `  chrony: ["{{ ntp_enabled }}"]`,
        `  ntp: ["{{ ntp_enabled }}"]`,
        `  ipset: ["{{ ansible_os_family != 'RedHat' }}", "{{ 'k8s_cluster' in group_names }}"]`,
        `  nowhere: ["{{ ansible_distribution == 'Debian' }}"]`,
        `  rpm-only: ["{{ ansible_os_family in ['RedHat', 'Suse'] }}"]`,
        `  old-only: ["{{ ansible_os_family == 'Debian' }}", "{{ ansible_distribution_major_version == '10' }}"]`,
        `  suse-or-amazon: ["{{ ansible_os_family == 'Suse' or ansible_distribution in ['Amazon'] }}"]`,
        `  called: ["{{ ansible_os_family == 'Suse' and ansible_distribution_version is version('15.4', '<') }}"]`,
        `  negated: ["{{ not ansible_os_family in ['Flatcar', 'Debian'] }}"]`,
      ].join('\n'),
    );
    const items = await list([file], { 'deb-release': ['bookworm'], 'deb-sources': [sources] });
    expect(items.map(({ name }) => name.replace(/_.*/, ''))).toEqual(['chrony', 'curl', 'ipset', 'libipset', 'ntp']);
    expect(warnings).toEqual([expect.stringMatching(/^nowhere is left out.*/)]);
  });

  it('are resolved for other architectures too', async () => {
    const items = await list([noFiles], { 'deb-packages': ['curl'], 'deb-sources': [sources], arch: ['arm64'] });
    expect(items.filter((item) => item.package === 'deb')).toMatchObject([
      { name: 'curl_1.0+b1_arm64.deb', platforms: ['linux/arm64'] },
    ]);
  });

  it.each([
    ['a package that is not there', { 'deb-packages': ['nothing'] }, 'ToolFailed', 'Unable to locate package nothing'],
    ['an option as a package', { 'deb-packages': ['-oDir=x'] }, 'InvalidInput', 'no package name'],
    ['no sources', { 'deb-packages': ['curl'], 'deb-sources': [] }, 'InvalidInput', 'deb-sources is needed'],
    ['sources without packages', {}, 'InvalidInput', 'no package is named'],
  ])('with %s are refused', async (_, options, type, message) => {
    const listed = list([noFiles], { 'deb-sources': [sources], ...options });
    await expect(listed).rejects.toMatchObject({ type, message: expect.stringContaining(message) });
  });

  it('of a repository that nobody vouches for, or that wants a password, are refused', async () => {
    const unsigned = await write('unsigned.list', `deb ${server.url}/debian ./\n`);
    const options = { 'deb-packages': ['curl'] };
    await expect(list([noFiles], { ...options, 'deb-sources': [unsigned] })).rejects.toMatchObject({
      type: 'ToolFailed',
      message: expect.stringMatching(/not signed/),
    });
    const secret = await write('secret.list', `# mine\ndeb [trusted=yes] http://me:secret@${server.host}/debian ./\n`);
    await expect(list([noFiles], { ...options, 'deb-sources': [secret] })).rejects.toMatchObject({
      problem: { subject: `${secret}:2`, message: expect.not.stringContaining('secret') },
    });
  });
});

describe.runIf(hasAnsible('wheels (pip of its virtual environment)'))('Python wheels', () => {
  const python = join(ansibleVenv, 'bin/python3');
  let index: string;

  beforeAll(async () => {
    const wheels = join(folder, 'served/wheels');
    await mkdir(wheels);
    await makeWheel(wheels, 'tool', '1.0', 'py3-none-any', 'native>=1\nnewer; python_version >= "3.12"');
    await makeWheel(wheels, 'native', '1.0', 'cp311-cp311-manylinux_2_17_x86_64');
    await makeWheel(wheels, 'native', '1.0', 'cp312-cp312-manylinux_2_28_x86_64');
    await makeWheel(wheels, 'native', '2.0', 'cp311-cp311-manylinux_2_99_x86_64');
    await makeWheel(wheels, 'newer', '1.0', 'py3-none-any');
    for (const project of ['tool', 'native', 'newer']) {
      const names = (await readdir(wheels)).filter((name) => name.startsWith(`${project}-`));
      const links = await Promise.all(
        names.map(
          async (name) =>
            `<a href="${server.url}/wheels/${name}#sha256=${await sha256(join(wheels, name))}">${name}</a>`,
        ),
      );
      await mkdir(join(folder, 'served/simple', project), { recursive: true });
      await writeFile(join(folder, 'served/simple', project, 'index.html'), `<!DOCTYPE html>${links.join('')}`);
    }
    index = `file://${join(folder, 'served/simple')}`;
  });

  async function makeWheel(to: string, name: string, version: string, tags: string, requires = ''): Promise<void> {
    const info = `${name}-${version}.dist-info`;
    const metadata = requires.split('\n').map((line) => (line === '' ? '' : `Requires-Dist: ${line}\n`));
    const files = {
      [`${name}.py`]: '',
      [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n${metadata.join('')}`,
      [`${info}/WHEEL`]: `Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: ${tags}\n`,
      [`${info}/RECORD`]: '',
    };
    const program =
      'import json,sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],"w")\n' +
      'for n,c in json.loads(sys.argv[2]).items(): z.writestr(n,c)\nz.close()';
    await run(python, ['-c', program, join(to, `${name}-${version}-${tags}.whl`), JSON.stringify(files)]);
  }

  it('are those that pip would install on each Python, with their checksums', async () => {
    const file = await write('requirements.txt', '# why\ntool==1.0\n');
    const items = await list([file], {
      ...{ venv: [ansibleVenv], 'pip-index': [index], 'python-version': ['3.11,3.12'] },
    });
    expect(items.map(({ name, package: format }) => [name, format])).toEqual([
      ['native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl', 'python'],
      ['native-1.0-cp312-cp312-manylinux_2_28_x86_64.whl', 'python'],
      ['newer-1.0-py3-none-any.whl', 'python'],
      ['tool-1.0-py3-none-any.whl', 'python'],
    ]);
    for (const { name, checksums } of items) {
      expect(checksums).toEqual({ sha256: await sha256(join(folder, 'served/wheels', name)) });
    }
    expect(warnings).toEqual([]);
  });

  it.each([
    ['another index', 'tool==1.0\n--extra-index-url http://x.example.test\n', 2],
    ['an archive to build', 'tool==1.0\n\ntool @ https://x.example.test/tool.tar.gz\n', 3],
    ['a repository to build', 'a==1\nb==1\ngit+https://x.example.test/tool\n', 3],
    ['another file', 'a==1\nb==1\n-r /etc/passwd\n', 3],
  ])('from %s are refused with the line', async (_, text, line) => {
    const file = await write('bad-requirements.txt', text);
    await expect(list([file], { venv: [ansibleVenv], 'python-version': ['3.11'] })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: `${file}:${line}` },
    });
  });

  it('need a Python version, and a wheel for it', async () => {
    const file = await write('requirements.txt', 'native==2.0\n');
    await expect(list([file], {})).rejects.toMatchObject({
      message: expect.stringContaining('python-version is needed'),
    });
    const options = { venv: [ansibleVenv], 'pip-index': [index], 'python-version': ['3.11'] };
    await expect(list([file], options)).rejects.toMatchObject({
      type: 'ToolFailed',
      message: expect.stringContaining('native==2.0'),
    });
  });
});
