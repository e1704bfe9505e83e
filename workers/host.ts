import { fileURLToPath } from 'node:url';
import type {
  ClusterTools,
  HostPaths,
  LocalWorkers,
  RunningWorker,
  SealiftHost,
  SourceCatalogue,
  TemporalTarget,
} from '../contracts/host.ts';
import type { NodeConfigs } from '../contracts/node-configs.ts';
import { hostTaskQueue } from '../contracts/task-queues.ts';
import { hostId } from '../core/host/host-id.ts';
import { hostPaths } from '../core/host/paths.ts';
import { spawnWorker } from '../core/host/spawn-worker.ts';
import { isDeadWorker } from '../core/host/worker-identity.ts';
import { workerRegistry } from '../core/host/worker-registry.ts';
import { isFolder, readLocal, readStart } from '../core/sources/read-local.ts';
import { createEmbeddedServer } from '../core/server/embedded-server.ts';

/** The folder that holds bin/ and tools/: one up from workers/, two up when this runs from dist/workers. */
const root = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '..' : '../..', import.meta.url));

/** Bytes at the start of a local file that tell what it is: input files may be snaps and archives of any size. */
const RECOGNISED_BY = 1024 * 1024;

/** The machine as the CLI sees it. What a command doesn't need is not loaded. */
export function createHost(env: NodeJS.ProcessEnv = process.env): SealiftHost {
  const paths = hostPaths(env);
  return {
    paths,
    server: createEmbeddedServer({ paths, toolsRoot: root, env }),
    workers: localWorkers(paths, env),
    sources: sourceCatalogue(paths, env),
    bundles: {
      async inspect(path) {
        const { inspectBundle } = await import('./bundle-tools.ts');
        return inspectBundle(path);
      },
      async contents(path) {
        const { readContents } = await import('./bundle-tools.ts');
        return readContents(path);
      },
      async verify(path, options, progress) {
        const { verifyBundle } = await import('./bundle-tools.ts');
        return verifyBundle(path, { ...options, configDir: paths.config, env }, progress);
      },
    },
    nodeConfigs: nodeConfigTools(paths, env),
    clusters: clusterTools(paths, env),
    async payloadCodecs() {
      const { payloadCodecs } = await import('./codec.ts');
      return payloadCodecs(env);
    },
    async checkNode(request) {
      const { checkNode } = await import('../core/node-check/index.ts');
      return checkNode(request, { configDir: paths.config, env });
    },
    configuration: {
      async readExport(path) {
        const { readExportConfig } = await import('../core/config/export-config.ts');
        const { sources } = await import('../plugins/sources/index.ts');
        return readExportConfig(path, sources);
      },
    },
    async doctor() {
      const { examine } = await import('./doctor.ts');
      return examine(paths, root, env);
    },
    async serve(options, events) {
      const { serveBundles } = await import('./serve.ts');
      return serveBundles(options, events);
    },
  };
}

function nodeConfigTools(paths: HostPaths, env: NodeJS.ProcessEnv): NodeConfigs {
  return {
    async generators() {
      const { generators } = await import('./node-configs.ts');
      return generators();
    },
    async write(asked, warn) {
      const { writeNodeConfig } = await import('./node-configs.ts');
      return writeNodeConfig(asked, { configDir: paths.config, env }, warn);
    },
  };
}

function clusterTools(paths: HostPaths, env: NodeJS.ProcessEnv): ClusterTools {
  return {
    async readSpec(path) {
      const { readClusterSpec } = await import('../core/clusters/spec/read-spec.ts');
      const { providers } = await import('../plugins/providers/index.ts');
      return readClusterSpec(path, await readLocal(path, 'local'), providers);
    },
    async find(name, kubeconfig, managementCluster) {
      const { findCluster } = await import('./cluster-catalogue.ts');
      return findCluster(paths, name, kubeconfig, managementCluster);
    },
    async managerOf(kubeconfig) {
      const { managerOf } = await import('./cluster-catalogue.ts');
      return managerOf(kubeconfig);
    },
    async list(kubeconfig) {
      const { listKnownClusters } = await import('./cluster-catalogue.ts');
      return listKnownClusters(paths, kubeconfig);
    },
    async planUpgrade(input) {
      const { planUpgradeHere } = await import('./plan-upgrade.ts');
      return planUpgradeHere(paths, env, input);
    },
    async diagnose(asked) {
      const { diagnose } = await import('./diagnose.ts');
      return diagnose(paths, env, asked);
    },
  };
}

function localWorkers(paths: HostPaths, env: NodeJS.ProcessEnv): LocalWorkers {
  const registry = workerRegistry(paths);
  return {
    hostTaskQueue: async () => hostTaskQueue(await hostId(paths)),
    running: (target) => registry.list(target),
    start: (target, role) => startInProcess(target, role, paths),
    spawn: (target, idleSeconds) =>
      spawnWorker({
        paths,
        target,
        command: [
          process.execPath,
          ...process.execArgv,
          `${root}/bin/sealift`,
          'worker',
          '--idle-exit',
          String(idleSeconds),
        ],
        env,
      }),
    isDead: async (identity) => isDeadWorker(identity, await hostId(paths)),
  };
}

async function startInProcess(
  target: TemporalTarget,
  role: 'service' | 'command',
  paths: HostPaths,
): Promise<RunningWorker> {
  const { startWorker } = await import('./worker.ts');
  const worker = await startWorker(target, paths);
  if (role === 'command') return worker;
  const registry = workerRegistry(paths);
  const { address, namespace } = target;
  await registry.register({ pid: process.pid, identity: worker.identity, target: { address, namespace } });
  const done = worker.done.finally(() => registry.unregister(process.pid));
  done.catch(() => undefined);
  return { ...worker, done };
}

function sourceCatalogue(paths: HostPaths, env: NodeJS.ProcessEnv): SourceCatalogue {
  const common = { configDir: paths.config, env };
  const noOptions = { plainHttp: false, insecureSkipTlsVerify: false };
  return {
    async names() {
      const { sources } = await import('../plugins/sources/index.ts');
      return sources.map(({ name, summary, selections, options = [] }) => ({ name, summary, selections, options }));
    },
    async detect(file, pullFrom) {
      const { detectSource, undetectedFolder } = await import('../plugins/sources/index.ts');
      if (!isRemote(file) && (await isFolder(file))) throw undetectedFolder(file);
      const content = isRemote(file)
        ? await (await import('./source-tools.ts')).readRemote(file, { ...common, pullFrom, registry: noOptions })
        : await readStart(file, RECOGNISED_BY, 'source');
      return detectSource(Buffer.from(content).toString('utf8'), file).name;
    },
    async list(selections, options, warn) {
      const { listFrom } = await import('./source-tools.ts');
      return listFrom(selections, { ...options, ...common }, warn);
    },
  };
}

function isRemote(location: string): boolean {
  return /^https?:\/\//.test(location);
}
