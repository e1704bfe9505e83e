import { join } from 'node:path';
import type { SourceContext } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';

/** A charm at Charmhub. */
export interface WantedCharm {
  name: string;
  channel?: string;
}

/**
 * Fetches charms into the scratch folder with the Juju client of this machine.
 * @returns their paths, in the order in which they were asked for
 * @throws SealiftError ToolMissing, ToolFailed
 */
export async function downloadCharms(wanted: readonly WantedCharm[], context: SourceContext): Promise<string[]> {
  const folder = await context.scratch();
  const paths: string[] = [];
  for (const { name, channel } of wanted) {
    const path = join(folder, `${name}${channel === undefined ? '' : `_${channel.replaceAll('/', '-')}`}.charm`);
    const from = channel === undefined ? [] : ['--channel', channel];
    const output = await context.run('juju', ['download', '--no-progress', ...from, '--filepath', path, name]);
    if (output === undefined) throw jujuMissing({ name, ...(channel === undefined ? {} : { channel }) });
    paths.push(path);
  }
  return paths;
}

function jujuMissing({ name, channel }: WantedCharm): SealiftError {
  const command = `juju download ${channel === undefined ? '' : `--channel ${channel} `}${name}`;
  return new SealiftError('ToolMissing', {
    side: 'source',
    operation: 'download charm',
    subject: name,
    message: 'juju-download was asked for, and there is no juju on the machine where the worker runs',
    remedy: `install it (\`snap install juju\`), or run \`${command}\` elsewhere and give the folder of charms with -f`,
  });
}
