import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/helpers/paths.ts';
import { createCredentialStore, type Credentials, type CredentialStore } from './credentials.ts';

/** A store over one docker config.json, with helper programs that are small shell scripts. */
async function storeIn(
  home: string,
  config: unknown,
  options: { helpers?: Record<string, string>; env?: NodeJS.ProcessEnv; useEnvironment?: boolean } = {},
): Promise<CredentialStore> {
  const folder = path.join(home, '.docker');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  for (const [name, script] of Object.entries(options.helpers ?? {})) {
    const program = path.join(home, `docker-credential-${name}`);
    await writeFile(program, `#!/bin/sh\n${script}\n`);
    await chmod(program, 0o755);
  }
  const env = { PATH: `${home}:/usr/bin:/bin`, ...options.env };
  return createCredentialStore({ env, home, useEnvironment: options.useEnvironment ?? false });
}

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') });
const answer = (username: string, secret: string): string =>
  `read host; echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"${username}\\",\\"Secret\\":\\"${secret}-$host\\"}"`;

describe('auths', () => {
  it.each<[string, string, unknown, Credentials | undefined]>([
    ['a bare host', 'r.example:5000', { 'r.example:5000': auth('u:p:q') }, { username: 'u', password: 'p:q' }],
    ['a URL', 'r.example', { 'https://r.example/v1/': auth('u:p') }, { username: 'u', password: 'p' }],
    ['Docker Hub', 'docker.io', { 'https://index.docker.io/v1/': auth('u:p') }, { username: 'u', password: 'p' }],
    ['an identity token', 'r.example', { 'r.example': { ...auth('u:'), identitytoken: 'i' } }, { identityToken: 'i' }],
    ['plain fields', 'r.example', { 'r.example': { username: 'u', password: 'p' } }, { username: 'u', password: 'p' }],
    ['another port', 'r.example:5000', { 'r.example': auth('u:p') }, undefined],
    ['a path', 'r.example', { 'r.example/team': auth('u:p') }, undefined],
    ['nothing', 'r.example', { 'r.example': {} }, undefined],
  ])('by %s', async (_what, host, auths, expected) => {
    await using home = await temporaryFolder('credentials');
    expect(await (await storeIn(home.path, { auths })).lookup(host)).toEqual(expected);
  });

  it('are read again at every lookup', async () => {
    await using home = await temporaryFolder('credentials');
    const store = await storeIn(home.path, { auths: { r: auth('u:old') } });
    expect(await store.lookup('r')).toEqual({ username: 'u', password: 'old' });
    await storeIn(home.path, { auths: { r: auth('u:new') } });
    expect(await store.lookup('r')).toEqual({ username: 'u', password: 'new' });
  });
});

describe('helpers', () => {
  it('are asked by host; a refresh token is an identity token', async () => {
    await using home = await temporaryFolder('credentials');
    const config = { credHelpers: { 'r.example': 'one', 'docker.io': 'two' }, auths: { 'r.example': auth('u:p') } };
    const store = await storeIn(home.path, config, {
      helpers: { one: answer('AWS', 's'), two: answer('<token>', 't') },
    });
    expect(await store.lookup('r.example')).toEqual({ username: 'AWS', password: 's-r.example' });
    expect(await store.lookup('docker.io')).toEqual({ identityToken: 't-https://index.docker.io/v1/' });
  });

  it('of everything give way to auths when they know nothing, or are not there', async () => {
    await using home = await temporaryFolder('credentials');
    const helpers = { store: 'echo "credentials not found in native keychain"; exit 1' };
    for (const credsStore of ['store', 'absent']) {
      const store = await storeIn(home.path, { credsStore, auths: { r: auth('u:p') } }, { helpers });
      expect(await store.lookup('r')).toEqual({ username: 'u', password: 'p' });
    }
  });

  it.each([
    ['fails', { credHelpers: { r: 'bad' } }],
    ['is absent', { credHelpers: { r: 'absent' } }],
    ['is a path', { credHelpers: { r: '../../bin/sh' } }],
  ])('that %s are named, and what they say is not', async (_what, config) => {
    await using home = await temporaryFolder('credentials');
    const store = await storeIn(home.path, config, { helpers: { bad: 'echo canary; echo canary >&2; exit 1' } });
    const error = await store.lookup('r').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'RegistryUnauthorized' });
    expect(String(error)).not.toContain('canary');
  });
});

describe('places', () => {
  it('are docker config, REGISTRY_AUTH_FILE and, where wanted, the environment', async () => {
    await using home = await temporaryFolder('credentials');
    const authFile = path.join(home.path, 'auth.json');
    await writeFile(authFile, JSON.stringify({ auths: { b: auth('file:p') } }));
    const env = { REGISTRY_AUTH_FILE: authFile, REGISTRY_USERNAME: 'env', REGISTRY_PASSWORD: 'p' };
    const store = await storeIn(home.path, { auths: { a: auth('docker:p') } }, { env, useEnvironment: true });
    const users = await Promise.all(['a', 'b', 'c'].map(async (host) => store.lookup(host)));
    expect(users).toMatchObject([{ username: 'docker' }, { username: 'file' }, { username: 'env' }]);
    expect(store.places()).toEqual([
      path.join(home.path, '.docker', 'config.json'),
      authFile,
      'REGISTRY_USERNAME and REGISTRY_PASSWORD',
    ]);
    const source = await storeIn(home.path, {}, { env });
    expect(await source.lookup('c')).toBeUndefined();
  });

  it('may be empty', async () => {
    await using home = await temporaryFolder('credentials');
    const store = createCredentialStore({ env: { DOCKER_CONFIG: path.join(home.path, 'none') } });
    expect(await store.lookup('r')).toBeUndefined();
  });

  it.each(['{"auths": canary}', '[', '"text"'])('that hold %s are named without being quoted', async (text) => {
    await using home = await temporaryFolder('credentials');
    const error = await (await storeIn(home.path, text)).lookup('r').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'RegistryUnauthorized' });
    expect(String(error)).toContain('config.json');
    expect(String(error)).not.toContain('canary');
  });
});
