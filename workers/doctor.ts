import { constants } from 'node:fs';
import { access, mkdir, statfs } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { DoctorFinding, HostPaths } from '../contracts/host.ts';
import { createCredentialStore } from '../core/oci/registry/credentials.ts';

const MIN_FREE_BYTES = 10 * 1024 ** 3;

/** What this machine has and lacks for Sealift, each finding with what to do about it. */
export async function examine(paths: HostPaths, root: string, env: NodeJS.ProcessEnv): Promise<DoctorFinding[]> {
  const findings = [nodeVersion(), await temporalBinary(paths, root, env), await goCompiler(env)];
  for (const [name, path] of Object.entries<string>({ ...paths })) findings.push(await folder(`${name} folder`, path));
  findings.push(await freeSpace(paths.state), await credentials(env));
  return findings;
}

function nodeVersion(): DoctorFinding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > 20 || (major === 20 && minor >= 3);
  return {
    subject: 'Node.js',
    status: good ? 'ok' : 'missing',
    detail: process.versions.node,
    remedy: good ? '' : 'install Node.js 20.3 or newer',
  };
}

async function temporalBinary(paths: HostPaths, root: string, env: NodeJS.ProcessEnv): Promise<DoctorFinding> {
  const configured = env['TEMPORAL_ADDRESS'];
  if (configured !== undefined)
    return { subject: 'Temporal', status: 'ok', detail: `TEMPORAL_ADDRESS is ${configured}`, remedy: '' };
  const found = (await onPath('temporal', env)) ?? (await executable(join(root, '.cache/bin/temporal')));
  return {
    subject: 'temporal CLI (the embedded server)',
    status: found === undefined ? 'warning' : 'ok',
    detail: found ?? `neither on PATH nor in ${join(root, '.cache/bin')}; it may be in ${paths.cache}`,
    remedy: found === undefined ? 'run `make setup`, put `temporal` on PATH, or set TEMPORAL_ADDRESS to a server' : '',
  };
}

async function goCompiler(env: NodeJS.ProcessEnv): Promise<DoctorFinding> {
  const found = await onPath('go', env);
  return {
    subject: 'Go',
    status: found === undefined ? 'warning' : 'ok',
    detail: found ?? 'not on PATH',
    remedy:
      found === undefined ? 'only needed to build the embedded Temporal server where it cannot be downloaded' : '',
  };
}

async function folder(subject: string, path: string): Promise<DoctorFinding> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
    return { subject, status: 'ok', detail: path, remedy: '' };
  } catch (error) {
    const detail = `${path}: ${error instanceof Error ? error.message : String(error)}`;
    return {
      subject,
      status: 'missing',
      detail,
      remedy: 'make it writable, or move it with XDG_CONFIG_HOME, XDG_CACHE_HOME, XDG_STATE_HOME',
    };
  }
}

async function freeSpace(path: string): Promise<DoctorFinding> {
  const found = await statfs(path).catch(() => undefined);
  if (found === undefined) {
    const detail = `unknown, ${path} cannot be looked at`;
    return { subject: 'free space for state', status: 'warning', detail, remedy: 'put the state folder right first' };
  }
  const free = found.bavail * found.bsize;
  const enough = free >= MIN_FREE_BYTES;
  return {
    subject: 'free space for state',
    status: enough ? 'ok' : 'warning',
    detail: `${(free / 1024 ** 3).toFixed(1)} GiB in ${path}`,
    remedy: enough ? '' : 'a bundle of one EKS Anywhere release needs tens of GiB where it is written',
  };
}

async function credentials(env: NodeJS.ProcessEnv): Promise<DoctorFinding> {
  const files = [];
  for (const path of createCredentialStore({ env }).places())
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      files.push(path);
  const variables = env['REGISTRY_USERNAME'] === undefined ? [] : ['REGISTRY_USERNAME'];
  const found = [...files, ...variables];
  return {
    subject: 'registry credentials',
    status: found.length > 0 ? 'ok' : 'warning',
    detail: found.length > 0 ? found.join(', ') : 'none found',
    remedy:
      found.length > 0
        ? ''
        : 'for a registry that wants them: `docker login`, or REGISTRY_USERNAME and REGISTRY_PASSWORD',
  };
}

async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    const found = directory === '' ? undefined : await executable(join(directory, name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function executable(path: string): Promise<string | undefined> {
  return access(path, constants.X_OK).then(
    () => path,
    () => undefined,
  );
}
