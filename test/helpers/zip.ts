import { crc32, deflateRawSync } from 'node:zlib';

/** What a test says wrongly on purpose about an entry. */
export interface ZipLie {
  /** the size that the archive states, in place of the true one */
  size?: number;
}

const DEFLATE = 8;
const FIXED_DATE = 0x5a21;

/** A zip archive (APPNOTE 6.3.3) with deflated entries; the same entries always give the same bytes. */
export function makeZip(entries: Record<string, string | Uint8Array>, lies: Record<string, ZipLie> = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const bytes = Buffer.from(content);
    const packed = deflateRawSync(bytes, { level: 9 });
    const fields = entryFields(bytes, packed, lies[name]?.size ?? bytes.length, name);
    const local = Buffer.concat([Buffer.from('504b0304', 'hex'), fields, Buffer.from(name), packed]);
    directory.push(centralHeader(fields, offset, name));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('504b0506', 'hex');
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

/** What local and central headers have in common: from `version needed` to `extra field length`. */
function entryFields(bytes: Buffer, packed: Buffer, size: number, name: string): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(DEFLATE, 4);
  fields.writeUInt16LE(FIXED_DATE, 8);
  fields.writeUInt32LE(crc32(bytes), 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(size, 18);
  fields.writeUInt16LE(Buffer.byteLength(name), 22);
  return fields;
}

function centralHeader(fields: Buffer, offset: number, name: string): Buffer {
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(offset, 10);
  return Buffer.concat([Buffer.from('504b01021400', 'hex'), fields, rest, Buffer.from(name)]);
}
