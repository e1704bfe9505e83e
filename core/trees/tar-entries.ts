import { Parser } from 'tar';

/**
 * The first regular file of an uncompressed tar whose path a filter picks. What comes after it is not asked for.
 *
 * @param tar whole, or in pieces
 * @param max bytes that the file may have
 * @throws Error saying what is wrong with it, as the end of a sentence about the archive; also what the pieces throw
 */
export function readTarEntry(
  tar: Uint8Array | AsyncIterable<Uint8Array>,
  wanted: (path: string) => boolean,
  max: number,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    let found = false;
    let over = false;
    const parser = new Parser({
      strict: true,
      filter: (path, entry) =>
        !found && 'type' in entry && (entry.type === 'File' || entry.type === 'OldFile') && wanted(path),
      onReadEntry: (entry) => {
        found = true;
        if (entry.size > max) fail(new Error(`${entry.path} in it has more than ${max} bytes`));
        entry.on('data', (part) => {
          size += part.length;
          if (size <= max) parts.push(Buffer.from(part));
        });
        entry.on('end', () => finish(Buffer.concat(parts)));
      },
    });
    const finish = (entry: Uint8Array | undefined): void => {
      over = true;
      resolve(entry);
    };
    const fail = (error: Error): void => {
      over = true;
      reject(error);
    };
    parser.on('error', (error) => fail(new Error(`it is damaged (${(error as Error).message})`, { cause: error })));
    parser.on('end', () => finish(undefined));
    feed(parser, tar instanceof Uint8Array ? [tar] : tar, () => over).catch(fail);
  });
}

async function feed(
  parser: Parser,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  isOver: () => boolean,
): Promise<void> {
  for await (const piece of pieces) {
    parser.write(Buffer.from(piece));
    if (isOver()) return;
  }
  parser.end();
}
