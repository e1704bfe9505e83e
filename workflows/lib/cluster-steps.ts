import { proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities } from '../../activities/clusters/index.ts';
import type { HostActivities } from '../../activities/host/index.ts';
import type {
  ClusterOperationInput,
  ClusterOperationName,
  ClusterOperationResult,
  ClusterPhase,
  ClusterPlace,
} from '../../contracts/clusters.ts';
import { long, quick } from './activity-options.ts';
import { clusterDiagnostics } from './diagnostics.ts';
import { Operation } from './operation.ts';

const { identifyHost } = proxyActivities<HostActivities>(quick);

type Activities = ReturnType<typeof proxyActivities<ClusterActivities>>;

/** A cluster operation under way. */
export interface ClusterRun {
  verb: 'Create' | 'Upgrade' | 'Delete';
  input: ClusterOperationInput;
  operation: Operation;
  /** on the machine that knows how the clusters are reached */
  activities: Activities;
  /** from here on there is something to undo, whatever happens */
  isBegun: boolean;
}

/** A step that needs nothing but the operation's input. */
interface PlainStep<T> {
  executeWithOptions(options: { summary: string }, args: [{ input: ClusterOperationInput }]): Promise<T>;
}

/**
 * Runs the phases of a cluster operation. When it is given up after it has begun, what cannot be brought to rest waits for a
 * person, like everything else: a cluster may not stay paused in silence.
 */
export async function runClusterOperation(
  verb: ClusterRun['verb'],
  input: ClusterOperationInput,
  phases: (run: ClusterRun) => Promise<ClusterOperationResult>,
): Promise<ClusterOperationResult> {
  const operation = new Operation(`${verb} ${input.role} cluster ${input.name}`, input.onFailure);
  const taskQueue = input.hostTaskQueue ?? (await identifyHost()).taskQueue;
  operation.collectDiagnostics = clusterDiagnostics(input, taskQueue);
  const activities = proxyActivities<ClusterActivities>({ ...long, taskQueue });
  const run: ClusterRun = { verb, input, operation, activities, isBegun: false };
  const discard = async (): Promise<void> => {
    if (!run.isBegun) return;
    await operation.step(() => plain(run, activities[`discard${verb}`], 'leave nothing paused'));
  };
  return operation.run(() => phases(run), discard, { alsoFailed: true });
}

/** A phase of one step. @returns what the step returns */
export function plainPhase<T>(run: ClusterRun, phase: ClusterPhase, step: PlainStep<T>, summary: string): Promise<T> {
  return run.operation.inPhase(phase, () => plain(run, step, summary));
}

export function plain<T>({ input }: ClusterRun, step: PlainStep<T>, summary: string): Promise<T> {
  return step.executeWithOptions({ summary }, [{ input }]);
}

export function createBootstrap(run: ClusterRun): Promise<void> {
  const summary = `bootstrap cluster (${run.input.bootstrap.driver})`;
  return plainPhase(run, 'CreateBootstrapCluster', run.activities.ensureBootstrap, summary);
}

/** Nothing when the operator wants to keep it. */
export async function deleteBootstrap(run: ClusterRun): Promise<void> {
  if (run.input.keepBootstrap) return;
  await plainPhase(run, 'DeleteBootstrap', run.activities.deleteBootstrap, 'the bootstrap cluster has done its work');
}

/** @param how.replacesOlder also where an older one is */
export function installCapi(run: ClusterRun, on: ClusterPlace, how: { replacesOlder?: boolean } = {}): Promise<void> {
  const summary = `Cluster API's controllers on the ${calledInSummaries(run, on)} cluster`;
  return run.activities.installCapi.executeWithOptions({ summary }, [{ input: run.input, on, ...how }]);
}

export function awaitMachines({ input, activities }: ClusterRun, on: ClusterPlace): Promise<void> {
  const summary = `wait for the machines of ${input.name}`;
  return activities.awaitCluster.executeWithOptions({ summary }, [{ input, on }]);
}

export function moveManagement(
  { input, activities }: ClusterRun,
  [from, to]: readonly [ClusterPlace, ClusterPlace],
  summary: string,
): Promise<void> {
  return activities.moveCluster.executeWithOptions({ summary }, [{ input, from, to }]);
}

export function keepSpecification({ input, activities }: ClusterRun): Promise<void> {
  const on = input.role === 'management' ? 'self' : 'management';
  const summary = 'keep the specification on the management cluster';
  return activities.installComponents.executeWithOptions({ summary }, [{ input, on }]);
}

/** What there is now. */
export function sumUp(run: ClusterRun, kind: ClusterOperationName): Promise<ClusterOperationResult> {
  const { input, activities } = run;
  return lastStep(run, () => activities.describeCluster.executeWithOptions({ summary: 'sum up' }, [{ input, kind }]));
}

/** @throws ApplicationFailure with `--on-failure fail` when it failed */
export async function lastStep<T>({ operation }: ClusterRun, step: () => Promise<T>): Promise<T> {
  const result = await operation.step(step);
  operation.failIfAnyFailed();
  operation.phase('done');
  return result!;
}

/** A cluster by its part in the operation, for a person. */
export function calledInSummaries({ verb }: ClusterRun, place: ClusterPlace): string {
  if (place !== 'self') return place;
  return verb === 'Create' ? 'new' : 'management';
}
