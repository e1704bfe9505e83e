import type { SourceContents } from '../contracts/bill-of-materials.ts';
import type { SourceSelection } from '../contracts/source-plugin.ts';
import { createRemotes, type RemotesOptions } from '../core/oci/remotes.ts';
import { detectSource, sourceNamed } from '../plugins/sources/index.ts';

type Options = Omit<RemotesOptions, 'side'>;

/** Which source an input file belongs to. @throws SealiftError InvalidInput, FileMissing */
export async function detectIn(file: string, options: Options): Promise<string> {
  const remotes = createRemotes({ ...options, side: 'source' });
  try {
    return detectSource(Buffer.from(await remotes.read(file)).toString('utf8'), file).name;
  } finally {
    await remotes.close();
  }
}

/** Everything that the selections need, without fetching any of it. @throws SealiftError InvalidInput with file and line */
export async function listFrom(
  selections: SourceSelection[],
  options: Options,
  warn: (message: string) => void,
): Promise<SourceContents> {
  const remotes = createRemotes({ ...options, side: 'source' });
  try {
    const listed: SourceContents[] = [];
    for (const selection of selections) {
      listed.push(
        await sourceNamed(selection.source).list(selection, { read: (location) => remotes.read(location), warn }),
      );
    }
    return { items: listed.flatMap(({ items }) => items), documents: listed.flatMap(({ documents }) => documents) };
  } finally {
    await remotes.close();
  }
}
