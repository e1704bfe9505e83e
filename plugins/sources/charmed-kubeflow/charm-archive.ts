import { basename, join } from 'node:path';
import type { SourceContext } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { inputError } from '../../../core/sources/input-error.ts';

/** What `tar --list --verbose --numeric-owner` says of a regular charm or a folder: mode, owner, size, date, time, name. */
const ENTRY = /^([-d])\S{9}\S* \S+ +(\d+) \S+ \S+ (?:\.\/)?([A-Za-z0-9][A-Za-z0-9._+-]*\.charm|)$/;
/** All charms of a release have a few GB. */
const MAX_UNPACKED = 50_000_000_000;

/**
 * Unpacks `charms.tar.gz`, a flat archive of `.charm` files, into the scratch folder.
 * @returns the paths of the charms
 * @throws SealiftError InvalidInput when it holds anything else, naming the line of its listing; ToolMissing, ToolFailed
 */
export async function unpackCharms(archive: string, context: SourceContext): Promise<string[]> {
  const listing = await tar(['--list', '--verbose', '--numeric-owner', '--file', archive], archive, context);
  const names = charmNames(archive, listing);
  const folder = await context.scratch();
  const only = names.map(({ path }) => path);
  const extract = ['--extract', '--no-same-owner', '--no-same-permissions', '--file', archive, '--directory', folder];
  await tar([...extract, '--', ...only], archive, context);
  return names.map(({ name }) => join(folder, name));
}

function charmNames(archive: string, listing: string): { name: string; path: string }[] {
  const found: { name: string; path: string }[] = [];
  let total = 0;
  for (const [index, line] of listing.split('\n').entries()) {
    if (line === '') continue;
    const [, type, size = '0', name = ''] = ENTRY.exec(line) ?? [];
    if (type === 'd' && name === '') continue;
    if (type !== '-' || name === '') {
      throw inputError({ file: archive, line: index + 1 }, `entry ${index + 1} of the archive is no charm: ${line}`, {
        remedy: 'give a flat archive of .charm files, and images in an archive of their own',
      });
    }
    total += Number(size);
    found.push({ name, path: line.endsWith(` ./${name}`) ? `./${name}` : name });
  }
  if (found.length === 0) throw inputError({ file: archive, line: 1 }, 'the archive holds no charm');
  if (total > MAX_UNPACKED) {
    throw inputError({ file: archive, line: 1 }, `the archive unpacks to ${total} bytes, more than ${MAX_UNPACKED}`);
  }
  return found;
}

async function tar(args: string[], archive: string, context: SourceContext): Promise<string> {
  const output = await context.run('tar', args, { env: { LC_ALL: 'C' } });
  if (output !== undefined) return output;
  throw new SealiftError('ToolMissing', {
    side: 'source',
    operation: 'unpack',
    subject: basename(archive),
    message: 'there is no tar on this machine',
    remedy: 'install tar, or unpack the archive and give the folder',
  });
}
