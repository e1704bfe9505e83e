import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Of } from './proving-ground.ts';

/** path -> sha256 of every file below a folder, sorted by path; signatures are left out, for they hold the time */
export async function treeContents(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !/^(InRelease|Release\.gpg)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(
    await Promise.all(
      paths.map(async (path): Promise<[string, string]> => [path.slice(folder.length + 1), await sha256Of(path)]),
    ),
  );
}
