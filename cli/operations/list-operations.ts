import type { OperationState } from '../../contracts/operations.ts';
import { memoKeys } from '../../contracts/operations.ts';
import type { ResultDocument } from '../context.ts';
import { table } from '../display/format.ts';
import { allOperationsQuery } from './find-operation.ts';
import { withSession, type Opening } from './opening.ts';

const MAX_LISTED = 200;

/** What a list shows of an operation: its last run. */
export interface ListedOperation {
  operation: string;
  status: OperationStatus;
  phase: string;
  title: string;
  started: string;
  ended: string | null;
}

export type OperationStatus = 'running' | 'parked' | 'paused' | 'completed' | 'failed' | 'cancelled' | 'terminated';

/** The last runs of up to 200 operations, from Temporal's visibility store: a run of the last second may be missing. */
export async function listOperations(opening: Opening): Promise<ResultDocument> {
  const listed = new Map<string, ListedOperation>();
  await withSession(opening, async ({ client }) => {
    for await (const run of client.workflow.list({ query: allOperationsQuery })) {
      if (listed.has(run.workflowId)) continue;
      const state = run.memo?.[memoKeys.state] as OperationState | undefined;
      const title = run.memo?.[memoKeys.title];
      listed.set(run.workflowId, {
        operation: run.workflowId,
        status: operationStatus(run.status.name, state),
        phase: state?.phase ?? '',
        title: typeof title === 'string' ? title : '',
        started: run.startTime.toISOString(),
        ended: run.closeTime?.toISOString() ?? null,
      });
      if (listed.size === MAX_LISTED) break;
    }
  });
  const operations = [...listed.values()];
  const rows = operations.map(({ operation, status, phase, started, title }) => [
    operation,
    status,
    phase,
    started,
    title,
  ]);
  const text =
    rows.length === 0 ? 'No operations.\n' : table([['OPERATION', 'STATUS', 'PHASE', 'STARTED', 'TITLE'], ...rows]);
  return { text, json: { kind: 'operations', operations } };
}

/** One word for people and programs out of Temporal's status and what the operation says of itself. */
export function operationStatus(temporal: string, state: OperationState | undefined): OperationStatus {
  if (temporal === 'RUNNING' || temporal === 'CONTINUED_AS_NEW') {
    if (state?.paused === true) return 'paused';
    return (state?.parked.length ?? 0) > 0 ? 'parked' : 'running';
  }
  if (temporal === 'COMPLETED') return 'completed';
  if (temporal === 'CANCELLED') return 'cancelled';
  return temporal === 'TERMINATED' ? 'terminated' : 'failed';
}
