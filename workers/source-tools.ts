import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceContents } from '../contracts/bill-of-materials.ts';
import type { SourceSelection } from '../contracts/source-plugin.ts';
import { createRemotes, type RemotesOptions } from '../core/oci/remotes.ts';
import { listSources } from '../core/sources/list-sources.ts';
import { sourceNamed } from '../plugins/sources/index.ts';

type Options = Omit<RemotesOptions, 'side'>;

/** A document by URL. @throws SealiftError FileMissing and those of the network */
export async function readRemote(url: string, options: Options): Promise<Uint8Array> {
  const remotes = createRemotes({ ...options, side: 'source' });
  try {
    return await remotes.read(url);
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
  const scratch = await mkdtemp(join(tmpdir(), 'sealift-list-'));
  try {
    const read = (location: string): Promise<Uint8Array> => remotes.read(location);
    const { items, documents } = await listSources(selections, { sourceNamed, read, warn, scratch });
    // An archive may be unpacked in the scratch folder, which goes now.
    const plain = items.map(({ archive: _, ...item }) => withoutSource(item));
    return { items: plain, documents: documents.map(withoutSource) };
  } finally {
    await Promise.all([remotes.close(), rm(scratch, { recursive: true, force: true })]);
  }
}

function withoutSource<T extends { source: string }>({ source: _, ...rest }: T): Omit<T, 'source'> {
  return rest;
}
