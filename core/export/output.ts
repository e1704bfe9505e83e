import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ExportArtifactsInput } from '../../contracts/operations.ts';
import { SealiftError } from '../errors.ts';

/** @throws SealiftError OutputExists when it is there and `force` is off, PathUnwritable when its folder can't be written */
export async function checkOutput({ output, force }: Pick<ExportArtifactsInput, 'output' | 'force'>): Promise<void> {
  const present = await stat(output).catch(() => undefined);
  if (present?.isDirectory() === true || (present !== undefined && !force)) {
    throw new SealiftError('OutputExists', {
      side: 'local',
      operation: 'export to',
      subject: output,
      message: present.isDirectory() ? 'it is a folder' : 'the file is there already',
      remedy: present.isDirectory() ? 'name a file in it' : 'choose another --output, remove the file, or use --force',
    });
  }
  const folder = dirname(output);
  await access(folder, constants.W_OK).catch((error: unknown) => {
    throw new SealiftError('PathUnwritable', {
      side: 'local',
      operation: 'write into folder',
      subject: folder,
      message: error instanceof Error ? error.message : String(error),
      remedy: 'make the folder, or make it writable for the user the worker runs as, then retry',
      cause: error,
    });
  });
}
