import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';

const remedies: Record<string, string> = {
  ENOENT: 'make the folder first, or choose another output',
  ENOTDIR: 'choose an output whose folder is a folder',
  EISDIR: 'choose an output that is a file',
  EROFS: 'choose an output on a file system that is not read-only',
  EFBIG: 'choose an output on a file system that takes files of this size',
};

/**
 * An error of the file system as DiskFull (ENOSPC, EDQUOT) or PathUnwritable (all others), with path and remedy. A
 * SealiftError passes through.
 */
export function diskError(error: unknown, operation: string, path: string): SealiftError {
  if (error instanceof SealiftError) return error;
  const code = errorCode(error) ?? '';
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new SealiftError(full ? 'DiskFull' : 'PathUnwritable', {
    side: 'local',
    operation,
    subject: path,
    message: error instanceof Error ? error.message : String(error),
    remedy: full
      ? code === 'EDQUOT'
        ? 'raise the quota or free some of it; what is there already is kept'
        : 'free some room on that disk; what is there already is kept'
      : (remedies[code] ?? 'give write permission for the file and its folder'),
    cause: error,
  });
}
