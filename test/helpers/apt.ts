import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireTool } from './paths.ts';
import { runOk } from './processes.ts';

/** The apt of this machine with a root of its own: no package installed, one source, nothing of the machine's configuration. */
export async function isolatedApt(root: string, source: string): Promise<(...args: string[]) => Promise<string>> {
  const folders = ['etc/apt', 'var/lib/apt/lists/partial', 'var/cache/apt/archives/partial', 'var/lib/dpkg/info'];
  for (const path of [...folders, 'var/lib/dpkg/updates', 'var/log/apt'])
    await mkdir(join(root, path), { recursive: true });
  await writeFile(join(root, 'var/lib/dpkg/status'), '');
  await writeFile(join(root, 'etc/apt/sources.list'), `${source}\n`);
  const options = [
    `Dir=${root}`,
    `Dir::State::status=${join(root, 'var/lib/dpkg/status')}`,
    'Dir::Etc::sourceparts=-',
    `Dir::Log=${join(root, 'var/log/apt')}`,
    // a folder of the test is closed to other users
    'APT::Sandbox::User=root',
    'Dir::Bin::methods=/usr/lib/apt/methods',
    `DPkg::Options::=--root=${root}`,
  ].flatMap((option) => ['-o', option]);
  const apt = await requireTool('apt-get');
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', APT_CONFIG: '/dev/null' };
  return (...args) => runOk(apt, [...options, ...args], { env });
}
