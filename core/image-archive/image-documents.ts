import { z } from 'zod';
import type { Descriptor } from '../../contracts/descriptor.ts';
import { Annotation } from '../../contracts/media-types.ts';
import { maxJsonSize, parseBoundedJson } from '../bundle/bounded-json.ts';
import { SealiftError } from '../errors.ts';
import { ManifestReader } from '../oci/manifest-reader.ts';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import { archiveError } from './archive-error.ts';
import type { TarIndex } from './tar-index.ts';

/** What a tar says it holds. `names` are canonical references by tag, or by digest where there is no tag; there may be none. */
export type ListedImage = { names: string[] } & (
  { form: 'oci'; root: Descriptor } | { form: 'docker'; config: string; layers: string[] }
);

export const OCI_INDEX = 'index.json';
export const DOCKER_MANIFEST = 'manifest.json';

/** What older versions of Docker write for an image that has no tag. */
const NO_TAG = '<none>:<none>';

/** manifest.json (Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format"), as far as it is used. */
const dockerShape = z.array(
  z.looseObject({
    Config: z.string().min(1),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string().min(1)).nullish(),
  }),
);

/** Whether a tar holds images by itself, and not tars of images. */
export function holdsImages(tar: TarIndex): boolean {
  return tar.find(OCI_INDEX) !== undefined || tar.find(DOCKER_MANIFEST) !== undefined;
}

/**
 * The images that a tar holds. Where an OCI layout names them its own manifests count, so that digests stay; Docker's
 * manifest.json beside it, or alone, is the other way to say it.
 * @throws SealiftError InvalidInput naming the document
 */
export async function listedImages(tar: TarIndex): Promise<ListedImage[]> {
  const layout = tar.find(OCI_INDEX) === undefined ? [] : await layoutImages(tar);
  if (layout.some(({ names }) => names.length > 0) || tar.find(DOCKER_MANIFEST) === undefined) return layout;
  return dockerImages(tar);
}

async function layoutImages(tar: TarIndex): Promise<ListedImage[]> {
  const bytes = await tar.content(OCI_INDEX, maxJsonSize);
  const descriptors = blaming(tar, OCI_INDEX, () => {
    const reader = new ManifestReader(bytes);
    return reader.list(reader.document()['manifests'], 'manifests');
  });
  const images = new Map<string, { names: Reference[]; root: Descriptor }>();
  for (const { annotations = {}, ...root } of descriptors) {
    const image = images.get(root.digest) ?? { names: new Array<Reference>(), root };
    image.names.push(...layoutNames(annotations[Annotation.containerdName] ?? annotations[Annotation.refName]));
    images.set(root.digest, image);
  }
  return [...images.values()].map(({ names, root }) => ({ form: 'oci', names: preferred(names), root }));
}

async function dockerImages(tar: TarIndex): Promise<ListedImage[]> {
  const bytes = await tar.content(DOCKER_MANIFEST, maxJsonSize);
  const { data, error } = dockerShape.safeParse(blaming(tar, DOCKER_MANIFEST, () => parseBoundedJson(bytes)));
  if (data === undefined) throw archiveError(tar.shownAs(DOCKER_MANIFEST), z.prettifyError(error));
  return data.map(({ Config, RepoTags, Layers }) => ({
    form: 'docker',
    names: preferred((RepoTags ?? []).filter((name) => name !== NO_TAG).map((name) => dockerName(tar, name))),
    config: Config,
    layers: Layers ?? [],
  }));
}

/** A ref.name is any text (image-spec v1.1, annotations.md): a tag alone names no image, nor does what is no reference. */
function layoutNames(text: string | undefined): Reference[] {
  try {
    return text !== undefined && /[:/]/.test(text) ? [parseReference(text)] : [];
  } catch {
    return [];
  }
}

function dockerName(tar: TarIndex, text: string): Reference {
  return blaming(tar, DOCKER_MANIFEST, () => parseReference(text));
}

/** What has a tag is known by it; its digest says no more than the manifest does. */
function preferred(names: readonly Reference[]): string[] {
  const tagged = names.some(({ tag }) => tag !== undefined);
  const kept = names.filter(({ tag }) => tag !== undefined || !tagged);
  return [...new Set(kept.map(nameOf))];
}

/** How an image is known in an archive: `host/repository:tag`, or `host/repository@digest` where it has no tag. */
export function nameOf({ host, repository, tag, digest }: Reference): string {
  return formatReference({
    host,
    repository,
    ...(tag !== undefined ? { tag } : digest !== undefined ? { digest } : {}),
  });
}

function blaming<T>(tar: TarIndex, document: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const message = cause instanceof SealiftError ? cause.problem.message : (cause as Error).message;
    throw archiveError(tar.shownAs(document), message, { cause });
  }
}
