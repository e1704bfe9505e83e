import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { RunningWorker } from '../../contracts/host.ts';
import { stateQueryName, type OperationState, type ParkedItem } from '../../contracts/operations.ts';
import { sharedTaskQueue } from '../../contracts/task-queues.ts';
import { commandedBy, eventually, type CommandedActivities } from './commanded-activities.ts';
import { startTemporal, type TestTemporal } from './temporal.ts';
import { workerWithFakes } from './worker-with-fakes.ts';

export const hostQueue = 'sealift-host-00000000cafe';

/** The real workflows on a real Temporal server, with activities that do what the running test commands. */
export interface WorkflowStage {
  /** fresh for every test */
  activities: CommandedActivities;
  client(): Client;
  /** what still runs at the end of the test is terminated */
  start(workflow: string, input: unknown): Promise<StagedOperation>;
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
}

export type StagedOperation = WorkflowHandle & {
  state(): Promise<OperationState>;
  /** Waits until exactly these items are parked. */
  parked(...items: string[]): Promise<ParkedItem[]>;
  /** Sends an update, about all items when none is named. */
  answer(update: string, ...items: string[]): Promise<number>;
  /** Waits for the end. @returns how it failed @throws Error when it did not */
  failure(): Promise<ApplicationFailure>;
  /** Waits for the end. @returns Temporal's name of it */
  status(): Promise<string>;
  /** what the UI shows as current details */
  details(): Promise<string>;
  /** summaries by activity, in the order they were scheduled */
  summaries(): Promise<Record<string, string[]>>;
};

/** Starts server and worker before the first test of a file, and ends them after its last. */
export function useWorkflowStage(makeActivities: () => CommandedActivities): WorkflowStage {
  let temporal: TestTemporal | undefined;
  let client: Client;
  let worker: RunningWorker | undefined;
  let running: StagedOperation[] = [];
  let operations = 0;
  const activities = commandedBy(() => stage.activities, makeActivities().activityNames);
  const stage: WorkflowStage = {
    activities: makeActivities(),
    client: () => client,
    startWorker: async () => {
      worker = await workerWithFakes({ target: temporal!, hostQueue, identity: `stage ${process.pid}`, activities });
    },
    stopWorker: async () => worker?.stop(),
    async start(workflow, input) {
      operations += 1;
      const options = { workflowId: `${workflow} ${operations}`, taskQueue: sharedTaskQueue, args: [input] };
      const operation = staged(await client.workflow.start(workflow, options));
      running.push(operation);
      return operation;
    },
  };
  beforeAll(async () => {
    temporal = await startTemporal();
    const connection = await Connection.connect({ address: temporal.address });
    client = new Client({ connection, namespace: temporal.namespace });
    await stage.startWorker();
  });
  afterAll(async () => {
    await stage.stopWorker();
    await client.connection.close();
    await temporal?.stop();
  });
  beforeEach(() => {
    stage.activities = makeActivities();
    running = [];
  });
  afterEach(async () => {
    stage.activities.openAll();
    for (const operation of running) await operation.terminate().catch(() => undefined);
  });
  return stage;
}

function staged(handle: WorkflowHandle): StagedOperation {
  const state = (): Promise<OperationState> => handle.query<OperationState>(stateQueryName);
  return Object.assign(handle, {
    state,
    async parked(...items: string[]) {
      const wanted = sorted(items).join();
      let parked: ParkedItem[] = [];
      await eventually(`parked: ${wanted}`, async () => {
        ({ parked } = await state());
        return itemsOf([parked]).join() === wanted;
      });
      return parked;
    },
    answer: (update: string, ...items: string[]) =>
      handle.executeUpdate<number, [{ items?: string[] }]>(update, { args: [items.length === 0 ? {} : { items }] }),
    failure: () => failureOf(handle),
    async status() {
      await handle.result().catch(() => undefined);
      return (await handle.describe()).status.name;
    },
    async details() {
      return (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
    },
    summaries: () => summariesOf(handle),
  });
}

async function failureOf(handle: WorkflowHandle): Promise<ApplicationFailure> {
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  if (!(error instanceof WorkflowFailedError)) throw new Error(`it did not fail: ${JSON.stringify(error)}`);
  for (let cause = error.cause; cause !== undefined; cause = cause.cause as Error | undefined) {
    if (cause instanceof ApplicationFailure) return cause;
  }
  throw error;
}

async function summariesOf(handle: WorkflowHandle): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  const { events } = await handle.fetchHistory();
  for (const { activityTaskScheduledEventAttributes: scheduled, userMetadata } of events ?? []) {
    const name = scheduled?.activityType?.name;
    if (name == null) continue;
    const summary = userMetadata?.summary as Payload | undefined;
    (found[name] ??= []).push(summary === undefined ? '' : defaultPayloadConverter.fromPayload<string>(summary));
  }
  return found;
}

/** Ids out of a failure's details. */
export function itemsOf(details: unknown): string[] {
  const [items] = details as [ParkedItem[]];
  return sorted(items.map(({ item }) => item));
}

export function sorted(names: string[]): string[] {
  return [...names].sort();
}

/** Why a message was refused. */
export async function refusalOf(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown as Error & { cause?: Error },
  );
  return error?.cause?.message ?? error?.message ?? 'it was accepted';
}
