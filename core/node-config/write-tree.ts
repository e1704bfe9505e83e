import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BillItem } from '../../contracts/bill-of-materials.ts';
import { MediaType } from '../../contracts/media-types.ts';
import type { GeneratedFile } from '../../contracts/source-plugin.ts';
import { copyBlob } from '../bundle/copy-blob.ts';
import { diskError } from '../bundle/disk-error.ts';
import { imageArchiveSize, writeImageArchive } from '../bundle/image-archive.ts';
import type { Bundle, ReadableBundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import { writeTarGz, type ArchiveEntry } from './tar-gz.ts';

/** A file of a tree that was written. */
export interface WrittenFile {
  /** below the output folder */
  path: string;
  /** bytes */
  size: number;
  executable: boolean;
}

/** Lies in every tree, so that `--force` replaces nothing that Sealift did not write. */
const MARKER = '.sealift-generated';

export interface TreeOptions {
  /** absolute path of the folder */
  output: string;
  /** replace an earlier tree */
  force: boolean;
  /** what images and files come from */
  bundle?: Bundle | undefined;
}

/**
 * Writes a tree beside its final place and moves it there when it is complete: a reader sees all of it or none.
 *
 * @throws SealiftError OutputExists, PathUnwritable, DiskFull, BundleCorrupt; InvalidInput when a file needs a bundle and there is none
 */
export async function writeTree(files: readonly GeneratedFile[], options: TreeOptions): Promise<WrittenFile[]> {
  const { output, force, bundle } = options;
  const replaced = await refuseOverwriting(output, force);
  const sorted = checkedPaths(files);
  const temporary = `${output}.${randomBytes(6).toString('hex')}.partial`;
  try {
    await mkdir(temporary, { recursive: true });
    await writeFile(join(temporary, MARKER), '');
    const written: WrittenFile[] = [];
    for (const file of sorted) written.push(await writeOne(file, temporary, bundle));
    if (replaced) await rm(output, { recursive: true, force: true });
    await rename(temporary, output);
    return written;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw diskError(error, 'write', output);
  }
}

/** @returns whether there is an earlier tree to replace */
async function refuseOverwriting(output: string, force: boolean): Promise<boolean> {
  const names = await readdir(output).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw errorCode(error) === 'ENOTDIR'
      ? exists(output, 'it is a file', 'choose another --output')
      : diskError(error, 'read', output);
  });
  if (names === undefined || names.length === 0) return names !== undefined;
  if (!names.includes(MARKER)) {
    throw exists(output, 'it is a folder with files that Sealift did not write', 'choose another --output');
  }
  if (force) return true;
  throw exists(output, 'it holds an earlier result', 'choose another --output, or replace it with --force');
}

function exists(output: string, message: string, remedy: string): SealiftError {
  return new SealiftError('OutputExists', { side: 'local', operation: 'write', subject: output, message, remedy });
}

/** In the order of their paths. @throws Error for a path that leaves the tree or is there twice: a defect of the generator */
function checkedPaths(files: readonly GeneratedFile[]): GeneratedFile[] {
  const paths = new Set<string>([MARKER]);
  for (const { path } of files) {
    const wrong = path.split('/').some((part) => part === '' || part === '.' || part === '..');
    if (wrong || paths.has(path)) throw new Error(`the generator gave the path ${JSON.stringify(path)}`);
    paths.add(path);
  }
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function writeOne(file: GeneratedFile, folder: string, bundle: Bundle | undefined): Promise<WrittenFile> {
  const { path, executable = false, secret = false } = file;
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  const mode = (executable ? 0o755 : 0o644) & (secret ? 0o700 : 0o777);
  const handle = await open(target, 'wx', mode);
  try {
    // whatever the umask says
    await handle.chmod(mode);
    const size = await writeContent(file, handle, bundle);
    await handle.sync();
    return { path, size, executable };
  } finally {
    await handle.close();
  }
}

async function writeContent(file: GeneratedFile, handle: FileHandle, bundle: Bundle | undefined): Promise<number> {
  let size = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    await handle.writeFile(bytes);
    size += bytes.length;
  };
  if (!('archive' in file)) await (await contentOf(file, bundle)).copy(write);
  else {
    const entries: ArchiveEntry[] = [];
    for (const entry of file.archive) entries.push({ name: entry.path, ...(await contentOf(entry, bundle)) });
    await writeTarGz(entries, write);
  }
  return size;
}

/** What a file consists of, with its size known beforehand. */
async function contentOf(
  file: Exclude<GeneratedFile, { archive: unknown }>,
  bundle: Bundle | undefined,
): Promise<Omit<ArchiveEntry, 'name'>> {
  if ('content' in file) {
    const bytes = Buffer.from(file.content);
    return { size: bytes.length, copy: (write) => write(bytes) };
  }
  if ('image' in file) {
    const { image, platform, named = image } = file;
    const { bundle: from, item } = itemOf(bundle, image, file.path);
    const archived = { reference: named, digest: item.digest, ...(platform === undefined ? {} : { platform }) };
    const size = await imageArchiveSize(from, archived);
    return { size, copy: (write) => writeImageArchive(from, archived, write) };
  }
  const { bundle: from, item } = itemOf(bundle, file.file, file.path);
  const digest = await wrappedBlob(from, item);
  return { size: from.locate(digest)?.size ?? 0, copy: (write) => copyBlob(from, digest, write) };
}

/** The digest of the file that an artifact of the bundle wraps. @throws SealiftError BundleCorrupt */
export async function wrappedBlob(bundle: ReadableBundle, item: BillItem): Promise<Digest> {
  const { blobs } = await bundle.closure(item.digest);
  const layer = blobs.find(({ mediaType }) => mediaType !== MediaType.ociEmpty);
  if (layer !== undefined) return layer.digest;
  throw new SealiftError('BundleCorrupt', {
    side: 'source',
    operation: 'read bundle',
    subject: item.reference,
    message: 'its artifact holds no file',
    remedy: 'export the bundle again',
  });
}

function itemOf(bundle: Bundle | undefined, reference: string, path: string): { bundle: Bundle; item: BillItem } {
  const item = bundle?.billOfMaterials.items.find((one) => one.reference === reference);
  if (bundle !== undefined && item !== undefined) return { bundle, item };
  throw new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'write',
    subject: path,
    message:
      bundle === undefined ? `it is made of ${reference}, and there is no bundle` : `the bundle has no ${reference}`,
    remedy: 'give the bundle that has it with --input',
  });
}
