import { z } from 'zod';

/** A text of the archive before it is redacted. */
export interface RawText {
  /** below the folder of what it comes from */
  path: string;
  text: string;
}

/** Of each log its end. */
export const MAX_LOG_BYTES = 1024 * 1024;

/** Why something could not be read, in one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof DOMException) return 'it did not answer in time';
  const message = error instanceof z.ZodError ? 'the answer is not of its kind' : (error as Error).message;
  return message.split('\n')[0] ?? '';
}
