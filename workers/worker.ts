import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type NativeConnectionOptions,
  type WorkerOptions,
} from '@temporalio/worker';
import type { HostPaths, RunningWorker, TemporalTarget } from '../contracts/host.ts';
import { hostTaskQueue, sharedTaskQueue } from '../contracts/task-queues.ts';
import { createExportActivities } from '../activities/export/index.ts';
import { createHostActivities } from '../activities/host/index.ts';
import { createImportActivities } from '../activities/import/index.ts';
import { canonicalJson } from '../core/canonical-json.ts';
import { OpenBundles } from '../core/export/open-bundles.ts';
import { hostId } from '../core/host/host-id.ts';
import { workerIdentity } from '../core/host/worker-identity.ts';
import { digestOf, hexOf } from '../core/oci/digest.ts';
import { createRemotes } from '../core/oci/remotes.ts';
import { MoverPool } from '../core/transfer/pool.ts';
import { WorkFolder } from '../core/transfer/work-folder.ts';
import { sourceNamed } from '../plugins/sources/index.ts';
import { clusterActivities } from './cluster-activities.ts';
import { payloadCodecs } from './codec.ts';
import { runUntil, serveHostQueue } from './host-queue.ts';

/** Activities told to stop have this long to put down what they have. */
const GRACE = '10 seconds';
const FORCE = '60 seconds';

/** Runs the worker of this machine in this process: one for the shared queue, one for the machine's own. */
export async function startWorker(target: TemporalTarget, paths: HostPaths): Promise<RunningWorker> {
  installRuntime();
  const id = await hostId(paths);
  const [identity, connection] = await Promise.all([
    workerIdentity(id),
    NativeConnection.connect(connectionOptions(target)),
  ]);
  const pool = new MoverPool();
  const bundles = new OpenBundles(pool);
  const options = { connection, identity, namespace: target.namespace, ...(await commonOptions()) };
  const queue = hostTaskQueue(id);
  const activities = createActivities(paths, queue, pool, bundles);
  const stop = new AbortController();
  const hostWork = {
    create: () => Worker.create({ ...options, taskQueue: queue, activities }),
    letGo: () => bundles.closeAll(),
  };
  const shared = Worker.create({ ...options, ...workflowCode(), taskQueue: sharedTaskQueue, activities });
  // the first to end, by order or by failure, ends the other
  const running = [
    shared.then((worker) => runUntil(worker, stop.signal)),
    serveHostQueue(paths, target, hostWork, stop.signal),
  ].map((part) => part.finally(() => stop.abort()));
  const done = Promise.allSettled(running)
    .then(() => Promise.all(running))
    .then(() => undefined)
    .finally(async () => {
      await pool.close();
      await connection.close();
    });
  done.catch(() => undefined);
  // a server that won't have this worker says so here
  await shared.catch(() => done);
  return {
    identity,
    done,
    async stop() {
      stop.abort();
      await done;
    },
  };
}

function createActivities(paths: HostPaths, queue: string, pool: MoverPool, bundles: OpenBundles) {
  const { config: configDir, state } = paths;
  const { env } = process;
  return {
    ...createHostActivities({ hostTaskQueue: queue }),
    ...createExportActivities({
      pool,
      bundles,
      sourceNamed,
      sourceRemotes: ({ pullFrom, registry }) => createRemotes({ side: 'source', registry, pullFrom, configDir, env }),
    }),
    ...createImportActivities({
      pool,
      destinationRemotes: ({ registry }) =>
        createRemotes({ side: 'destination', registry, pullFrom: {}, configDir, env }),
      stateFolder: ({ bundle, host, namespace, trees }) => {
        const destination = host === '' ? canonicalJson(trees) : `${host}/${namespace}`;
        const place = hexOf(digestOf(Buffer.from(destination))).slice(0, 8);
        return new WorkFolder(`${state}/imports/${hexOf(bundle).slice(0, 12)}-${place}`);
      },
    }),
    ...clusterActivities(paths, env),
  };
}

/** Only the shared queue has workflows; the machine's own holds activities alone. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const bundle = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
  // Built once into dist/; a checkout that runs from its sources (tests) bundles as it starts.
  if (existsSync(bundle)) return { workflowBundle: { codePath: bundle } };
  return { workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)) };
}

async function commonOptions(): Promise<Partial<WorkerOptions>> {
  return {
    dataConverter: { payloadCodecs: await payloadCodecs(process.env) },
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
    // Progress bars want fresh numbers; the server takes one heartbeat a second per activity with ease.
    maxHeartbeatThrottleInterval: '1 second',
    defaultHeartbeatThrottleInterval: '1 second',
    // A killed worker's sticky queue is given up quickly: histories are short and replay in milliseconds.
    stickyQueueScheduleToStartTimeout: '1 second',
    maxConcurrentActivityTaskExecutions: 16,
    maxCachedWorkflows: 50,
  };
}

function connectionOptions({ address, apiKey, tls }: TemporalTarget): NativeConnectionOptions {
  return {
    address,
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(tls === undefined ? {} : { tls: toNativeTls(tls) }),
  };
}

function toNativeTls(tls: NonNullable<TemporalTarget['tls']>): NonNullable<NativeConnectionOptions['tls']> {
  if (tls === true) return true;
  const { clientCertPair, serverRootCACertificate, serverNameOverride } = tls;
  return {
    ...(serverNameOverride === undefined ? {} : { serverNameOverride }),
    ...(serverRootCACertificate === undefined ? {} : { serverRootCACertificate: Buffer.from(serverRootCACertificate) }),
    ...(clientCertPair === undefined
      ? {}
      : { clientCertPair: { crt: Buffer.from(clientCertPair.crt), key: Buffer.from(clientCertPair.key) } }),
  };
}

let runtimeInstalled = false;

/** Once a process: the worker's own log is for `sealift worker`, a command shows errors only. */
function installRuntime(): void {
  if (runtimeInstalled) return;
  runtimeInstalled = true;
  const level = process.env['SEALIFT_LOG_LEVEL'] === 'debug' ? 'DEBUG' : 'ERROR';
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger(level),
    telemetryOptions: { logging: { forward: {}, filter: { core: level, other: level } } },
  });
}
