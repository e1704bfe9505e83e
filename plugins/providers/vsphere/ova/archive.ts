import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Parser, type ReadEntry } from 'tar';
import type { ErrorType } from '../../../../contracts/errors.ts';
import { SealiftError } from '../../../../core/errors.ts';
import { parseDescriptor, type Descriptor } from './descriptor.ts';

const BLOCK = 512;
const READ_AT_ONCE = 4 * 1024 ** 2;
/** Descriptor and manifest are some kilobytes. */
const MAX_TEXT = 4 * 1024 ** 2;
/** Flags of a sparse extent: compressed grains, and markers between them (VMware, Virtual Disk Format 5.0). */
const STREAM_OPTIMIZED = 0x30000;

/** An OVA whose parts fit together; its digests are not proven yet. */
export interface Ova {
  /** absolute path */
  file: string;
  /** bytes */
  size: number;
  descriptor: Descriptor;
  /** algorithm and digest of each file in it, as its manifest has them */
  digests: Map<string, { algorithm: string; hex: string }>;
  /** hex sha256 of the manifest: what else has this one has the same content, once its digests are proven */
  identity: string;
}

/**
 * Opens an OVA: a tar that begins with its descriptor, has a manifest with the digests of all else, and disks that vCenter can take.
 * @param alive called between reads, may throw
 * @throws SealiftError FileMissing; ValidationFailed with what is wrong with it
 */
export async function openOva(file: string, alive: () => void): Promise<Ova> {
  await refuseOthers(file);
  const names: string[] = [];
  const sizes = new Map<string, number>();
  const texts = new Map<string, Buffer[]>();
  const starts = new Map<string, Buffer>();
  let size = 0;
  await walk(file, alive, ({ path, size: length, type }) => {
    if (type !== 'File' && type !== 'OldFile') throw fault(file, `${path} in it is no regular file`);
    // govc takes names for patterns
    if (/[/*?[\]\\]/.test(path)) throw fault(file, `${JSON.stringify(path)} is no name for a file in an OVA`);
    if (sizes.has(path)) throw fault(file, `${path} is in it twice`);
    names.push(path);
    sizes.set(path, length);
    size += length;
    if (/\.(ovf|mf)$/i.test(path)) {
      if (length > MAX_TEXT) throw fault(file, `${path} in it has ${length} bytes`);
      const parts: Buffer[] = [];
      texts.set(path, parts);
      return (chunk) => parts.push(Buffer.from(chunk));
    }
    return (chunk) => {
      const start = starts.get(path) ?? Buffer.alloc(0);
      if (start.length < BLOCK) starts.set(path, Buffer.concat([start, chunk.subarray(0, BLOCK)]));
    };
  });
  if (!/\.ovf$/i.test(names[0] ?? '')) throw fault(file, `it begins with ${names[0] ?? 'nothing'}, not with an .ovf`);
  const descriptor = parseDescriptor(Buffer.concat(texts.get(names[0]!)!).toString());
  checkDescriptor(file, descriptor, sizes);
  for (const [name, start] of starts) checkDisk(file, name, start);
  const manifest = names.find((name) => /\.mf$/i.test(name));
  if (manifest === undefined) {
    const remedy = 'pack it again with one: `ovftool --shaAlgorithm=sha256 OLD.ova NEW.ova`';
    throw fault(file, 'it has no manifest (.mf), and so no digests to prove it by', remedy);
  }
  const bytes = Buffer.concat(texts.get(manifest)!);
  const digests = parseManifest(file, bytes.toString());
  for (const name of names) {
    if (name === manifest || name.endsWith('.cert') || digests.has(name)) continue;
    throw fault(file, `its manifest has no digest of ${name}`);
  }
  for (const name of digests.keys()) {
    if (!sizes.has(name)) throw fault(file, `${name} of its manifest is not in it`);
  }
  return { file, size, descriptor, digests, identity: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * Reads the whole file, and proves every digest of its manifest.
 * @param alive called between reads, may throw
 * @throws SealiftError ValidationFailed when one is wrong, or the file has changed since it was opened
 */
export async function proveDigests({ file, digests }: Ova, alive: () => void): Promise<void> {
  const hashes = new Map<string, Hash>();
  await walk(file, alive, ({ path }) => {
    const expected = digests.get(path);
    if (expected === undefined) return () => undefined;
    const hash = createHash(expected.algorithm);
    hashes.set(path, hash);
    return (chunk) => hash.update(chunk);
  });
  for (const [name, { algorithm, hex }] of digests) {
    const actual = hashes.get(name)?.digest('hex');
    if (actual === hex) continue;
    const message = `${name} in it has the ${algorithm.toUpperCase()} ${actual ?? 'of nothing'}, its manifest says ${hex}`;
    throw fault(file, message, 'it is damaged: carry it over again, or build it again');
  }
}

/** @throws SealiftError FileMissing; ValidationFailed for what is no uncompressed tar */
async function refuseOthers(file: string): Promise<void> {
  const start = Buffer.alloc(BLOCK);
  try {
    const handle = await open(file);
    await handle.read(start, 0, BLOCK, 0).finally(() => handle.close());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw fault(file, message, 'give the path of an OVA that the worker can read', 'FileMissing');
  }
  if (start.toString('latin1', 257, 262) === 'ustar') return;
  const packed = start.readUInt16BE() === 0x1f8b;
  const message = packed ? 'it is compressed with gzip' : 'it is no tar, and so no OVA';
  throw fault(file, message, packed ? 'unpack it first: gunzip' : 'give the .ova that image-builder or ovftool wrote');
}

/** Goes through a tar. @param onEntry what takes the content of an entry */
async function walk(file: string, alive: () => void, onEntry: (entry: ReadEntry) => (chunk: Buffer) => void) {
  let failure: Error | undefined;
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      try {
        if (failure === undefined) entry.on('data', onEntry(entry));
      } catch (error) {
        failure = error as Error;
      }
      entry.resume();
    },
  });
  parser.on('error', ({ message }: Error) => {
    failure ??= fault(file, `it is damaged or truncated: ${message}`, 'carry it over again');
  });
  for await (const chunk of createReadStream(file, { highWaterMark: READ_AT_ONCE })) {
    alive();
    parser.write(chunk as Buffer);
    if (failure !== undefined) throw failure;
  }
  parser.end();
  if (failure !== undefined) throw failure;
}

function checkDescriptor(file: string, { systems, files, disks }: Descriptor, sizes: Map<string, number>): void {
  if (systems !== 1) throw fault(file, `its descriptor has ${systems} virtual machines, and a template is one`);
  if (disks.length === 0) throw fault(file, 'its descriptor has no disk');
  for (const { name, size } of files) {
    const there = sizes.get(name);
    if (there === undefined) throw fault(file, `${name}, which its descriptor refers to, is not in it`);
    if (size === undefined || size === there) continue;
    throw fault(file, `${name} in it has ${there} bytes, its descriptor says ${size}`);
  }
}

function checkDisk(file: string, name: string, start: Buffer): void {
  if (!name.endsWith('.vmdk')) return;
  const flags = start.length < BLOCK || start.toString('latin1', 0, 4) !== 'KDMV' ? 0 : start.readUInt32LE(8);
  if ((flags & STREAM_OPTIMIZED) === STREAM_OPTIMIZED) return;
  const remedy = 'convert it (qemu-img convert -O vmdk -o subformat=streamOptimized), and pack the OVA again';
  throw fault(file, `${name} in it is no streamOptimized disk, and vCenter takes no other`, remedy);
}

/** Lines `SHA256(name)= hex` (DSP0243, 5.1). */
function parseManifest(file: string, text: string): Ova['digests'] {
  const digests: Ova['digests'] = new Map();
  for (const line of text.split(/\r?\n/).filter((one) => one.trim() !== '')) {
    const [, algorithm = '', name = '', hex = ''] =
      /^(sha1|sha256|sha512)\s*\((.+)\)\s*=\s*([0-9a-f]+)\s*$/i.exec(line) ?? [];
    if (name === '') throw fault(file, `its manifest has a line that is no digest: ${line.slice(0, 80)}`);
    digests.set(name, { algorithm: algorithm.toLowerCase(), hex: hex.toLowerCase() });
  }
  return digests;
}

function fault(
  file: string,
  message: string,
  remedy = 'build it again, or give another',
  type: ErrorType = 'ValidationFailed',
): SealiftError {
  return new SealiftError(type, { side: 'local', operation: 'read OVA', subject: file, message, remedy });
}
