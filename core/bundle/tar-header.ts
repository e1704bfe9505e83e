import { Header, Pax } from 'tar';
import { corruptBundle, unsafeBundle, type BundlePosition } from './bundle-error.ts';

export const tarBlockSize = 512;

/** The largest size that eleven octal digits hold (POSIX ustar): 8 GiB - 1. */
const MAX_OCTAL_SIZE = 0o77777777777;

/** What a header block says, as far as a bundle needs it. */
export interface TarHeader {
  name: string;
  /** bytes of content that follow, without padding */
  size: number;
  type: 'file' | 'directory' | 'pax';
}

/**
 * The header of a regular file with mode 0644 and no owner, name or time: 512 bytes, or 1536 with a PAX record in front
 * when `size` needs more than eleven octal digits. The main header then holds the size in base 256 too, so that
 * readers that start at it (oras) find the same size.
 *
 * Format: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header".
 *
 * @param name at most 99 ASCII characters
 */
export function encodeHeader(name: string, size: number): Buffer {
  const header = new Header({
    path: name,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: new Date(0),
    type: 'File',
    uname: '',
    gname: '',
    devmaj: 0,
    devmin: 0,
  });
  const block = Buffer.alloc(tarBlockSize);
  header.encode(block);
  return size > MAX_OCTAL_SIZE ? Buffer.concat([new Pax({ path: name, size }).encode(), block]) : block;
}

export function headerLength(size: number): number {
  return size > MAX_OCTAL_SIZE ? 3 * tarBlockSize : tarBlockSize;
}

export function isZeroBlock(block: Uint8Array): boolean {
  // a plain loop: it runs twice for each of up to a million entries
  for (const byte of block) if (byte !== 0) return false;
  return true;
}

/**
 * Reads one 512-byte header block strictly: ustar or GNU magic, right checksum, a size that is a number, and one of the
 * three types that a bundle may have.
 *
 * @throws SealiftError BundleCorrupt when it is no valid header, BundleUnsafe for links, devices, global or GNU headers and absurd sizes
 */
export function decodeHeader(block: Uint8Array, at: BundlePosition): TarHeader {
  const bytes = Buffer.from(block.buffer, block.byteOffset, tarBlockSize);
  if (bytes.toString('latin1', 257, 262) !== 'ustar') throw corruptBundle(at, 'there is no tar header');
  // the size first, since Header throws for what is absurd; so the name, for the error, is the plain field
  const size = sizeField(bytes, { ...at, entry: bytes.toString('utf8', 0, 100).replace(/\0.*$/s, '') });
  const header = new Header(bytes);
  const name = header.path ?? '';
  const named = { ...at, entry: name };
  if (!header.cksumValid) throw corruptBundle(named, 'the checksum of the tar header is wrong');
  switch (header.type) {
    case 'File':
    case 'OldFile':
      return { name, size, type: 'file' };
    case 'Directory':
      // a folder with content is read differently by different programs
      if (size !== 0) throw unsafeBundle(named, `a folder has ${size} bytes of content`);
      return { name, size, type: 'directory' };
    case 'ExtendedHeader':
      return { name, size, type: 'pax' };
    default:
      throw unsafeBundle(named, `it is of type ${header.type}; a bundle holds regular files only`);
  }
}

/**
 * Puts what a PAX extended header says onto the file header that follows it. It may only repeat: the same name, and the
 * same size unless the file header could not hold it (then 0 or the largest octal number, as other tar programs write).
 *
 * @throws SealiftError BundleUnsafe when it says anything else, BundleCorrupt when it is no PAX header
 */
export function applyPax(pax: Uint8Array, header: TarHeader, at: BundlePosition): TarHeader {
  const records = parsePax(pax, at);
  const path = records.get('path') ?? header.name;
  if (path !== header.name) {
    throw unsafeBundle(at, `its PAX header calls it ${JSON.stringify(path)}, its own ${JSON.stringify(header.name)}`);
  }
  const text = records.get('size');
  if (text === undefined) return header;
  const size = Number(text);
  if (!/^(0|[1-9]\d*)$/.test(text) || !Number.isSafeInteger(size))
    throw unsafeBundle(at, `its PAX header has size ${JSON.stringify(text)}`);
  const unheld = size > MAX_OCTAL_SIZE && (header.size === 0 || header.size === MAX_OCTAL_SIZE);
  if (size !== header.size && !unheld) {
    throw unsafeBundle(at, `its PAX header says ${size} bytes, its own header ${header.size}`);
  }
  return { ...header, size };
}

/** Records `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record. */
function parsePax(pax: Uint8Array, at: BundlePosition): Map<string, string> {
  const bytes = Buffer.from(pax.buffer, pax.byteOffset, pax.byteLength);
  const records = new Map<string, string>();
  for (let start = 0; start < bytes.length;) {
    const length = Number(/^[1-9]\d{0,5}(?= )/.exec(bytes.toString('latin1', start, start + 7))?.[0] ?? 0);
    const record = bytes.toString('utf8', start, start + length);
    const [, key, value] = /^\d+ ([^=\0]+)=([^\0]*)\n$/.exec(record) ?? [];
    if (key === undefined || value === undefined || start + length > bytes.length) {
      throw corruptBundle(at, 'its PAX header is malformed');
    }
    if (key !== 'size' && key !== 'path') {
      throw unsafeBundle(at, `its PAX header has ${JSON.stringify(key)}; a bundle needs size and path only`);
    }
    if (records.has(key)) throw unsafeBundle(at, `its PAX header has ${key} twice`);
    records.set(key, value);
    start += length;
  }
  return records;
}

function sizeField(bytes: Buffer, at: BundlePosition): number {
  const field = bytes.subarray(124, 136);
  if ((field[0]! & 0x80) === 0) {
    const text = field.toString('latin1');
    if (!/^ *[0-7]+[ \0]*$/.test(text)) throw corruptBundle(at, 'the size in the tar header is not a number');
    return Number.parseInt(text, 8);
  }
  const high = field.readUIntBE(0, 6);
  const size = field.readUIntBE(6, 6);
  // GNU base 256: 0x80 and eleven bytes; anything beyond 2^48 bytes, or a first byte other than 0x80 (negative), is absurd
  if (high !== 0x80_00_00_00_00_00) throw unsafeBundle(at, 'the size in the tar header is negative or absurd');
  return size;
}
