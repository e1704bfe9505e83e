import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourceSelection } from '../../../contracts/source-plugin.ts';
import { inputError, type InputPosition } from '../../../core/sources/input-error.ts';
import { inVenv, toolMissing } from './checkout.ts';
import { downloadUrl, lastSegment } from './lists.ts';
import { optionError, optionValue, optionValues } from './options.ts';
import { PIP_FOR_TARGET } from './pip.ts';
import { pipReportShape } from './schema.ts';

/** glibc 2.28 and older: Debian 10, Ubuntu 20.04, RHEL 8 and everything after them. */
const DEFAULT_PLATFORM = 'manylinux_2_28_x86_64';
const OLDEST_GLIBC = 5;

const REQUIREMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[A-Za-z0-9._, -]*\])?\s*([=!<>~;].*)?$/;

/** A requirements.txt, read. */
export interface Requirements {
  file: string;
  text: string;
}

/**
 * The wheels that pip would install for a requirements.txt, with everything they depend on, for each Python version and
 * platform that was asked for. pip resolves and builds nothing; the wheels are fetched as all other files are.
 * @throws SealiftError InvalidInput with file and line, ToolMissing, ToolFailed
 */
export async function wheelItems(
  { file, text }: Requirements,
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceItem[]> {
  checkRequirements(file, text);
  const versions = optionValues(selection, 'python-version');
  if (versions.length === 0) {
    throw optionError(selection, 'python-version', `is needed for ${file}`, 'name the Python of your nodes, e.g. 3.11');
  }
  const items: SourceItem[] = [];
  for (const version of versions) {
    if (!/^3\.\d+$/.test(version)) {
      throw optionError(selection, 'python-version', `"${version}" is no Python version`, 'write it as 3.11');
    }
    const platforms = optionValues(selection, 'python-platform');
    for (const platform of platforms.length === 0 ? [DEFAULT_PLATFORM] : platforms) {
      items.push(...(await resolve({ file, text, version, platform }, selection, context)));
    }
  }
  return items;
}

/** Only names with versions: an option, path or URL in the file could make pip build and run what it leads to. */
function checkRequirements(file: string, text: string): void {
  text.split(/\r?\n/).forEach((line, index) => {
    const requirement = line.replace(/(^|\s)#.*$/, '').trim();
    if (requirement === '' || REQUIREMENT.test(requirement)) return;
    throw inputError({ file, line: index + 1 }, `"${requirement}" is not a name with versions`, {
      remedy: 'write NAME==VERSION; other files, indexes and URLs are given as options',
    });
  });
}

async function resolve(
  what: Requirements & { version: string; platform: string },
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceItem[]> {
  const folder = join(await context.scratch(), 'wheels');
  await mkdir(folder, { recursive: true });
  const requirements = join(folder, 'requirements.txt');
  await writeFile(requirements, what.text);
  const program = join(folder, 'pip-for-target.py');
  await writeFile(program, PIP_FOR_TARGET);
  const python = inVenv(selection, 'python3');
  const report = await context.run(
    python,
    [
      ...[
        program,
        what.version,
        machineOf(what.platform),
        'install',
        '--quiet',
        '--no-input',
        '--disable-pip-version-check',
        '--no-cache-dir',
      ],
      ...['--dry-run', '--ignore-installed', '--report', '-', '--target', join(folder, 'nothing')],
      ...['--only-binary', ':all:', '--implementation', 'cp', '--python-version', what.version],
      ...expanded(what.platform).flatMap((platform) => ['--platform', platform]),
      ...indexArguments(selection),
      ...['--requirement', requirements],
    ],
    { cwd: folder },
  );
  if (report === undefined) throw toolMissing(python, 'pip resolves requirements.txt');
  const position = { file: `${what.file} (pip's report)` };
  const { data } = pipReportShape.safeParse(JSON.parse(report));
  if (data === undefined) {
    throw inputError(position, 'it has another form than that of version 1', { remedy: 'use a pip of 23.1 or newer' });
  }
  return data.install.map(({ download_info: { url, archive_info: archive } }) =>
    wheelItem(url, archive?.hashes?.['sha256'], what, position, context),
  );
}

function wheelItem(
  text: string,
  sha256: string | undefined,
  { file, version }: { file: string; version: string },
  position: InputPosition,
  context: SourceContext,
): SourceItem {
  const url = text.startsWith('file:') ? new URL(text) : downloadUrl(text, position);
  url.hash = '';
  const name = lastSegment(decodeURIComponent(url.pathname));
  if (sha256 === undefined) context.warn(`${name} is carried without a checksum: its index states none`);
  return {
    kind: 'file',
    name,
    reference: url.href,
    ...(sha256 === undefined ? {} : { checksums: { sha256 } }),
    package: 'python',
    foundAt: `${lastSegment(file)} (Python ${version})`,
  };
}

function machineOf(platform: string): string {
  return /(x86_64|aarch64|armv7l|ppc64le|s390x|i686)$/.exec(platform)?.[0] ?? 'x86_64';
}

// pip takes a platform literally, while a wheel for an older glibc runs on a newer one (PEP 600).
function expanded(platform: string): string[] {
  const [, glibc, machine] = /^manylinux_2_(\d+)_(\w+)$/.exec(platform) ?? [];
  if (glibc === undefined) return [platform];
  const older = Array.from({ length: Math.max(Number(glibc) - OLDEST_GLIBC + 1, 0) }, (_, age) => Number(glibc) - age);
  const legacy = Number(glibc) >= 17 ? [`manylinux2014_${machine}`] : [];
  return [...older.map((minor) => `manylinux_2_${minor}_${machine}`), ...legacy];
}

function indexArguments(selection: SourceSelection): string[] {
  const index = optionValue(selection, 'pip-index');
  if (index === undefined) return [];
  if (!index.startsWith('file:')) downloadUrl(index, { file: '--source-option pip-index' });
  return ['--index-url', index];
}
