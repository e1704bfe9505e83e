import type { Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { parseReference } from '../oci/reference.ts';
import { inputError, type InputPosition } from './input-error.ts';

/** Parses an image or chart reference and blames the place in the input file where it stands. @throws SealiftError InvalidInput */
export function parseReferenceAt(text: string, position: InputPosition): ReturnType<typeof parseReference> {
  try {
    return parseReference(text);
  } catch (cause) {
    if (!(cause instanceof SealiftError)) throw cause;
    throw inputError(position, `"${text}" is not an image reference: ${cause.problem.message}`, {
      remedy: 'write it as HOST/PATH:TAG or HOST/PATH@sha256:HEX',
      cause,
    });
  }
}

/**
 * The digest a reference is to be pulled by: the one behind its `@`, or the one its source states beside it.
 * @throws SealiftError InvalidInput when the two are there and differ
 */
export function pinnedDigest(text: string, stated: Digest | undefined, position: InputPosition): Digest | undefined {
  const { digest } = parseReferenceAt(text, position);
  if (digest !== undefined && stated !== undefined && digest !== stated) {
    throw inputError(position, `"${text}" names one digest and ${stated} is stated beside it`);
  }
  return digest ?? stated;
}
