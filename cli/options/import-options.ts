import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ImportArtifactsInput, TreeName } from '../../contracts/operations.ts';
import { CliError } from '../cli-error.ts';
import type { RunOptions } from './operation-options.ts';
import type { DestinationOptions } from './registry-options.ts';

/** What the options of `import artifacts` say. */
export interface ImportOptions extends Partial<DestinationOptions>, RunOptions {
  input: string;
  filesDir?: string;
  charmsDir?: string;
  debDir?: string;
  pypiDir?: string;
  helmDir?: string;
  debSigningKey?: string;
}

/** Where a bundle is laid out as files. */
export type TreeDestinations = Pick<ImportArtifactsInput, 'trees' | 'debSigningKey'>;

/** Adds the options that lay a bundle out as files. */
export function addTreeOptions(command: Command): Command {
  return command
    .option('--files-dir <folder>', 'write files here, by the host and path of their URL')
    .option('--charms-dir <folder>', 'write charms here')
    .option('--deb-dir <folder>', 'write a Debian repository here')
    .option('--deb-signing-key <key>', "sign the Debian repository with this key of gpg's keyring")
    .option('--pypi-dir <folder>', 'write a Python package index here')
    .option('--helm-dir <folder>', 'write a Helm repository here');
}

/**
 * The folders that the options name, made absolute.
 *
 * @throws CliError InvalidInput when there is neither a folder nor a registry, or one folder is to be two things
 */
export function treeOptions(
  options: ImportOptions,
  cwd: string,
): Pick<ImportArtifactsInput, 'trees' | 'debSigningKey'> {
  const { registry, filesDir, charmsDir, debDir, pypiDir, helmDir, debSigningKey } = options;
  const given: [TreeName, string | undefined][] = [
    ['files', filesDir],
    ['charms', charmsDir],
    ['deb', debDir],
    ['pypi', pypiDir],
    ['helm', helmDir],
  ];
  const trees = given.flatMap(([tree, folder]) =>
    folder === undefined ? [] : [[tree, resolve(cwd, folder)] as const],
  );
  if (trees.length === 0 && registry === undefined) {
    throw invalid(
      '--registry',
      'neither a registry nor a folder is given',
      'give --registry, --files-dir or another --*-dir',
    );
  }
  if (debSigningKey !== undefined && debDir === undefined) {
    throw invalid('--deb-signing-key', 'there is no Debian repository to sign', 'give --deb-dir too');
  }
  for (const [index, [tree, folder]] of trees.entries()) {
    const [other] = trees.slice(0, index).find((earlier) => earlier[1] === folder) ?? [];
    if (other === undefined) continue;
    throw invalid(folder, `it is given for ${other} and for ${tree}`, 'give each a folder of its own');
  }
  return {
    ...(trees.length === 0 ? {} : { trees: Object.fromEntries(trees) }),
    ...(debSigningKey === undefined ? {} : { debSigningKey }),
  };
}

function invalid(subject: string, message: string, remedy: string): CliError {
  return new CliError('InvalidInput', { operation: 'choose destination', subject, message, remedy });
}
