import { SealiftError } from '../errors.ts';

/** An InvalidInput about what `sealift generate node-config` was asked; `subject` is the option. Returned, not thrown. */
export function requestError(subject: string, message: string, remedy: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'generate node configuration from',
    subject,
    message,
    remedy,
  });
}
