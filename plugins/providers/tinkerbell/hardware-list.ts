import { readFile } from 'node:fs/promises';
import type { Finding } from '../../../contracts/clusters.ts';
import type { ProviderContext } from '../../../contracts/provider-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { parseHardwareCsv, type Hardware } from './hardware-csv.ts';

/** Reads the hardware list of an operation, see parseHardwareCsv; undefined when it has none. */
export async function readHardware({
  hardwareCsv: file,
}: Pick<ProviderContext, 'hardwareCsv'>): Promise<{ hardware: Hardware[]; findings: Finding[] } | undefined> {
  if (file === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const remedy = 'give the path of the hardware list with --hardware-csv';
    return { hardware: [], findings: [{ id: 'hardware.file', status: 'problem', subject: file, message, remedy }] };
  }
  return parseHardwareCsv(file, bytes);
}

/**
 * The hardware of the list, all of which has to be right.
 * @returns nothing when the operation has no list
 * @throws SealiftError ValidationFailed with the first of its faults: preflight has told all of them, so it was changed since
 */
export async function requireHardware(context: Pick<ProviderContext, 'hardwareCsv'>): Promise<Hardware[]> {
  const list = await readHardware(context);
  const fault = list?.findings.find(({ status }) => status === 'problem');
  if (fault === undefined) return list?.hardware ?? [];
  const { file, line } = fault.position ?? { file: fault.subject, line: undefined };
  throw new SealiftError('ValidationFailed', {
    side: 'local',
    operation: 'read hardware list',
    subject: line === undefined ? file : `${file}:${line}`,
    message: fault.message,
    remedy: fault.remedy,
  });
}
