import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ClusterOperationInput } from '../contracts/clusters.ts';
import type { Digest } from '../contracts/descriptor.ts';
import type { ClusterDependencies } from '../activities/clusters/tools.ts';
import type { FindInImages } from '../core/bootstrap/binaries.ts';
import { extractProgram, type ProgramFound } from '../core/bootstrap/image-programs.ts';
import { firstThatHas } from '../core/clusters/content.ts';
import { readRelease, type InfrastructureName } from '../core/clusters/release.ts';
import { programOfRelease } from '../core/clusters/release-programs.ts';
import type { ValidatedCluster } from '../core/clusters/workspace.ts';
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
 * Finds the programs of bootstrap clusters in the images that operations make clusters of. What was found is remembered for as
 * long as the process lives, and in the cluster's folder: a bundle is opened once, and what was taken out of it is there
 * for the cluster's deletion too, which may be given none.
 */
export function clusterPrograms(options: ClusterProgramsOptions): (input: ClusterOperationInput) => FindInImages {
  const known = new Map<string, Promise<ProgramFound>>();
  return (input) => async (program, image) => {
    const workspace = options.workspace(input);
    const validated = await workspace.findValidated();
    if (validated === undefined) return { why: 'the cluster was not validated yet' };
    const key = JSON.stringify([contentOf(input, validated), minorOf(validated), program, image]);
    const unique = `${workspace.path} ${key}`;
    const earlier = await known.get(unique)?.catch(() => undefined);
    if (earlier !== undefined && (!('path' in earlier) || (await isThere(earlier.path)))) return earlier;
    const file = join(workspace.path, 'programs', `${program}.json`);
    const finding = findOnce({ input, validated, program, image, key, file }, options);
    known.set(unique, finding);
    return finding;
  };
}

interface Asked {
  input: ClusterOperationInput;
  validated: ValidatedCluster;
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

async function take(
  { input, validated, program, image }: Asked,
  { contents, providers, environment, folder }: ClusterProgramsOptions,
): Promise<ProgramFound> {
  const { spec, content: identity } = validated;
  await using opened = await contents(input, { spec, ...(identity === undefined ? {} : { identity }) });
  const provider = providers.find(({ name }) => name === spec.provider)!;
  const infrastructure = provider.capi(spec, { env: environment }).name as InfrastructureName;
  const { content, release } = await firstThatHas(opened.all, async (one) => ({
    content: one,
    release: await readRelease(one, minorOf(validated), infrastructure),
  }));
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  const wanted = programOfRelease(release.everyImage, { program, image }, mirror);
  if ('why' in wanted) return wanted;
  return await extractProgram(content, wanted, { folder, signal: new AbortController().signal });
}

function contentOf({ content }: ClusterOperationInput, validated: ValidatedCluster): unknown {
  return content.bundle?.digest ?? validated.content ?? content.registry;
}

function minorOf({ spec }: ValidatedCluster): string {
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
