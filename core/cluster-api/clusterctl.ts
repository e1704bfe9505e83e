import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { recordedCommand, stopDaemon, type Daemon } from '../bootstrap/daemon.ts';
import { SealiftError } from '../errors.ts';
import { openCluster } from '../kubernetes/cluster-access.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { providerLabel, type ProviderRelease, type ProviderType } from './repository.ts';
import { noneIfUnknown } from '../kubernetes/unknown-kind.ts';

export interface ClusterctlOptions {
  /** path of the program */
  command: string;
  /** clusterctl.yaml that `writeRepository` has written */
  config: string;
  /** its own; one run at a time: one that a killed process has left behind there is ended before the next begins */
  home: string;
  /** variables of the component manifests; values may be secret, and are never arguments */
  variables?: Record<string, string>;
  signal?: AbortSignal;
}

export type WantedProvider = Pick<ProviderRelease, 'name' | 'type' | 'version'>;

/** The real clusterctl, which asks nothing but the repository it is given and the clusters. */
export interface Clusterctl {
  /**
   * Installs providers. Those that are there already in the wanted version are left alone, so it may be repeated after it
   * was interrupted at any point.
   * @throws SealiftError ToolMissing; ToolFailed with what clusterctl said last; ObjectConflict when a provider is there in
   * another version; those of a Cluster
   */
  init(kubeconfig: string, providers: readonly WantedProvider[]): Promise<void>;
  /**
   * Replaces those providers that are there in another version (`clusterctl upgrade apply`), custom resources stay. May be
   * repeated in the same way: a provider's version is written down when all of its components are there.
   * @throws SealiftError as init
   */
  upgrade(kubeconfig: string, providers: readonly WantedProvider[]): Promise<void>;
  /**
   * Moves all clusters of a namespace to another management cluster.
   * @param request its signal ends it wherever it is; it does nothing any more then
   * @throws SealiftError ToolMissing, ToolFailed; the signal's reason
   */
  move(request: { from: string; to: string; namespace: string; signal?: AbortSignal }): Promise<void>;
  /** Copies the same objects into a folder, as JSON files that hold secrets. @throws SealiftError ToolMissing, ToolFailed */
  saveTo(request: { from: string; directory: string; namespace: string }): Promise<void>;
  /** Ends a run that a killed process has left behind: it goes on by itself, and would change what is looked at. @throws SealiftError ToolFailed */
  endLeftBehind(): Promise<void>;
}

const MAX_OUTPUT = 16 * 1024 * 1024;
/** What Go's network code and API servers say when somebody is away or being started; clusterctl itself gives up soon. */
const UNREACHABLE =
  /connection (refused|reset|lost)|i\/o timeout|handshake timeout|deadline exceeded|no route to host|\bEOF\b|etcdserver: |server is currently unable/i;
const flags: Record<ProviderType, string> = {
  CoreProvider: '--core',
  BootstrapProvider: '--bootstrap',
  ControlPlaneProvider: '--control-plane',
  InfrastructureProvider: '--infrastructure',
  IPAMProvider: '--ipam',
  RuntimeExtensionProvider: '--runtime-extension',
  AddonProvider: '--addon',
};

export function createClusterctl(options: ClusterctlOptions): Clusterctl {
  const run = (operation: string, subject: string, args: string[], ...signals: AbortSignal[]): Promise<void> => {
    const signal = AbortSignal.any([...signals, ...(options.signal === undefined ? [] : [options.signal])]);
    return runClusterctl({ ...options, signal }, operation, subject, args);
  };
  return {
    async init(kubeconfig, providers) {
      const missing = await missingProviders(kubeconfig, providers);
      if (missing.length === 0) return;
      const args = ['init', `--kubeconfig=${kubeconfig}`, ...missing.map(chosen)];
      await run('install providers', missing.map(providerLabel).join(', '), args);
    },
    async upgrade(kubeconfig, providers) {
      await using cluster = await openCluster(kubeconfig);
      const versions = await providerVersions(cluster);
      const other = providers.filter((one) => (versions.get(providerLabel(one)) ?? one.version) !== one.version);
      if (other.length === 0) return;
      const args = ['upgrade', 'apply', `--kubeconfig=${kubeconfig}`, ...other.map(chosen)];
      await run('upgrade providers', other.map(providerLabel).join(', '), args);
    },
    move({ from, to, namespace, signal }) {
      const args = ['move', `--kubeconfig=${from}`, `--to-kubeconfig=${to}`, `--namespace=${namespace}`];
      return run('move clusters', `namespace ${namespace}`, args, ...(signal === undefined ? [] : [signal]));
    },
    async saveTo({ from, directory, namespace }) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await run('save clusters', `namespace ${namespace}`, [
        ...['move', `--kubeconfig=${from}`, `--to-directory=${directory}`, `--namespace=${namespace}`],
      ]);
    },
    async endLeftBehind() {
      await stopDaemon(daemonIn(options.home));
    },
  };
}

/** As clusterctl's flags name a provider. */
function chosen({ name, type, version }: WantedProvider): string {
  return `${flags[type]}=${name}:${version}`;
}

const inventory = { apiVersion: 'clusterctl.cluster.x-k8s.io/v1alpha3', kind: 'Provider' };

/** Versions of the providers that are installed, by `providerLabel`; empty where there never was one. @throws those of a Cluster */
export async function providerVersions(cluster: Cluster): Promise<Map<string, string>> {
  const found = await cluster.list(inventory).catch(noneIfUnknown);
  return new Map(found.map((object) => [object.metadata.name, String(object['version'])]));
}

/** The inventory entry of a provider is written when all of its components are there. */
async function missingProviders(
  kubeconfig: string,
  providers: readonly WantedProvider[],
): Promise<readonly WantedProvider[]> {
  await using cluster = await openCluster(kubeconfig);
  const versions = await providerVersions(cluster);
  return providers.filter((provider) => {
    const version = versions.get(providerLabel(provider));
    if (version === undefined) return true;
    if (version === provider.version) return false;
    throw new SealiftError('ObjectConflict', {
      side: 'cluster',
      operation: 'install providers',
      subject: providerLabel(provider),
      message: `${version} is there, ${provider.version} is wanted`,
      remedy: 'upgrade the management cluster first, or use the bundle that it was made with',
    });
  });
}

async function runClusterctl(
  { command, config, home, variables, signal }: ClusterctlOptions & { signal: AbortSignal },
  operation: string,
  subject: string,
  args: string[],
): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const env = {
    ...variables,
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    // it would ask the Go module proxy whether there is a newer clusterctl, and for providers' versions
    CLUSTERCTL_DISABLE_VERSIONCHECK: 'true',
    GOPROXY: 'off',
  };
  const daemon = daemonIn(home);
  await stopDaemon(daemon);
  const child = promisify(execFile)(...recordedCommand(daemon, command, [...args, `--config=${config}`]), {
    env,
    cwd: home,
    maxBuffer: MAX_OUTPUT,
    signal,
  });
  child.child.stdin?.end();
  try {
    await child;
  } catch (error) {
    // it was only told to end
    if (signal.aborted) await stopDaemon(daemon);
    signal.throwIfAborted();
    throw failure(error, command, operation, subject, Object.values(variables ?? {}));
  }
}

function daemonIn(home: string): Daemon {
  return { name: 'clusterctl', folder: home };
}

function failure(
  error: unknown,
  command: string,
  operation: string,
  subject: string,
  secrets: readonly string[],
): SealiftError {
  const { stderr = '', code } = error as { stderr?: string; code?: number };
  // sh(1)
  if (code === 127) {
    return new SealiftError('ToolMissing', {
      side: 'local',
      operation,
      subject: command,
      message: 'there is no such program',
      remedy: 'put clusterctl on PATH of the machine where the worker runs',
    });
  }
  const said = withoutSecrets(lastWords(stderr), secrets);
  // without its cause, which repeats the whole output
  return new SealiftError(UNREACHABLE.test(said) ? 'ClusterUnreachable' : 'ToolFailed', {
    side: 'cluster',
    operation,
    subject,
    message: `clusterctl said: ${said || 'nothing'}`,
    remedy: 'mend what it names; it may be run again at any point',
  });
}

/** clusterctl ends with `Error: ...`, which may go on over some lines, below a log of what it did. */
function lastWords(stderr: string): string {
  const start = stderr.lastIndexOf('\nError: ');
  const said = start === -1 ? (stderr.trim().split('\n').at(-1) ?? '') : stderr.slice(start + '\nError: '.length);
  return said.trim().replace(/\s+/g, ' ').slice(0, 2000);
}

/** Short values (`true`, a number) are no secrets, and would make the text unreadable. */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret.length > 5).reduce((said, secret) => said.replaceAll(secret, '***'), text);
}
