import type { RegistryMirrorConfiguration } from '../../contracts/cluster-spec.ts';
import type { ReadableBundle } from '../bundle/reader.ts';
import type { ProgramFound, ProgramWanted } from '../bootstrap/image-programs.ts';
import { imageName } from '../bootstrap/provider-deployment.ts';
import { toolsImage } from './release.ts';
import type { ReleaseImage } from './release-images.ts';
import { mirroredReference } from './render/mirror.ts';

/**
 * Which image of a release a program of the bootstrap cluster is in.
 *
 * @param image what a Deployment runs, in the mirror or not: its entrypoint is the program; of the control plane's programs
 * each has an image of its own name
 */
export function programOfRelease(
  images: readonly ReleaseImage[],
  { program, image }: { program: string; image?: string | undefined },
  mirror: RegistryMirrorConfiguration | undefined,
): ProgramWanted | Extract<ProgramFound, { why: string }> {
  const found = images.find(({ reference }) =>
    image === undefined
      ? imageName(reference) === program
      : reference === image || mirroredReference(reference, mirror) === image,
  );
  if (found === undefined) return { why: `no image of the release is ${image ?? `named ${program}`}` };
  if (found.item === undefined) return { why: `its image ${found.reference} was left out of the bundle` };
  return { image: found.reference, root: found.item.digest, program, isEntrypoint: image !== undefined };
}

/** Programs that Sealift runs on the worker's machine, and that a release has an image of, whatever its clusters' version. */
const tools: readonly string[] = ['clusterctl', 'helm', 'govc'];

export function isTool(program: string): boolean {
  return tools.includes(program);
}

/** Where a bundle has a tool. @throws SealiftError InvalidInput when a manifest in it is malformed */
export async function toolOfBundle(
  bundle: ReadableBundle,
  program: string,
): Promise<ProgramWanted | Extract<ProgramFound, { why: string }>> {
  const image = await toolsImage(bundle);
  if (image === undefined) return { why: 'the bundle has no image of such tools' };
  const item = bundle.billOfMaterials.items.find(({ kind, reference }) => kind === 'image' && reference === image);
  if (item === undefined) return { why: `its image ${image} was left out of the bundle` };
  return { image, root: item.digest, program, isEntrypoint: false };
}
