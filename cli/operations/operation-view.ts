import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { Problem } from '../../contracts/errors.ts';
import { memoKeys, type ActivityProgress, type OperationState } from '../../contracts/operations.ts';
import type { ProgressView } from '../display/status/progress-view.ts';
import { problemsOfFailure } from './workflow-failure.ts';

/** An activity that is scheduled, under way, or waits for its next try. */
export interface ActivityView {
  id: string;
  name: string;
  attempt: number;
  /** whether an attempt runs now */
  started: boolean;
  /** identity of the worker that has or had it */
  worker: string;
  progress?: ActivityProgress;
  /** why the attempt before this one failed */
  lastProblem?: Problem;
}

/** What Temporal alone knows of an operation: no worker is asked. */
export interface OperationView {
  id: string;
  runId: string;
  type: string;
  /** Temporal's name of the state, e.g. `RUNNING` */
  status: string;
  title: string;
  inputDigest: string;
  state: OperationState | undefined;
  startTime: Date;
  closeTime: Date | undefined;
  activities: ActivityView[];
  /** nothing is under way or about to be: only a message (or a timer) makes it go on */
  quiescent: boolean;
}

/** Reads a description's memo and pending activities. */
export async function operationView(client: Client, description: WorkflowExecutionDescription): Promise<OperationView> {
  const pending = description.raw.pendingActivities ?? [];
  const memo = description.memo ?? {};
  return {
    id: description.workflowId,
    runId: description.runId,
    type: description.type,
    status: description.status.name,
    title: textOf(memo[memoKeys.title]) ?? description.workflowId,
    inputDigest: textOf(memo[memoKeys.inputDigest]) ?? '',
    state: memo[memoKeys.state] as OperationState | undefined,
    startTime: description.startTime,
    closeTime: description.closeTime,
    activities: await Promise.all(pending.map((activity) => activityView(client, activity))),
    quiescent: pending.length === 0 && !description.raw.pendingWorkflowTask && !description.raw.pendingChildren?.length,
  };
}

/** Whether everything else is done and the operation waits for retry, skip or abort. */
export function isParked(view: OperationView): boolean {
  return view.status === 'RUNNING' && view.quiescent && (view.state?.parked.length ?? 0) > 0;
}

/** The same as the displays draw it: what is finished plus what the activities under way report. */
export function progressView(view: OperationView): ProgressView {
  const { state, activities } = view;
  const running = activities.flatMap((activity) => activity.progress ?? []);
  const sum = (pick: (progress: ActivityProgress) => number): number =>
    running.reduce((total, one) => total + pick(one), 0);
  const bytesTotal = known(state?.bytesTotal) ?? sum((one) => one.bytesTotal);
  const itemsTotal = known(state?.itemsTotal) ?? sum((one) => one.itemsTotal);
  return {
    phase: state?.phase ?? 'starting',
    paused: state?.paused ?? false,
    parkedCount: state?.parkedCount ?? 0,
    bytesDone: Math.min(bytesTotal, (state?.bytesDone ?? 0) + sum((one) => one.bytesDone)),
    bytesTotal,
    itemsDone: Math.min(itemsTotal, (state?.itemsDone ?? 0) + sum((one) => one.itemsDone)),
    itemsTotal,
    ...unitOf(running),
    current: running.flatMap((one) => one.current).slice(0, 8),
    retrying: activities.flatMap(({ name, attempt, lastProblem }) =>
      lastProblem === undefined || attempt < 2 ? [] : [{ activity: name, attempt, message: lastProblem.message }],
    ),
  };
}

function unitOf(running: readonly ActivityProgress[]): Pick<ProgressView, 'unit'> {
  const unit = running.find((one) => one.unit !== undefined)?.unit;
  return unit === undefined ? {} : { unit };
}

/** A total of 0 says that the operation has not told it yet. */
function known(total: number | undefined): number | undefined {
  return total === 0 ? undefined : total;
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

// PENDING_ACTIVITY_STATE_STARTED, temporal/api/enums/v1/workflow.proto
const STARTED = 2;

async function activityView(client: Client, pending: PendingActivity): Promise<ActivityView> {
  const converter = client.options.loadedDataConverter;
  const [details] = await decodeArrayFromPayloads(converter, pending.heartbeatDetails?.payloads);
  const failure = await decodeOptionalFailureToOptionalError(converter, pending.lastFailure);
  const [lastProblem] =
    failure === undefined ? [] : problemsOfFailure(failure, pending.activityType?.name ?? 'activity');
  return {
    id: pending.activityId ?? '',
    name: pending.activityType?.name ?? 'activity',
    attempt: pending.attempt ?? 1,
    started: Number(pending.state) === STARTED,
    worker: pending.lastWorkerIdentity ?? '',
    ...(isProgress(details) ? { progress: details } : {}),
    ...(lastProblem === undefined ? {} : { lastProblem }),
  };
}

function isProgress(details: unknown): details is ActivityProgress {
  return typeof details === 'object' && details !== null && 'bytesDone' in details && 'current' in details;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
