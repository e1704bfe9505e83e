import { execFile } from 'node:child_process';
import { access, constants, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { HostPaths } from '../../contracts/host.ts';
import { SealiftError } from '../errors.ts';

const run = promisify(execFile);

export interface TemporalBinaryOptions {
  paths: HostPaths;
  /** the checkout: holds `.cache/bin/temporal` after set-up, and `tools/temporal/go.mod` with the pinned version */
  toolsRoot: string;
  env: Record<string, string | undefined>;
  /** where Temporal's own archives are, e.g. `https://temporal.download/cli/archive` */
  downloadBase: string;
  progress: (line: string) => void;
}

/**
 * The path of a `temporal` executable: on PATH, in the checkout's `.cache/bin`, in Sealift's cache; else downloaded into
 * the cache from Temporal's own place; else built there by Go from the pinned module in `tools/temporal`.
 *
 * @throws SealiftError TemporalUnreachable, with everything that was tried
 */
export async function temporalBinary(options: TemporalBinaryOptions): Promise<string> {
  const version = await pinnedVersion(options.toolsRoot);
  const cached = join(options.paths.cache, 'bin', `temporal-${version}`);
  const onPath = (options.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, 'temporal'));
  for (const candidate of [...onPath, join(options.toolsRoot, '.cache/bin/temporal'), cached]) {
    if (await isExecutable(candidate)) return candidate;
  }

  const tried = ['no `temporal` on PATH, in the checkout or in the cache'];
  for (const obtain of [download, build]) {
    try {
      await obtain(options, version, cached);
      return cached;
    } catch (error) {
      tried.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new SealiftError('TemporalUnreachable', {
    side: 'temporal',
    operation: 'find server program',
    subject: `temporal ${version}`,
    message: tried.join('; '),
    remedy: `put Temporal's CLI on PATH or at ${cached}, or set TEMPORAL_ADDRESS to a Temporal that runs`,
  });
}

async function download(options: TemporalBinaryOptions, version: string, destination: string): Promise<void> {
  options.progress(`downloading Temporal CLI ${version}`);
  // HTTP client and tar reader are loaded for this rare case only: every command passes through this file.
  const { downloadTemporal } = await import('./temporal-download.ts');
  await downloadTemporal({ base: options.downloadBase, version, destination, env: options.env });
}

async function build(options: TemporalBinaryOptions, version: string, destination: string): Promise<void> {
  options.progress(`building Temporal CLI ${version} with Go; this takes minutes, once`);
  const partial = `${destination}.${process.pid}.partial`;
  try {
    await mkdir(join(options.paths.cache, 'bin'), { recursive: true });
    await run('go', ['build', '-o', partial, 'github.com/temporalio/cli/cmd/temporal'], {
      cwd: join(options.toolsRoot, 'tools/temporal'),
      env: { ...options.env, GOFLAGS: '-mod=readonly' },
    });
    await rename(partial, destination);
  } catch (error) {
    await rm(partial, { force: true });
    throw new Error(`build with Go: ${lastLine(error)}`, { cause: error });
  }
}

/** The version that tools/temporal pins, e.g. `v1.5.1`. */
async function pinnedVersion(toolsRoot: string): Promise<string> {
  const module = await readFile(join(toolsRoot, 'tools/temporal/go.mod'), 'utf8').catch(() => '');
  return /github\.com\/temporalio\/cli (v\S+)/.exec(module)?.[1] ?? 'v1.5.1';
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function lastLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const output = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  return output === '' ? error.message : (output.split('\n').at(-1) ?? error.message);
}
