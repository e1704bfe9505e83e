import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { authorizationOf } from './push.ts';
import type { RegistryCredentials } from './registry.ts';
import type { SealiftHome } from './sealift.ts';

/** Writes a home's `~/.docker/config.json`, as `docker login` does. */
export async function logIn(home: SealiftHome, accounts: Record<string, RegistryCredentials>): Promise<void> {
  const folder = join(home.path, '.docker');
  await mkdir(folder, { recursive: true });
  const auths = Object.entries(accounts).map(([host, credentials]) => {
    const auth = (authorizationOf(credentials)['authorization'] ?? '').replace('Basic ', '');
    return [host, { auth }];
  });
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: Object.fromEntries(auths) as object }));
}
