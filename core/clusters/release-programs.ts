import type { RegistryMirrorConfiguration } from '../../contracts/cluster-spec.ts';
import type { ProgramFound, ProgramWanted } from '../bootstrap/image-programs.ts';
import { imageName } from '../bootstrap/provider-deployment.ts';
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
