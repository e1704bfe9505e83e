import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';
import type { ErrorType } from '../../contracts/errors.ts';
import type { RunningWorker, TemporalTarget } from '../../contracts/host.ts';
import type { ParkedItem } from '../../contracts/operations.ts';
import { sharedTaskQueue } from '../../contracts/task-queues.ts';

/** Stand-ins for activities, by name. */
export type FakeActivities = Record<string, (argument: never) => Promise<unknown>>;

let bundle: Promise<WorkflowBundle> | undefined;
let runtime: Runtime | undefined;

/** A worker with the real workflows and these activities, on the shared queue and on the given machine's. */
export async function workerWithFakes(options: {
  target: TemporalTarget;
  hostQueue: string;
  identity: string;
  activities: FakeActivities;
  graceMs?: number;
}): Promise<RunningWorker> {
  const { target, hostQueue, identity, activities, graceMs = 0 } = options;
  // first of all: it installs the runtime, which a connection would make with its own settings
  const workflows = await workflowBundle();
  const connection = await NativeConnection.connect({ address: target.address });
  // a cancellation reaches an activity with its next heartbeat
  const heartbeats = { maxHeartbeatThrottleInterval: 100, defaultHeartbeatThrottleInterval: 100 };
  const common = {
    connection,
    namespace: target.namespace,
    identity,
    activities,
    shutdownGraceTime: graceMs,
    ...heartbeats,
  };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: sharedTaskQueue, workflowBundle: workflows }),
    Worker.create({ ...common, taskQueue: hostQueue }),
  ]);
  const done = Promise.all(workers.map((worker) => worker.run()))
    .then(() => undefined)
    .finally(() => connection.close());
  done.catch(() => undefined);
  return {
    identity,
    done,
    async stop() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await done;
    },
  };
}

/** The failure of an activity, as activities/lib makes it. */
export function activityFailure(type: ErrorType, subject: string, remedy: string): ApplicationFailure {
  const item: ParkedItem = {
    item: subject,
    type,
    side: 'source',
    operation: 'fetch',
    subject,
    message: `${type} happened`,
    remedy,
  };
  return ApplicationFailure.create({ type, message: item.message, nonRetryable: true, details: [[item]] });
}

/** The workflows as the sources have them now; bundled once a process. */
export function workflowBundle(): Promise<WorkflowBundle> {
  return (bundle ??= bundleWorkflows(fileURLToPath(new URL('../../workflows/index.ts', import.meta.url))));
}

/** Bundles workflows without a word, and quietens the SDK in this process. */
export function bundleWorkflows(workflowsPath: string): Promise<WorkflowBundle> {
  const logger = new DefaultLogger('ERROR');
  runtime ??= Runtime.install({ shutdownSignals: [], logger });
  return bundleWorkflowCode({ workflowsPath, logger });
}
