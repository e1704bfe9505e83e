import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { parseBoundedJson } from '../bundle/bounded-json.ts';
import { diskError } from '../bundle/disk-error.ts';
import { openRandomAccess } from '../bundle/open-random-access.ts';
import type { RandomAccess } from '../bundle/random-access.ts';
import type { ReleaseContent } from '../clusters/content.ts';
import { isErrorType } from '../errors.ts';
import { findFile, unpackLayer } from '../image-archive/layer-file.ts';
import { hexOf } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { formatPlatform, platformMatches } from '../oci/platform.ts';
import { ELF_HEAD, readElf } from './elf.ts';

/** A program that was taken out of an image; or why there is none to take. */
export type ProgramFound = { path: string; digest: Digest } | { why: string };

export interface ProgramWanted {
  /** the image's reference, for people */
  image: string;
  /** its manifest or index */
  root: Digest;
  /** the name it gets */
  program: string;
  /** the file is what the image runs; otherwise the one of the program's name */
  isEntrypoint: boolean;
}

export interface ExtractionOptions {
  /** Sealift's cache: `<folder>/sha256/<digest>/<program>` */
  folder: string;
  signal: AbortSignal;
  /** as image-spec has it; of this machine when absent */
  architecture?: string;
}

const PART = 1024 * 1024;
const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

const configShape = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  config: z.looseObject({ Entrypoint: z.array(z.string()).nullish(), Cmd: z.array(z.string()).nullish() }).nullish(),
});

/**
 * Takes a program out of an image: its manifest for this machine, its layers from the top down, each proven by its digest. The
 * file lies under the digest of its own bytes, executable, and appears whole. Whiteouts are not looked at: nobody deletes
 * the program of an image.
 * @throws SealiftError those of the content; InvalidInput when a layer is damaged; DiskFull, PathUnwritable
 */
export async function extractProgram(
  content: ReleaseContent,
  wanted: ProgramWanted,
  options: ExtractionOptions,
): Promise<ProgramFound> {
  const platform = { os: 'linux', architecture: options.architecture ?? architectureHere() };
  const root = parseManifest(await content.read(wanted.root));
  const images = root.children.filter((child) => child.platform !== undefined && child.platform.os !== 'unknown');
  const chosen = images.find((child) => platformMatches(platform, child.platform!));
  const name = formatPlatform(platform);
  if (root.kind === 'index' && chosen === undefined) {
    const there = images.map((child) => formatPlatform(child.platform!)).join(', ');
    return { why: `its image ${wanted.image} is not for ${name}, only for ${there === '' ? 'nothing' : there}` };
  }
  const { blobs } = chosen === undefined ? root : parseManifest(await content.read(chosen.digest));
  const [config, ...layers] = blobs;
  const image = await readConfig(content, config!);
  if (image === undefined) return { why: `the config of its image ${wanted.image} is none` };
  const { os, architecture, entrypoint } = image;
  if (!platformMatches(platform, { os, architecture })) {
    return { why: `its image ${wanted.image} is for ${os}/${architecture}, and this machine is ${name}` };
  }
  if (wanted.isEntrypoint && entrypoint === undefined)
    return { why: `its image ${wanted.image} runs nothing by itself` };
  const path = wanted.isEntrypoint ? entrypoint! : wanted.program;
  return searchLayers(content, { ...wanted, path, architecture: platform.architecture }, layers, options);
}

function architectureHere(): string {
  return architectures[process.arch] ?? process.arch;
}

async function readConfig(
  content: ReleaseContent,
  { digest }: Descriptor,
): Promise<{ os: string; architecture: string; entrypoint: string | undefined } | undefined> {
  const { data } = configShape.safeParse(await content.read(digest).then(jsonOf));
  if (data === undefined) return undefined;
  const { os, architecture, config } = data;
  return { os, architecture, entrypoint: (config?.Entrypoint ?? config?.Cmd ?? [])[0] };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseBoundedJson(bytes);
  } catch {
    return undefined;
  }
}

type Search = ProgramWanted & { path: string; architecture: string };

async function searchLayers(
  content: ReleaseContent,
  search: Search,
  layers: readonly Descriptor[],
  options: ExtractionOptions,
): Promise<ProgramFound> {
  const scratch = join(options.folder, `unpacking-${process.pid}-${randomBytes(6).toString('hex')}`);
  await removeLeftovers(options.folder);
  let path = search.path.replace(/^\.?\/+/, '');
  try {
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    for (const layer of layers.toReversed()) {
      options.signal.throwIfAborted();
      await using tar = await openLayer(content, layer, scratch, options.signal);
      const shownAs = `${search.image} ${layer.digest}`;
      const found = await findFile(tar.file, shownAs, (name) => isWanted(name, path));
      if (found === undefined) continue;
      if ('entry' in found)
        return await keepProgram(tar.file, found.entry, search, { scratch, folder: options.folder });
      path = found.elsewhere;
    }
  } catch (error) {
    if (isErrorType(error, 'InvalidInput'))
      return { why: `its image ${search.image} cannot be read: ${error.message}` };
    throw diskError(error, 'take program out of image', scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { why: `its image ${search.image} has no file ${path}` };
}

/** A bare name may be in any folder. */
function isWanted(name: string, path: string): boolean {
  return name === path || (!path.includes('/') && name.endsWith(`/${path}`));
}

async function openLayer(
  content: ReleaseContent,
  layer: Descriptor,
  scratch: string,
  signal: AbortSignal,
): Promise<AsyncDisposable & { file: RandomAccess }> {
  const [packed, tar] = [join(scratch, 'layer'), join(scratch, 'layer.tar')];
  // the content writes into a file that is there
  await (await open(packed, 'w', 0o600)).close();
  await content.save(layer.digest, packed, signal);
  await unpackLayer(packed, tar);
  await rm(packed);
  const file = await openRandomAccess(tar);
  return {
    file,
    async [Symbol.asyncDispose]() {
      await file.close();
      await rm(tar);
    },
  };
}

async function keepProgram(
  file: RandomAccess,
  { offset, size }: { offset: number; size: number },
  { image, program, architecture }: Search,
  { scratch, folder }: { scratch: string; folder: string },
): Promise<ProgramFound> {
  const elf = readElf(await file.read(offset, Math.min(size, ELF_HEAD)));
  if (elf === undefined) return { why: `what its image ${image} has is no program of Linux` };
  if (elf.architecture !== architecture) return { why: `what its image ${image} has is for ${elf.architecture}` };
  if (!elf.isStatic) return { why: `what its image ${image} has needs libraries that only the image has` };
  const temporary = join(scratch, program);
  const hash = createHash('sha256');
  const handle = await open(temporary, 'wx', 0o755);
  try {
    for (let done = 0; done < size; done += PART) {
      const bytes = await file.read(offset + done, Math.min(PART, size - done));
      hash.update(bytes);
      await handle.writeFile(bytes);
    }
    // whatever the umask says
    await handle.chmod(0o755);
    await handle.sync();
    await handle.close();
    const digest: Digest = `sha256:${hash.digest('hex')}`;
    const place = join(folder, 'sha256', hexOf(digest));
    await mkdir(place, { recursive: true });
    await rename(temporary, join(place, program));
    return { path: join(place, program), digest };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** What processes that were killed had begun. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = Number(/^unpacking-(\d+)-/.exec(name)?.[1] ?? process.pid);
    if (pid !== process.pid && !(await isAlive(pid))) await rm(join(folder, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): Promise<boolean> {
  return access(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}
