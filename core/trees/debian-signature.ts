import { execFile } from 'node:child_process';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';

/** The public half of the signing key, for the far side's `signed-by`. */
const KEYRING = 'sealift-archive-keyring.asc';

/**
 * Signs the Release file of a written Debian repository (`InRelease`, `Release.gpg`), and puts the public key beside it. A
 * signature that is there and good stays: signing again would give other bytes. Without a key, signatures of another
 * Release are removed, since apt would believe them before the file they no longer fit.
 *
 * @param key what the machine's `gpg` knows the key by
 * @returns what the operator should know
 * @throws SealiftError ToolMissing, ToolFailed with gpg's words
 */
export async function signRelease(folder: string, key: string | undefined): Promise<string[]> {
  const at = (name: string): string => join(folder, name);
  const release = await readFile(at('Release'), 'utf8');
  const signed = await readFile(at('InRelease'), 'utf8').catch(() => '');
  if (key === undefined) {
    if (signed === '' || signed.includes(release)) return [];
    await Promise.all(['InRelease', 'Release.gpg'].map((name) => rm(at(name), { force: true })));
    return [`${at('InRelease')} was of another Release and is removed: the repository is not signed any more`];
  }
  const fingerprints = fingerprintsIn(await gpg('--with-colons', '--list-secret-keys', key));
  if (signed.includes(release) && (await isSigned(folder, fingerprints))) return [];
  const sign = ['--yes', '--local-user', key, '--digest-algo', 'SHA512'];
  const steps: [name: string, args: string[]][] = [
    [KEYRING, ['--yes', '--armor', '--export', key]],
    ['Release.gpg', [...sign, '--armor', '--detach-sign', at('Release')]],
    ['InRelease', [...sign, '--clearsign', at('Release')]],
  ];
  for (const [name, args] of steps) {
    const part = at(`.${name}.part`);
    await gpg('--output', part, ...args);
    await rename(part, at(name));
  }
  return [];
}

async function isSigned(folder: string, fingerprints: readonly string[]): Promise<boolean> {
  const detached = [join(folder, 'Release.gpg'), join(folder, 'Release')];
  for (const files of [[join(folder, 'InRelease')], detached]) {
    // `VALIDSIG <fingerprint> ... <primary fingerprint>`: doc/DETAILS of GnuPG
    const status = await gpg('--status-fd', '1', '--verify', ...files).catch(() => '');
    const valid = /^\[GNUPG:\] VALIDSIG (.*)$/m.exec(status)?.[1]?.split(' ') ?? [];
    if (!valid.some((word) => fingerprints.includes(word))) return false;
  }
  return readFile(join(folder, KEYRING)).then(
    () => true,
    () => false,
  );
}

function fingerprintsIn(listing: string): string[] {
  return [...listing.matchAll(/^fpr:(?:[^:]*:){8}([0-9A-F]+):/gm)].map(([, fingerprint = '']) => fingerprint);
}

async function gpg(...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('gpg', ['--batch', '--no-tty', ...args]);
    return stdout;
  } catch (error) {
    const missing = errorCode(error) === 'ENOENT';
    throw new SealiftError(missing ? 'ToolMissing' : 'ToolFailed', {
      side: 'local',
      operation: 'sign Debian repository',
      subject: 'gpg',
      message: missing ? 'there is no gpg on this machine' : (error as Error).message.trim().slice(-1000),
      remedy: missing
        ? 'install gnupg, or leave out --deb-signing-key'
        : 'see that `gpg --list-secret-keys` of the user who runs the worker shows the key, and that it has no passphrase or the agent knows it',
      cause: error,
    });
  }
}
