import { decompress, type Compression } from './decompress.ts';
import { readTarEntry } from './tar-entries.ts';

/** Bytes of a package file by place: fewer than asked for at its end. */
export type ReadPart = (start: number, length: number) => Promise<Uint8Array>;

/** Real control archives have some kilobytes; kernel headers, with a checksum for every file, reach a few megabytes. */
const MAX_COMPRESSED = 16 * 1024 * 1024;
const MAX_UNPACKED = 64 * 1024 * 1024;
const MAX_CONTROL = 1024 * 1024;

/** Members that may stand before the control archive: `debian-binary`, and names that begin with an underscore. */
const MAX_MEMBERS = 8;

const compressions: Record<string, Compression> = {
  'control.tar': 'none',
  'control.tar.gz': 'gzip',
  'control.tar.xz': 'xz',
  'control.tar.zst': 'zstd',
};

/** Fields of a control file in their order (deb-control(5)); values keep their continuation lines. */
export type ControlFields = ReadonlyMap<string, string>;

/**
 * Reads the control file of a .deb (deb(5), format 2.0), and no more of the package than it must.
 *
 * @throws Error saying what is wrong with the package, as the end of a sentence about it
 */
export async function readDebControl(read: ReadPart): Promise<ControlFields> {
  const { name, offset, size } = await findControl(read);
  if (size > MAX_COMPRESSED)
    throw new Error(`${name} in it has ${size} bytes, more than the ${MAX_COMPRESSED} allowed`);
  const bytes = await read(offset, size);
  if (bytes.length < size) throw new Error(`it ends within ${name}`);
  const tar = await decompress(bytes, compressions[name]!, MAX_UNPACKED).catch((error: Error) => {
    throw new Error(`${name} in it: ${error.message}`, { cause: error });
  });
  const control = await readTarEntry(tar, (path) => path.replace(/^\.\//, '') === 'control', MAX_CONTROL);
  if (control === undefined) throw new Error(`${name} in it holds no control file`);
  return parseControl(new TextDecoder().decode(control));
}

/** ar(5): a magic line, then members with headers of 60 bytes, each beginning at an even offset. */
async function findControl(read: ReadPart): Promise<{ name: string; offset: number; size: number }> {
  const magic = Buffer.from(await read(0, 8)).toString('latin1');
  if (magic !== '!<arch>\n') throw new Error('it is no Debian package: it does not begin as an ar archive');
  let at = 8;
  for (let member = 0; member < MAX_MEMBERS; member++) {
    const header = Buffer.from(await read(at, 60)).toString('latin1');
    const [, name = '', size = ''] = /^(.{16}).{32}([0-9]+) *`\n$/s.exec(header) ?? [];
    if (name === '') break;
    const member = name.trimEnd().replace(/\/$/, '');
    if (member in compressions) return { name: member, offset: at + 60, size: Number(size) };
    at += 60 + Number(size) + (Number(size) % 2);
  }
  throw new Error('it is no Debian package that can be read: it has no control.tar, .gz, .xz or .zst');
}

function parseControl(text: string): ControlFields {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.replace(/\n+$/, '').split('\n')) {
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (/^[ \t]\S/.test(line) && last !== undefined) fields.set(last, `${fields.get(last)!}\n${line.trimEnd()}`);
    else if (name !== undefined && value !== undefined && !name.startsWith('-') && !name.startsWith('#')) {
      last = name;
      if (fields.has(name)) throw new Error(`its control file has the field ${name} twice`);
      fields.set(name, value.trimEnd());
    } else throw new Error(`its control file has a line that is no field: ${JSON.stringify(line.slice(0, 80))}`);
  }
  return fields;
}
