import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { DIGEST_PATTERN, type Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { errorCode, writeFileAtomically } from '../host/atomic-file.ts';

/** What one reference stood for when the lock was made. */
export interface LockedItem {
  digest: Digest;
  /** signatures, SBOMs and attestations that came along, with the tag of those that are attached by tag */
  attached: { digest: Digest; tag?: string }[];
}

const digestShape = z
  .string()
  .regex(DIGEST_PATTERN, 'must be sha256:<64 hex digits>')
  .transform((text) => text as Digest);
const lockShape = z.strictObject({
  schemaVersion: z.literal(1),
  items: z.record(
    z.string(),
    z.strictObject({
      digest: digestShape,
      attached: z.array(z.strictObject({ digest: digestShape, tag: z.string().min(1).exactOptional() })).default([]),
    }),
  ),
});

/**
 * Reads what each reference stood for when the lock was made: an export with it gives the same bundle whatever the tags
 * say now, and whatever was signed since.
 * @returns undefined when there is no such file yet
 * @throws SealiftError InvalidInput naming file and field
 */
export async function readLockFile(path: string): Promise<ReadonlyMap<string, LockedItem> | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw invalid(path, error instanceof Error ? error.message : String(error));
  });
  if (text === undefined) return undefined;
  const { data, error } = lockShape.safeParse(parsed(path, text));
  if (data === undefined) throw invalid(path, z.prettifyError(error));
  return new Map(Object.entries(data.items));
}

export async function writeLockFile(path: string, items: ReadonlyMap<string, LockedItem>): Promise<void> {
  const sorted = Object.fromEntries(
    [...items]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([reference, { digest, attached }]) => [
        reference,
        { digest, ...(attached.length === 0 ? {} : { attached }) },
      ]),
  );
  await writeFileAtomically(path, stringify({ schemaVersion: 1, items: sorted }, { lineWidth: 0 }));
}

function parsed(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error));
  }
}

function invalid(path: string, message: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read lock file',
    subject: path,
    message,
    remedy: 'give a lock file that an export wrote, or a path where there is none yet',
  });
}
