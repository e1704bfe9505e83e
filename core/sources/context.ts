import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { SourceContext } from '../../contracts/source-plugin.ts';
import { errorCode } from '../host/atomic-file.ts';
import { runTool } from '../host/run-tool.ts';
import { listImagesIn } from '../image-archive/list-images.ts';
import { openKubernetes } from '../kubernetes/api.ts';
import { readKubeconfig } from '../kubernetes/kubeconfig.ts';
import { readArchiveEntry } from './archive-entry.ts';
import { readFailure } from './read-local.ts';

/**
 * What a source plugin may do on this machine.
 * @param scratch made when it is first asked for
 */
export function createSourceContext(options: {
  read: SourceContext['read'];
  warn: SourceContext['warn'];
  scratch: string;
}): SourceContext {
  const { read, warn } = options;
  const run: SourceContext['run'] = (command, args, asked) => runTool(command, args, { ...asked, side: 'source' });
  async function scratch(): Promise<string> {
    await mkdir(options.scratch, { recursive: true });
    return options.scratch;
  }
  return {
    read,
    warn,
    names,
    readEntry: readArchiveEntry,
    images: (archive) => listImagesIn(archive, { scratch, warn, hash: (path) => hashFile(path, 'sha256') }),
    hash: hashFile,
    size: sizeOf,
    scratch,
    run,
    kubernetes: async (kubeconfig, name) => openKubernetes(await readKubeconfig(kubeconfig, name, { read, run })),
  };
}

async function names(location: string): Promise<string[] | undefined> {
  try {
    const entries = await readdir(location, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (['ENOTDIR', 'ENOENT'].includes(errorCode(error) ?? '')) return undefined;
    throw readFailure(error, location, 'source');
  }
}

async function hashFile(location: string, algorithm: 'sha256' | 'sha3-384'): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(location), hash).catch((error: unknown) => {
    throw readFailure(error, location, 'source');
  });
  return hash.digest('hex');
}

async function sizeOf(location: string): Promise<number> {
  const found = await stat(location).catch((error: unknown) => {
    throw readFailure(error, location, 'source');
  });
  return found.size;
}
