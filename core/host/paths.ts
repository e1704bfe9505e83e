import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { HostPaths } from '../../contracts/host.ts';

/**
 * The three folders of Sealift, after the XDG Base Directory specification 0.8: `$XDG_*_HOME/sealift`, with the
 * specification's defaults below `$HOME`. A relative value is ignored, as the specification demands. Creates nothing.
 *
 * @param env the environment to read, usually `process.env`
 */
export function hostPaths(env: Record<string, string | undefined>): HostPaths {
  const home = env.HOME === undefined || env.HOME === '' ? homedir() : env.HOME;
  return {
    config: join(baseFolder(env.XDG_CONFIG_HOME, home, '.config'), 'sealift'),
    cache: join(baseFolder(env.XDG_CACHE_HOME, home, '.cache'), 'sealift'),
    state: join(baseFolder(env.XDG_STATE_HOME, home, '.local/state'), 'sealift'),
  };
}

function baseFolder(value: string | undefined, home: string, fallback: string): string {
  return value !== undefined && isAbsolute(value) ? value : join(home, fallback);
}
