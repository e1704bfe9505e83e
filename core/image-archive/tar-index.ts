import { posix } from 'node:path';
import { Header, Pax } from 'tar';
import type { RandomAccess } from '../bundle/random-access.ts';
import { isZeroBlock, tarBlockSize } from '../bundle/tar-header.ts';
import { paddedSize } from '../bundle/layout.ts';
import { archiveError } from './archive-error.ts';

/** A tar, or one inside another: `offset` and `size` in bytes, `shownAs` for errors. */
export interface TarSpan {
  offset: number;
  size: number;
  shownAs: string;
}

/** An entry of a tar, by where its content lies in the file. */
export interface TarEntry {
  /** without `./` in front */
  name: string;
  type: 'file' | 'folder' | 'link';
  offset: number;
  size: number;
  /** links: the name of the entry that it stands for */
  target?: string;
}

/** The extended headers that stand before an entry. */
interface Extended {
  path?: string;
  linkpath?: string;
  size?: number;
}

const MAX_ENTRIES = 100_000;
const MAX_EXTENDED = 64 * 1024;
/** A link to a link is what `docker save` writes for a layer that several images share. */
const MAX_HOPS = 8;

/**
 * The entries of a tar that any program may have written (POSIX.1-2017 ustar and pax, GNU long names), by their headers alone.
 * @throws SealiftError InvalidInput naming the entry: a damaged header, a truncated tar, a path that leads outside, a device
 */
export async function* tarEntries(file: RandomAccess, tar: TarSpan): AsyncGenerator<TarEntry> {
  const end = tar.offset + tar.size;
  let extended: Extended = {};
  let count = 0;
  for (let at = tar.offset; at < end;) {
    if (at + tarBlockSize > end) throw truncated(tar.shownAs);
    const block = await file.read(at, tarBlockSize);
    if (isZeroBlock(block)) return;
    const header = decode(Buffer.from(block), { ...tar, at });
    const offset = at + tarBlockSize;
    const size = extended.size ?? header.size ?? 0;
    if (!(Number.isSafeInteger(size) && size >= 0) || offset + size > end)
      throw truncated(`${tar.shownAs}/${extended.path ?? header.path}`);
    if (++count > MAX_ENTRIES) throw archiveError(tar.shownAs, `it has more than ${MAX_ENTRIES} entries`);
    at = offset + paddedSize(size);
    const more = await readExtended(file, header, { offset, size, shownAs: tar.shownAs });
    if (more !== undefined) {
      extended = { ...extended, ...more };
      continue;
    }
    yield entryOf(header, extended, { offset, size, shownAs: tar.shownAs });
    extended = {};
  }
  // Two blocks of zeros end a tar: without them nobody knows what came after.
  throw truncated(tar.shownAs);
}

function decode(block: Buffer, { shownAs, offset, at }: TarSpan & { at: number }): Header {
  try {
    const header = new Header(block);
    if (header.cksumValid) return header;
  } catch {
    // what Header can't make sense of is no header either
  }
  throw archiveError(shownAs, `there is no tar header at byte ${at - offset}`);
}

/** @returns undefined when the header is one of an entry */
async function readExtended(file: RandomAccess, header: Header, content: TarSpan): Promise<Extended | undefined> {
  const { type } = header;
  if (type === 'GlobalExtendedHeader') return {};
  const isPax = type === 'ExtendedHeader' || type === 'OldExtendedHeader';
  if (!isPax && type !== 'NextFileHasLongPath' && type !== 'NextFileHasLongLinkpath') return undefined;
  if (content.size > MAX_EXTENDED) throw archiveError(content.shownAs, `an extended header has ${content.size} bytes`);
  const text = Buffer.from(await file.read(content.offset, content.size)).toString('utf8');
  if (!isPax) {
    const name = text.replace(/\0.*$/s, '');
    return type === 'NextFileHasLongPath' ? { path: name } : { linkpath: name };
  }
  const { path, linkpath, size } = Pax.parse(text);
  return {
    ...(path === undefined ? {} : { path }),
    ...(linkpath === undefined ? {} : { linkpath }),
    ...(size === undefined ? {} : { size }),
  };
}

function entryOf(header: Header, extended: Extended, { offset, size, shownAs }: TarSpan): TarEntry {
  const stated = extended.path ?? header.path ?? '';
  const name = stated.replace(/^(\.\/)+/, '').replace(/\/$/, '');
  if (name.startsWith('/') || name.split('/').includes('..') || stated.includes('\0')) {
    throw archiveError(`${shownAs}/${stated}`, 'the name of this entry leads out of the archive');
  }
  switch (header.type) {
    case 'File':
    case 'OldFile':
    case 'ContiguousFile':
      return { name, type: 'file', offset, size };
    case 'Directory':
      return { name, type: 'folder', offset, size };
    case 'Link':
    case 'SymbolicLink': {
      const linked = extended.linkpath ?? header.linkpath ?? '';
      const target = header.type === 'Link' ? linked : posix.join(posix.dirname(name), linked);
      return { name, type: 'link', offset, size: 0, target: posix.normalize(target) };
    }
    default:
      throw archiveError(
        `${shownAs}/${stated}`,
        `an entry of type ${header.type} has no place in an archive of images`,
      );
  }
}

function truncated(shownAs: string): Error {
  return archiveError(shownAs, 'the tar is truncated: it ends too early');
}

/** The files of one tar by their names, with links followed. */
export class TarIndex {
  readonly file: RandomAccess;
  readonly tar: TarSpan;
  readonly #entries = new Map<string, TarEntry>();

  private constructor(file: RandomAccess, tar: TarSpan) {
    this.file = file;
    this.tar = tar;
  }

  /** @throws SealiftError InvalidInput as {@link tarEntries}, and when a name is there twice */
  static async read(file: RandomAccess, tar: TarSpan): Promise<TarIndex> {
    const index = new TarIndex(file, tar);
    for await (const entry of tarEntries(file, tar)) {
      if (entry.type === 'folder') continue;
      if (index.#entries.has(entry.name)) throw archiveError(index.shownAs(entry.name), 'the entry is there twice');
      index.#entries.set(entry.name, entry);
    }
    return index;
  }

  files(): TarEntry[] {
    return [...this.#entries.values()];
  }

  /** The file of this name, or the one that a link of this name leads to inside the archive. */
  find(name: string): TarEntry | undefined {
    let found = this.#entries.get(name);
    for (let hops = 0; found?.type === 'link' && hops < MAX_HOPS; hops++) found = this.#entries.get(found.target!);
    return found?.type === 'file' ? found : undefined;
  }

  /** @throws SealiftError InvalidInput when there is none, or it has more than `max` bytes */
  async content(name: string, max: number): Promise<Uint8Array> {
    const { offset, size } = this.require(name);
    if (size > max) throw archiveError(this.shownAs(name), `it has ${size} bytes, more than the ${max} allowed`);
    return this.file.read(offset, size);
  }

  /** @throws SealiftError InvalidInput when there is none */
  require(name: string): TarEntry {
    const found = this.find(name);
    if (found === undefined) throw archiveError(this.shownAs(name), 'the archive lacks this entry');
    return found;
  }

  /** How errors call an entry. */
  shownAs(name: string): string {
    return `${this.tar.shownAs}/${name}`;
  }
}
