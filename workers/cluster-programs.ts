import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ClusterSpec } from '../contracts/cluster-spec.ts';
import type { ClusterOperationInput } from '../contracts/clusters.ts';
import type { Digest } from '../contracts/descriptor.ts';
import type { ClusterDependencies } from '../activities/clusters/tools.ts';
import type { FindInImages } from '../core/bootstrap/binaries.ts';
import { extractProgram, type ProgramFound, type ProgramWanted } from '../core/bootstrap/image-programs.ts';
import { firstThatHas, type ReleaseContent, type ReleaseContents } from '../core/clusters/content.ts';
import { readRelease, type InfrastructureName } from '../core/clusters/release.ts';
import { isTool, programOfRelease, toolOfBundle } from '../core/clusters/release-programs.ts';
import { readClusterSpec } from '../core/clusters/spec/read-spec.ts';
import { readFileIfPresent, writeFileAtomically } from '../core/host/atomic-file.ts';

/** A program that was taken out of an image, as the cluster's folder remembers it. */
interface Remembered {
  /** what it was taken out of */
  key: string;
  path: string;
  digest: Digest;
}

export interface ClusterProgramsOptions extends Pick<
  ClusterDependencies,
  'providers' | 'workspace' | 'contents' | 'environment'
> {
  /** where programs are kept, by their digests */
  folder: string;
}

/**
 * Finds the programs of bootstrap clusters, and the tools that Sealift runs itself, in the images that operations make clusters
 * of. What was found is remembered for as long as the process lives, and in the cluster's folder: a bundle is opened once,
 * and what was taken out of it is there for the cluster's deletion too, which may be given none.
 */
export function clusterPrograms(options: ClusterProgramsOptions): (input: ClusterOperationInput) => FindInImages {
  const known = new Map<string, Promise<ProgramFound>>();
  return (input) => async (program, image) => {
    const workspace = options.workspace(input);
    const { spec, content } = (await workspace.findValidated()) ?? { spec: await writtenSpec(input, options) };
    if (spec === undefined) return { why: 'the cluster was not validated yet' };
    // any release's tools will do, and an upgrade looks for them before it is validated
    const identity = isTool(program) ? undefined : content;
    const minor = isTool(program) ? undefined : minorOf(spec);
    const { bundle, registry } = input.content;
    const key = JSON.stringify([bundle?.digest ?? identity ?? registry, minor, program, image]);
    const unique = `${workspace.path} ${key}`;
    const earlier = await known.get(unique)?.catch(() => undefined);
    if (earlier !== undefined && (!('path' in earlier) || (await isThere(earlier.path)))) return earlier;
    const file = join(workspace.path, 'programs', `${program}.json`);
    const finding = findOnce({ input, spec, identity, program, image, key, file }, options);
    known.set(unique, finding);
    return finding;
  };
}

/** Before it is validated. */
async function writtenSpec(
  { specFile }: ClusterOperationInput,
  { providers }: ClusterProgramsOptions,
): Promise<ClusterSpec | undefined> {
  const text = specFile === '' ? undefined : await readFileIfPresent(specFile);
  return text === undefined ? undefined : readClusterSpec(specFile, Buffer.from(text), providers).spec;
}

interface Asked {
  input: ClusterOperationInput;
  spec: ClusterSpec;
  /** of the bundle that the cluster was validated with */
  identity: Digest | undefined;
  program: string;
  image: string | undefined;
  key: string;
  file: string;
}

async function findOnce(asked: Asked, options: ClusterProgramsOptions): Promise<ProgramFound> {
  const { bundle, registry } = asked.input.content;
  const hasContent = bundle !== undefined || registry !== undefined;
  const text = await readFileIfPresent(asked.file);
  const remembered = text === undefined ? undefined : (JSON.parse(text) as Remembered);
  if (remembered !== undefined && (!hasContent || remembered.key === asked.key)) {
    if ((await digestOfFile(remembered.path)) === remembered.digest) return remembered;
  }
  if (!hasContent) return { why: 'no bundle is given that it could be in' };
  const found = await take(asked, options);
  if ('path' in found) {
    const { path, digest } = found;
    await writeFileAtomically(asked.file, `${JSON.stringify({ key: asked.key, path, digest } satisfies Remembered)}\n`);
  }
  return found;
}

async function take(asked: Asked, options: ClusterProgramsOptions): Promise<ProgramFound> {
  const { input, spec, identity } = asked;
  await using opened = await options.contents(input, { spec, ...(identity === undefined ? {} : { identity }) });
  const { content, wanted } = await (isTool(asked.program) ? locateTool : locate)(opened, asked, options);
  if ('why' in wanted) return wanted;
  return await extractProgram(content, wanted, { folder: options.folder, signal: new AbortController().signal });
}

interface Located {
  content: ReleaseContent;
  wanted: ProgramWanted | { why: string };
}

async function locateTool({ all }: ReleaseContents, { program }: Asked): Promise<Located> {
  const located = await Promise.all(
    all.map(async (content) => ({ content, wanted: await toolOfBundle(content, program) })),
  );
  return located.find(({ wanted }) => 'root' in wanted) ?? located[0]!;
}

function locate(
  { all }: ReleaseContents,
  { spec, program, image }: Asked,
  { providers, environment }: ClusterProgramsOptions,
): Promise<Located> {
  const provider = providers.find(({ name }) => name === spec.provider)!;
  const infrastructure = provider.capi(spec, { env: environment }).name as InfrastructureName;
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  return firstThatHas(all, async (content) => {
    const { everyImage } = await readRelease(content, minorOf(spec), infrastructure, spec.role);
    return { content, wanted: programOfRelease(everyImage, { program, image }, mirror) };
  });
}

function minorOf(spec: ClusterSpec): string {
  return spec.cluster.spec.kubernetesVersion;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** @returns undefined when there is no such file */
async function digestOfFile(path: string): Promise<Digest | undefined> {
  if (!(await isThere(path))) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}
