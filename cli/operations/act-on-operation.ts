import { isGrpcServiceError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import {
  abortUpdateName,
  pauseSignalName,
  resumeSignalName,
  retryUpdateName,
  skipUpdateName,
} from '../../contracts/operations.ts';
import type { SealiftHost } from '../../contracts/host.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext, ResultDocument } from '../context.ts';
import type { OperationPlace } from '../display/result/operation-result.ts';
import { createCommandWorker, type CommandWorker } from './command-worker.ts';
import { findOperation } from './find-operation.ts';
import { withSession, type Opening } from './opening.ts';
import type { Session } from './session.ts';
import { leaveInBackground, operationPlace, sayOutcome, watchOperation } from './watch-operation.ts';

const updateNames = { retry: retryUpdateName, skip: skipUpdateName, abort: abortUpdateName } as const;

/** An operator's answer to a parked operation. */
export interface Decision {
  decision: keyof typeof updateNames;
  /** all that is parked when undefined */
  items: string[] | undefined;
  detach: boolean;
}

interface Target {
  host: SealiftHost;
  session: Session;
  worker: CommandWorker;
  id: string;
}

/** Watches an operation; one that has ended shows its result again. @throws CliError OperationNotFound, OperationFailedError */
export async function watch(context: CommandContext, opening: Opening, idOrPrefix: string): Promise<void> {
  await withTarget(opening, idOrPrefix, (target) => watchOperation({ context, ...target }));
}

/** Answers a parked operation and goes on watching it; after `abort`, until it has ended. @throws CliError, OperationFailedError */
export async function decide(
  context: CommandContext,
  opening: Opening,
  idOrPrefix: string,
  answer: Decision,
): Promise<void> {
  await withTarget(opening, idOrPrefix, async (target) => {
    const { session, worker, id } = target;
    // an Update is answered by a worker
    await worker.ensure();
    const handle = session.client.workflow.getHandle(id);
    const argument = answer.items === undefined ? {} : { items: answer.items };
    await running(id, answer.decision, () => handle.executeUpdate(updateNames[answer.decision], { args: [argument] }));
    if (answer.decision === 'abort') {
      await followEnd(context, target, 'aborted');
    } else if (answer.detach) {
      await worker.stop();
      await leaveInBackground({ context, ...target });
    } else {
      await watchOperation({ context, ...target });
    }
  });
}

/**
 * Cancels an operation and waits for its clean-up; where that waits for a person, says what for. One that finished before
 * prints its result.
 * @throws CliError; OperationFailedError when the clean-up failed
 */
export async function cancel(context: CommandContext, opening: Opening, idOrPrefix: string): Promise<void> {
  await withTarget(opening, idOrPrefix, async (target) => {
    const { session, worker, id } = target;
    const handle = session.client.workflow.getHandle(id);
    await running(id, 'cancel', () => handle.cancel());
    await worker.ensure();
    await followEnd(context, target, 'cancelled');
  });
}

/** Lets an operation rest. Needs no worker: where none runs, nothing moves. */
export async function pause(context: CommandContext, opening: Opening, idOrPrefix: string): Promise<void> {
  await withTarget(opening, idOrPrefix, async (target) => {
    await running(target.id, 'pause', () =>
      target.session.client.workflow.getHandle(target.id).signal(pauseSignalName),
    );
    await sayEnded(context, target, 'paused');
  });
}

/** Goes on with a paused operation and watches it. */
export async function resume(
  context: CommandContext,
  opening: Opening,
  idOrPrefix: string,
  detach: boolean,
): Promise<void> {
  await withTarget(opening, idOrPrefix, async (target) => {
    await running(target.id, 'resume', () =>
      target.session.client.workflow.getHandle(target.id).signal(resumeSignalName),
    );
    await (detach ? leaveInBackground({ context, ...target }) : watchOperation({ context, ...target }));
  });
}

async function withTarget(opening: Opening, idOrPrefix: string, act: (target: Target) => Promise<void>): Promise<void> {
  await withSession(opening, async (session) => {
    const { workflowId } = await findOperation(session.client, idOrPrefix);
    const worker = createCommandWorker(opening.host, session.target);
    try {
      await act({ host: opening.host, session, worker, id: workflowId });
    } finally {
      await worker.stop();
    }
  });
}

/** Follows an operation that was told to end. What it undoes on the way may wait for a person like everything else. */
async function followEnd(context: CommandContext, target: Target, expected: 'aborted' | 'cancelled'): Promise<void> {
  await watchOperation({ context, ...target }, (_context, place, outcome) => {
    if (outcome.kind === 'failed' && outcome.ended === expected) {
      context.result(endedDocument(place, expected));
      return;
    }
    if (outcome.kind === 'parked')
      context.status().note(`${place.id} is not ${expected} yet: it undoes what it has begun.`);
    sayOutcome(context, place, outcome);
  });
}

async function sayEnded(context: CommandContext, { session, id }: Target, status: 'paused'): Promise<void> {
  context.result(endedDocument(await operationPlace(session, id), status));
}

function endedDocument({ id, ui }: OperationPlace, status: 'aborted' | 'cancelled' | 'paused'): ResultDocument {
  return { text: `${id} is ${status}.\n`, json: { kind: 'decision', operation: id, status, ui: ui ?? null } };
}

/** Sends a message; one that the operation refuses, or that comes after its end, becomes an error with a remedy. */
async function running(id: string, verb: string, send: () => Promise<unknown>): Promise<void> {
  try {
    await send();
  } catch (error) {
    const refused = error instanceof WorkflowUpdateFailedError;
    const over =
      error instanceof WorkflowNotFoundError ||
      (isGrpcServiceError(error) && error.message.includes('already completed'));
    if (!refused && !over) throw error;
    throw new CliError('InvalidInput', {
      side: 'temporal',
      operation: verb,
      subject: id,
      message: refused ? (error.cause?.message ?? error.message) : 'the operation has ended',
      remedy: `\`sealift describe ${id}\` shows how it stands`,
    });
  }
}
