import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { workflowTypes } from '../../contracts/operations.ts';
import { CliError } from '../cli-error.ts';

const MAX_NAMED = 10;
const isOurs = `WorkflowType IN (${Object.values(workflowTypes)
  .map((name) => `'${name}'`)
  .join(', ')})`;

/** A visibility query for all operations, newest first when listed. */
export const allOperationsQuery = isOurs;

/** The last run with this workflow id, or undefined when there was none. */
export async function describeOperation(client: Client, id: string): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(id).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/**
 * The last run of the operation with this id, or with the only id that begins so.
 *
 * @throws CliError OperationNotFound when none fits, InvalidInput when several do
 */
export async function findOperation(client: Client, idOrPrefix: string): Promise<WorkflowExecutionDescription> {
  const exact = await describeOperation(client, idOrPrefix);
  if (exact !== undefined) return exact;

  const ids = new Set<string>();
  for await (const { workflowId } of client.workflow.list({ query: isOurs })) {
    if (workflowId.startsWith(idOrPrefix)) ids.add(workflowId);
  }
  const [only, ...others] = ids;
  const found = only !== undefined && others.length === 0 ? await describeOperation(client, only) : undefined;
  if (found !== undefined) return found;
  throw others.length > 0 ? ambiguous(idOrPrefix, [...ids]) : notFound(idOrPrefix);
}

function ambiguous(prefix: string, ids: string[]): CliError {
  return new CliError('InvalidInput', {
    operation: 'find operation',
    subject: prefix,
    message: `${ids.length} operations begin so: ${ids.slice(0, MAX_NAMED).join(', ')}`,
    remedy: 'give more of the id',
  });
}

function notFound(id: string): CliError {
  return new CliError('OperationNotFound', {
    side: 'temporal',
    operation: 'find operation',
    subject: id,
    message: 'no operation has this id or an id that begins so',
    remedy: '`sealift list operations` shows them',
  });
}
