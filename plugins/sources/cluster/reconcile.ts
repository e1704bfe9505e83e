import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { Digest } from '../../../contracts/descriptor.ts';
import { formatReference, parseReference, type Reference } from '../../../core/oci/reference.ts';
import type { ImageUse } from './uses.ts';

/** How many pods a warning names. */
const NAMED = 5;

/** One tag (or digest, where there is no tag) and everything that asks for it. */
interface AskedImage {
  /** as it was first asked for, without a digest behind a tag */
  spelling: string;
  reference: Reference;
  foundAt: string;
  /** what is asked for or runs -> where */
  digests: Map<Digest, string[]>;
  /** what runs, where that cannot be fetched by its digest -> where */
  otherwise: Map<string, string[]>;
}

/**
 * One item for each image that is asked for, by the digest that really runs. What runs beside that under the same tag becomes
 * an item of its own, by digest.
 */
export function reconciledItems(uses: readonly ImageUse[], warn: (message: string) => void): SourceItem[] {
  const asked = new Map<string, AskedImage>();
  for (const use of uses) {
    const reference = referenceOf(use, warn);
    if (reference !== undefined) addUse(asked, use, reference, warn);
  }
  return [...asked.values()].flatMap((image) => itemsOf(image, warn));
}

function referenceOf({ image, place }: ImageUse, warn: (message: string) => void): Reference | undefined {
  try {
    return parseReference(image);
  } catch {
    warn(`${place} asks for "${image}", which is not an image reference: it is left out`);
    return undefined;
  }
}

function addUse(
  asked: Map<string, AskedImage>,
  use: ImageUse,
  reference: Reference,
  warn: (message: string) => void,
): void {
  const { host, repository, tag, digest } = reference;
  const key = tag === undefined ? formatReference(reference) : formatReference({ host, repository, tag });
  const image = asked.get(key) ?? newImage(use, reference);
  asked.set(key, image);
  const running = runningDigest(use, reference);
  if (digest !== undefined && running !== undefined && running !== digest) {
    warn(`${use.place} asks for ${use.image}, and ${running} runs there: what is asked for is carried`);
  }
  const known = digest ?? running;
  if (known !== undefined) remember(image.digests, known, use.place);
  else if (use.imageId !== undefined) remember(image.otherwise, use.imageId, use.place);
}

function newImage({ image, place }: ImageUse, reference: Reference): AskedImage {
  const spelling = reference.tag === undefined ? image : image.split('@', 1)[0]!;
  return { spelling, reference, foundAt: place, digests: new Map(), otherwise: new Map() };
}

function remember<K>(map: Map<K, string[]>, key: K, place: string): void {
  map.set(key, [...(map.get(key) ?? []), place]);
}

/**
 * The digest in an imageID, when it is one by which the registry knows the image: `[docker-pullable://]REPOSITORY@sha256:HEX`
 * of the same repository. A bare `sha256:HEX` is the digest of the image's config.
 */
function runningDigest({ imageId }: ImageUse, asked: Reference): Digest | undefined {
  if (imageId === undefined) return undefined;
  try {
    const running = parseReference(imageId.replace(/^[a-z-]+:\/\//, ''));
    return running.host === asked.host && running.repository === asked.repository ? running.digest : undefined;
  } catch {
    return undefined;
  }
}

function itemsOf(image: AskedImage, warn: (message: string) => void): SourceItem[] {
  const { spelling, reference, foundAt } = image;
  const [first, ...others] = [...image.digests].sort(byUse);
  const name = reference.repository.slice(reference.repository.lastIndexOf('/') + 1);
  const item: SourceItem = { kind: 'image', name, reference: spelling, foundAt };
  const [unknown] = image.otherwise;
  if (unknown !== undefined) warn(unknownText(spelling, image.otherwise, first?.[0]));
  if (first === undefined) return [item];
  if (others.length > 0) {
    const list = [first, ...others].map(([digest, places]) => `${digest} in ${placesText(places)}`).join('; ');
    warn(
      `${spelling} runs with ${others.length + 1} digests: ${list}. The tag gets the first, the others are carried by digest`,
    );
  }
  const { host, repository } = reference;
  return [
    { ...item, digest: first[0] },
    ...others.map(([digest, [place = '']]): SourceItem => ({
      ...{ kind: 'image', name, reference: formatReference({ host, repository, digest }), digest, foundAt: place },
    })),
  ];
}

/** What most containers run comes first; of equals the smaller digest, so that the choice does not hang on the order. */
function byUse([a, inA]: [Digest, string[]], [b, inB]: [Digest, string[]]): number {
  if (inA.length !== inB.length) return inB.length - inA.length;
  return a < b ? -1 : 1;
}

function unknownText(spelling: string, otherwise: AskedImage['otherwise'], digest: Digest | undefined): string {
  const list = [...otherwise].map(([id, places]) => `${id} in ${placesText(places)}`).join('; ');
  const taken = digest === undefined ? 'the tag is carried as its registry has it' : `${digest} is carried`;
  return `${spelling}: what runs has no digest in that repository (imported by hand, or another name of the image): ${list}; ${taken}`;
}

function placesText(places: readonly string[]): string {
  const more = places.length > NAMED ? ` and ${places.length - NAMED} more` : '';
  return places.slice(0, NAMED).join(', ') + more;
}
