import type { OperationResult } from '../../contracts/operations.ts';
import type { Problem } from '../../contracts/errors.ts';
import type { CommandContext } from '../context.ts';
import { descriptionDocument } from '../display/result/description.ts';
import { findOperation } from './find-operation.ts';
import { operationEnd } from './follow-operation.ts';
import { operationStatus } from './list-operations.ts';
import { withSession, type Opening } from './opening.ts';
import { operationView, progressView } from './operation-view.ts';
import { uiLink } from './session.ts';

/** Prints what Temporal knows of an operation; no worker is needed. @throws CliError OperationNotFound */
export async function describe(context: CommandContext, opening: Opening, idOrPrefix: string): Promise<void> {
  await withSession(opening, async (session) => {
    const view = await operationView(session.client, await findOperation(session.client, idOrPrefix));
    let result: OperationResult | undefined;
    let problems: Problem[] = [];
    if (view.status !== 'RUNNING') {
      const outcome = await operationEnd(session.client.workflow.getHandle(view.id, view.runId), view.id);
      if (outcome.kind === 'completed') result = outcome.result;
      if (outcome.kind === 'failed') problems = outcome.problems;
    }
    context.result(
      descriptionDocument({
        operation: view.id,
        runId: view.runId,
        status: operationStatus(view.status, view.state),
        title: view.title,
        started: view.startTime.toISOString(),
        ended: view.closeTime?.toISOString() ?? null,
        ui: uiLink(session, view.id, view.runId) ?? null,
        state: view.state ?? null,
        progress: progressView(view),
        activities: view.activities,
        problems,
        result: result ?? null,
      }),
    );
  });
}
