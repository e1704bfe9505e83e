import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signRelease } from '../trees/debian-signature.ts';
import type { FileTree } from '../trees/tree.ts';

/**
 * A Debian repository with its Release signed: adds `InRelease`, `Release.gpg` and the public key.
 *
 * @param key what the machine's `gpg` knows the key by
 * @throws SealiftError ToolMissing, ToolFailed
 */
export async function signDebianTree(tree: FileTree, key: string): Promise<FileTree> {
  const release = tree.files.get('Release');
  if (release?.kind !== 'bytes') return tree;
  const folder = await mkdtemp(join(tmpdir(), 'sealift-sign-'));
  try {
    await writeFile(join(folder, 'Release'), release.bytes);
    const warnings = await signRelease(folder, key);
    const files = new Map(tree.files);
    for (const name of await readdir(folder)) {
      files.set(name, { kind: 'bytes', bytes: await readFile(join(folder, name)) });
    }
    return { files, warnings: [...tree.warnings, ...warnings] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
