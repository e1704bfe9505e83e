import { SealiftError } from '../errors.ts';
import { inputError } from '../sources/input-error.ts';

const REMEDY = 'make the archive again (`docker save`, `skopeo copy`), or fetch it again from where it was made';

/** An archive of images, or an entry of one, that is not what it should be. Returned, not thrown. `shownAs` is `FILE[/ENTRY]...`. */
export function archiveError(
  shownAs: string,
  message: string,
  options: { remedy?: string; cause?: unknown } = {},
): SealiftError {
  return inputError({ file: shownAs }, message, { remedy: REMEDY, ...options });
}

/** An entry whose bytes are others than its name, its descriptor or the image's config says. Returned, not thrown. */
export function entryMismatch(shownAs: string, message: string): SealiftError {
  return new SealiftError('DigestMismatch', {
    side: 'source',
    operation: 'check digest of',
    subject: shownAs,
    message,
    remedy: `the archive is damaged or was altered: ${REMEDY}`,
  });
}
