import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failureOf, temporaryFolders } from '../bundle/testing.ts';
import { signRelease } from './debian-signature.ts';

const folder = temporaryFolders(afterEach);
const homes = temporaryFolders(afterAll);
const run = promisify(execFile);
const key = 'one@example.test';
const outer = process.env['GNUPGHOME'];

beforeAll(async () => {
  process.env['GNUPGHOME'] = join(await homes(), 'gnupg');
  await mkdir(process.env['GNUPGHOME'], { mode: 0o700 });
  for (const name of [key, 'two@example.test']) {
    await run('gpg', ['--batch', '--passphrase', '', '--quick-generate-key', name, 'ed25519', 'sign', 'never']);
  }
});

afterAll(async () => {
  await run('gpgconf', ['--kill', 'gpg-agent']);
  if (outer === undefined) delete process.env['GNUPGHOME'];
  else process.env['GNUPGHOME'] = outer;
});

async function repository(): Promise<string> {
  const path = await folder();
  await writeFile(join(path, 'Release'), 'Origin: Sealift\n');
  return path;
}

describe('signing a Debian repository', () => {
  it('leaves signatures that another may check with the key beside them', async () => {
    const path = await repository();
    expect(await signRelease(path, key)).toEqual([]);
    expect(await readdir(path)).toEqual(['InRelease', 'Release', 'Release.gpg', 'sealift-archive-keyring.asc']);
    const ring = join(await folder(), 'ring.gpg');
    await run('gpg', ['--batch', '--dearmor', '--output', ring, join(path, 'sealift-archive-keyring.asc')]);
    await run('gpgv', ['--keyring', ring, join(path, 'InRelease')]);
    await run('gpgv', ['--keyring', ring, join(path, 'Release.gpg'), join(path, 'Release')]);
  });

  it('keeps a good signature, and signs again what changed or was signed by another', async () => {
    const path = await repository();
    const signature = (): Promise<string> => readFile(join(path, 'InRelease'), 'utf8');
    await signRelease(path, key);
    const first = await signature();
    await signRelease(path, key);
    expect(await signature()).toBe(first);
    await writeFile(join(path, 'Release'), 'Origin: Sealift\nSuite: other\n');
    await signRelease(path, key);
    expect(await signature()).toContain('Suite: other');
    const second = await signature();
    await signRelease(path, 'two@example.test');
    expect(await signature()).not.toBe(second);
  });

  it('removes signatures that no longer fit when there is no key', async () => {
    const path = await repository();
    await signRelease(path, key);
    expect(await signRelease(path, undefined)).toEqual([]);
    expect(await readdir(path)).toContain('InRelease');
    await writeFile(join(path, 'Release'), 'Origin: Sealift\nSuite: other\n');
    expect(await signRelease(path, undefined)).toEqual([expect.stringContaining('not signed any more')]);
    expect(await readdir(path)).toEqual(['Release', 'sealift-archive-keyring.asc']);
  });

  it('says what gpg said when it has no such key', async () => {
    const failure = await failureOf(signRelease(await repository(), 'nobody@example.test'));
    expect(failure.type).toBe('ToolFailed');
    expect(failure.text).toMatch(/nobody@example\.test.*\n.*gpg --list-secret-keys/s);
  });
});
