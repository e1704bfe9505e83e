import { join } from 'node:path';
import type { SourceContext, SourceSelection } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { selectionError } from '../../../core/sources/selection.ts';
import { baseOf } from './snaps.ts';

const SNAP_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;
const CHANNEL = /^[A-Za-z0-9._/-]{1,100}$/;

/**
 * Downloads the snaps that the options name, and the bases they run on, with the machine's `snap download`.
 *
 * @returns the paths of the .snap files; each has its .assert file beside it
 * @throws SealiftError InvalidInput for an option, ToolMissing, ToolFailed
 */
export async function downloadSnaps(selection: SourceSelection, context: SourceContext): Promise<string[]> {
  const { snap: names = [], channel: channels = [] } = selection.options ?? {};
  if (names.length === 0) {
    if (channels.length === 0) return [];
    throw selectionError(selection, 'a channel is given, and no snap', 'add --source-option snap=k8s');
  }
  const [channel, ...others] = channels;
  if (others.length > 0) throw selectionError(selection, 'several channels are given', 'give one channel');
  for (const name of names) {
    if (!SNAP_NAME.test(name)) throw selectionError(selection, `"${name}" is not the name of a snap`, 'e.g. snap=k8s');
  }
  if (channel !== undefined && !CHANNEL.test(channel)) {
    throw selectionError(selection, `"${channel}" is not a channel`, 'e.g. channel=1.36-classic/stable');
  }
  const folder = await context.scratch();
  const downloaded = new Map<string, string>();
  for (const name of names) downloaded.set(name, await download(name, channel, folder, context));
  for (const path of [...downloaded.values()]) {
    const base = await baseOf(path, context);
    if (base !== undefined && !downloaded.has(base)) {
      downloaded.set(base, await download(base, undefined, folder, context));
    }
  }
  return [...downloaded.values()];
}

async function download(
  name: string,
  channel: string | undefined,
  folder: string,
  context: SourceContext,
): Promise<string> {
  const fromChannel = channel === undefined ? [] : [`--channel=${channel}`];
  const said = await context.run('snap', ['download', name, ...fromChannel, `--basename=${name}`], { cwd: folder });
  if (said !== undefined) return join(folder, `${name}.snap`);
  throw new SealiftError('ToolMissing', {
    side: 'source',
    operation: 'download snap',
    subject: name,
    message: 'there is no `snap` on this machine',
    remedy: `run \`snap download ${[name, ...fromChannel].join(' ')} --basename ${name}\` where snapd is, and give ${name}.snap and ${name}.assert with -f`,
  });
}
