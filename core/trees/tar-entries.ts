import { Parser } from 'tar';

/**
 * The first regular file of an uncompressed tar whose path a filter picks.
 *
 * @param max bytes that it may have
 * @throws Error saying what is wrong with it, as the end of a sentence about the archive
 */
export function readTarEntry(
  tar: Uint8Array,
  wanted: (path: string) => boolean,
  max: number,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    let found = false;
    const parser = new Parser({
      strict: true,
      filter: (path, entry) =>
        !found && 'type' in entry && (entry.type === 'File' || entry.type === 'OldFile') && wanted(path),
      onReadEntry: (entry) => {
        found = true;
        if (entry.size > max) reject(new Error(`${entry.path} in it has more than ${max} bytes`));
        entry.on('data', (part) => {
          size += part.length;
          if (size <= max) parts.push(Buffer.from(part));
        });
        entry.on('end', () => resolve(Buffer.concat(parts)));
      },
    });
    parser.on('error', (error) => reject(new Error(`it is damaged (${(error as Error).message})`, { cause: error })));
    parser.on('end', () => resolve(undefined));
    parser.end(Buffer.from(tar));
  });
}
