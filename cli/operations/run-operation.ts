import type { SealiftHost } from '../../contracts/host.ts';
import type { OperationResult } from '../../contracts/operations.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { operationResultDocument } from '../display/result/operation-result.ts';
import { createCommandWorker } from './command-worker.ts';
import { describeOperation } from './find-operation.ts';
import { operationView, type OperationView } from './operation-view.ts';
import { withSession, type Opening } from './opening.ts';
import { uiLink, type Session } from './session.ts';
import { startOperation, type OperationRequest } from './start-operation.ts';
import { leaveInBackground, watchOperation, type WatchOptions } from './watch-operation.ts';

export interface RunOptions {
  detach: boolean;
  /**
   * What to do when the operation does not run: undefined starts it; the result of the last run, when that is still
   * good, is printed instead. May throw to refuse. Given the result only when that run was asked for the very same.
   */
  beforeStart(
    finished: OperationResult | undefined,
  ): OperationResult | undefined | Promise<OperationResult | undefined>;
}

/**
 * Starts an operation, or attaches to it when it runs, and watches it to its end.
 *
 * @param makeRequest what to run, once it is sure that Temporal answers
 * @throws CliError OperationConflict when another input runs under the same id; OperationFailedError
 */
export async function runOperation(
  context: CommandContext,
  opening: Opening,
  makeRequest: (host: SealiftHost) => Promise<OperationRequest>,
  options: RunOptions,
): Promise<void> {
  const { host } = opening;
  const status = context.status();
  await withSession(opening, async (session) => {
    const request = await makeRequest(host);
    const found = await describeOperation(session.client, request.id);
    const view = found === undefined ? undefined : await operationView(session.client, found);
    const running = view?.status === 'RUNNING';
    if (view !== undefined && running) refuseOther(view, request);
    else {
      const again = await options.beforeStart(await finishedResult(session, view, request));
      if (view !== undefined && again !== undefined) {
        status.note(`${request.id} is done already.`);
        context.result(operationResultDocument({ id: view.id, ui: uiLink(session, view.id, view.runId) }, again));
        return;
      }
    }
    const worker = createCommandWorker(host, session.target);
    const watch: WatchOptions = { context, host, session, worker, id: request.id };
    try {
      await settleBoth(startOperation(session, request), options.detach ? undefined : worker.ensure());
      await sayStarted(watch, request, running);
      await (options.detach ? leaveInBackground(watch) : watchOperation(watch));
    } finally {
      await worker.stop();
    }
  });
}

/** @throws CliError OperationConflict when another command was quicker to start something else under the same id */
async function sayStarted(watch: WatchOptions, request: OperationRequest, wasRunning: boolean): Promise<void> {
  const { context, session, id } = watch;
  const status = context.status();
  const now = await describeOperation(session.client, id);
  status.note(wasRunning ? `Attached to ${id}.` : `Started ${id}.`);
  if (now === undefined) return;
  const view = await operationView(session.client, now);
  refuseOther(view, request);
  const link = uiLink(session, id, view.runId);
  if (link !== undefined) status.note(`Temporal UI: ${link}`);
}

/** The result of the last run, when it was for the same input. */
async function finishedResult(
  session: Session,
  view: OperationView | undefined,
  request: OperationRequest,
): Promise<OperationResult | undefined> {
  if (view?.status !== 'COMPLETED' || view.inputDigest !== request.inputDigest) return undefined;
  return (await session.client.workflow.getHandle(view.id, view.runId).result()) as OperationResult;
}

function refuseOther(running: OperationView, request: OperationRequest): void {
  if (running.inputDigest === request.inputDigest) return;
  throw new CliError('OperationConflict', {
    operation: `start ${request.name}`,
    subject: request.id,
    message: `"${running.title}" runs there with other options (input ${running.inputDigest.slice(0, 12)}) than "${request.title}" (input ${request.inputDigest.slice(0, 12)})`,
    remedy: `wait for it (\`sealift watch ${request.id}\`) or end it (\`sealift cancel ${request.id}\`)`,
  });
}

/** Waits for both; when one fails the other is waited for first, so that nothing goes on behind the error. */
async function settleBoth(a: Promise<unknown>, b: Promise<unknown> | undefined): Promise<void> {
  await Promise.allSettled([a, b]);
  await Promise.all([a, b]);
}
