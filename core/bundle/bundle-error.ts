import { SealiftError } from '../errors.ts';

/** Where in a bundle something is wrong. */
export interface BundlePosition {
  /** path or URL of the tar */
  path: string;
  /** byte offset in the tar */
  offset: number;
  /** name of the tar entry, when it is known */
  entry?: string;
}

export const corruptRemedy =
  'fetch the bundle again and compare its sha256sum with the one at its origin, or export it again';
const unsafeRemedy = 'do not use this file; export the bundle again, or find out who changed it';

/** BundleCorrupt: bytes are missing, altered, or not what a bundle has there. */
export function corruptBundle(at: BundlePosition, message: string, remedy = corruptRemedy): SealiftError {
  return new SealiftError('BundleCorrupt', describe(at, message, remedy));
}

/** BundleUnsafe: a well-formed tar entry that no bundle may hold. */
export function unsafeBundle(at: BundlePosition, message: string): SealiftError {
  return new SealiftError('BundleUnsafe', describe(at, message, unsafeRemedy));
}

function describe(at: BundlePosition, message: string, remedy: string) {
  const entry = at.entry === undefined ? '' : `entry ${JSON.stringify(at.entry)} `;
  return {
    side: 'source' as const,
    operation: 'read bundle',
    subject: at.path,
    message: `${entry}at byte offset ${at.offset}: ${message}`,
    remedy,
  };
}
