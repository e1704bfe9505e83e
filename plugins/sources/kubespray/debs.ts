import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourceSelection } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { architectures } from './checkout.ts';
import { downloadUrl, lastSegment } from './lists.ts';
import { optionError, optionValues, pathOption } from './options.ts';

const PACKAGE = /^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$/;
/** A line of `apt-get --print-uris`: 'URI' file size digest. */
const PRINTED = /^'([^']+)' (\S+) \d+ SHA256:([0-9a-f]{64})$/;

const debianNames: Readonly<Record<string, string>> = { arm: 'armhf', '386': 'i386', ppc64le: 'ppc64el' };

/** Packages to be carried: what the operator named must be there, what only may be needed is warned about. */
export interface WantedPackages {
  named: readonly string[];
  perhaps: readonly string[];
}

/**
 * Debian packages with everything they depend on, resolved by the real apt from the sources that were given, in folders of
 * its own: nothing of this machine's package state counts. Recommended packages are left out.
 * @throws SealiftError InvalidInput, FileMissing, ToolMissing, ToolFailed
 */
export async function debItems(
  wanted: WantedPackages,
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceItem[]> {
  for (const name of wanted.named) {
    if (PACKAGE.test(name)) continue;
    throw optionError(selection, 'deb-packages', `"${name}" is no package name`, 'write NAME or NAME=VERSION');
  }
  const sources = await readSources(selection, context);
  const items: SourceItem[] = [];
  for (const arch of architectures(selection)) {
    const apt = await isolatedApt(arch, sources, context);
    await apt(['update']);
    for (const { url, hex } of await resolve(wanted, apt, context)) {
      items.push({
        kind: 'file',
        name: lastSegment(decodeURIComponent(new URL(url).pathname)),
        reference: url,
        checksums: { sha256: hex },
        package: 'deb',
        platforms: [`linux/${arch}`],
        foundAt: `apt (${arch})`,
      });
    }
  }
  return items;
}

interface Printed {
  url: string;
  hex: string;
}

type Apt = (args: readonly string[]) => Promise<string>;

// In one go when that works; else one by one, since packages that are alternatives of each other cannot be installed together.
async function resolve({ named, perhaps }: WantedPackages, apt: Apt, context: SourceContext): Promise<Printed[]> {
  const together = await attempt(() => printUris([...named, ...perhaps], apt));
  if (!(together instanceof SealiftError)) return together;
  const found: Printed[] = [];
  for (const name of named) found.push(...(await printUris([name], apt)));
  for (const name of perhaps) {
    const printed = await attempt(() => printUris([name], apt));
    if (printed instanceof SealiftError) {
      context.warn(`${name} is left out, though Kubespray may ask for it: ${printed.problem.message}`);
    } else found.push(...printed);
  }
  return found;
}

async function attempt(task: () => Promise<Printed[]>): Promise<Printed[] | SealiftError> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof SealiftError && error.type === 'ToolFailed') return error;
    throw error;
  }
}

async function printUris(packages: readonly string[], apt: Apt): Promise<Printed[]> {
  const printed = await apt(['install', '--print-uris', '--yes', '-qq', '--', ...packages]);
  const lines = printed.split('\n').filter((line) => line.startsWith("'"));
  return lines.map((line) => {
    const [, uri = '', , hex = ''] = PRINTED.exec(line) ?? [];
    const position = { file: 'apt-get install --print-uris' };
    if (uri === '') throw inputError(position, `${line} names no SHA256`, { remedy: 'use a repository with SHA256' });
    const url = new URL(uri).href;
    return { url: url.startsWith('file:') ? url : downloadUrl(url, position).href, hex };
  });
}

interface Sources {
  path: string;
  text: string;
  keys?: { path: string; bytes: Uint8Array };
}

async function readSources(selection: SourceSelection, context: SourceContext): Promise<Sources> {
  const file = pathOption(selection, 'deb-sources');
  if (file === undefined) {
    throw optionError(selection, 'deb-sources', 'is needed to resolve packages', 'name a file with the apt sources');
  }
  const text = decodeText(file, await context.read(file));
  text.split('\n').forEach((line, index) => {
    if (!/:\/\/[^\s/]*@/.test(line)) return;
    const remedy = 'leave them out: what a source states travels in the bundle';
    throw inputError({ file, line: index + 1 }, 'the line holds credentials', { remedy });
  });
  const keyring = pathOption(selection, 'deb-keys');
  const path = /^Types:/im.test(text) ? 'sources.list.d/given.sources' : 'sources.list';
  if (keyring === undefined) return { path, text };
  const bytes = await context.read(keyring);
  const armored = Buffer.from(bytes.subarray(0, 5)).toString('latin1') === '-----';
  return { path, text, keys: { path: `trusted.gpg.d/given.${armored ? 'asc' : 'gpg'}`, bytes } };
}

async function isolatedApt(arch: string, { path, text, keys }: Sources, context: SourceContext): Promise<Apt> {
  const root = join(await context.scratch(), `apt-${arch}`);
  const folders = ['state/lists/partial', 'cache/archives/partial'];
  const etc = ['sources.list.d', 'preferences.d', 'apt.conf.d', 'trusted.gpg.d', 'auth.conf.d'];
  for (const folder of [...folders, ...etc.map((name) => `etc/${name}`)]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await writeFile(join(root, 'status'), '');
  await writeFile(join(root, 'etc', path), text);
  if (keys !== undefined) await writeFile(join(root, 'etc', keys.path), keys.bytes);
  const configuration = join(root, 'apt.conf');
  await writeFile(configuration, aptConfiguration(root, debianNames[arch] ?? arch));
  return async (args) => {
    const output = await context.run('apt-get', args, { env: { APT_CONFIG: configuration, LC_ALL: 'C.UTF-8' } });
    if (output !== undefined) return output;
    throw new SealiftError('ToolMissing', {
      side: 'source',
      operation: 'run',
      subject: 'apt-get',
      message: 'OS packages are resolved by apt, and there is none on this machine',
      remedy: 'run the export on a Debian or Ubuntu machine, of any release',
    });
  };
}

// APT_CONFIG is read before the files of /etc/apt, which this moves away (apt.conf(5)).
function aptConfiguration(root: string, architecture: string): string {
  const settings = {
    'Dir::Etc': join(root, 'etc'),
    'Dir::State': join(root, 'state'),
    'Dir::State::status': join(root, 'status'),
    'Dir::Cache': join(root, 'cache'),
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Install-Recommends': 'false',
    'APT::Update::Error-Mode': 'any',
    // the scratch folder is the worker's own: a user of apt's could not write there
    'APT::Sandbox::User': 'root',
    'Acquire::ForceHash': 'SHA256',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} "${value}";\n`)
    .join('');
}

/** Packages that were named, as against those that system_packages.yml asks for. */
export function namedPackages(selection: SourceSelection): string[] {
  return optionValues(selection, 'deb-packages');
}
