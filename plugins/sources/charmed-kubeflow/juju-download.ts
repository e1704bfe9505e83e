import { join } from 'node:path';
import type { SourceContext } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';

/** A charm at Charmhub. */
export interface WantedCharm {
  name: string;
  channel?: string | undefined;
  /** exactly this one, whatever the channel has */
  revision?: number | undefined;
}

/**
 * Fetches charms into the scratch folder with the Juju client of this machine.
 * @returns their paths, in the order in which they were asked for
 * @throws SealiftError ToolMissing, ToolFailed
 */
export async function downloadCharms(wanted: readonly WantedCharm[], context: SourceContext): Promise<string[]> {
  const paths: string[] = [];
  for (const charm of wanted) {
    const path = join(await context.scratch(), charmFileName(charm));
    const output = await context.run('juju', ['download', '--no-progress', '--filepath', path, ...selecting(charm)]);
    if (output === undefined) throw jujuMissing(charm);
    paths.push(path);
  }
  return paths;
}

/** `NAME_rREVISION.charm` as Juju names them, or with the channel where no revision is asked for. */
export function charmFileName({ name, channel, revision }: WantedCharm): string {
  if (revision !== undefined) return `${name}_r${revision}.charm`;
  return channel === undefined ? `${name}.charm` : `${name}_${channel.replaceAll('/', '-')}.charm`;
}

/** Juju takes a revision or a channel, not both. */
function selecting({ name, channel, revision }: WantedCharm): string[] {
  if (revision !== undefined) return ['--revision', String(revision), name];
  return channel === undefined ? [name] : ['--channel', channel, name];
}

function jujuMissing(charm: WantedCharm): SealiftError {
  const command = `juju download ${selecting(charm).join(' ')}`;
  return new SealiftError('ToolMissing', {
    side: 'source',
    operation: 'download charm',
    subject: charm.name,
    message: 'juju-download was asked for, and there is no juju on the machine where the worker runs',
    remedy: `install it (\`snap install juju\`), or run \`${command}\` elsewhere and give the folder of charms with -f`,
  });
}
