import { isGrpcServiceError, type Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  memoKeys,
  searchAttributeNames,
  workflowTypes,
  type OperationInput,
  type OperationName,
} from '../../contracts/operations.ts';
import { searchAttributeTypes } from '../../contracts/search-attributes.ts';
import { sharedTaskQueue } from '../../contracts/task-queues.ts';
import { CliError } from '../cli-error.ts';
import type { Session } from './session.ts';

/** Everything that starting an operation takes. */
export interface OperationRequest {
  name: OperationName;
  id: string;
  input: OperationInput;
  inputDigest: string;
  /** one line for lists and the UI */
  title: string;
  /** markdown for the UI */
  details: string;
  distribution?: string;
  registry?: string;
  cluster?: string;
}

/**
 * Starts the workflow, or finds the one that runs under this id.
 *
 * @throws CliError InvalidInput when the server knows neither Sealift's search attributes nor lets them be added
 */
export async function startOperation(session: Session, request: OperationRequest): Promise<void> {
  try {
    await start(session.client, request);
  } catch (error) {
    if (!lacksSearchAttributes(error)) throw error;
    await addSearchAttributes(session);
    await start(session.client, request);
  }
}

async function start(client: Client, request: OperationRequest): Promise<void> {
  const attributes = {
    [searchAttributeNames.operation]: request.name,
    [searchAttributeNames.distribution]: request.distribution,
    [searchAttributeNames.registry]: request.registry,
    [searchAttributeNames.cluster]: request.cluster,
  };
  await client.workflow.start(workflowTypes[request.name], {
    workflowId: request.id,
    taskQueue: sharedTaskQueue,
    args: [request.input],
    workflowIdConflictPolicy: 'USE_EXISTING',
    memo: { [memoKeys.inputDigest]: request.inputDigest, [memoKeys.title]: request.title },
    typedSearchAttributes: Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : { key: defineSearchAttributeKey(name, 'KEYWORD'), value },
    ),
    staticSummary: shortSummary(request.title),
    staticDetails: request.details,
  });
}

/** Temporal takes at most 200 bytes of summary. */
function shortSummary(title: string): string {
  const bytes = Buffer.from(title);
  return bytes.length <= 200
    ? title
    : `${bytes
        .subarray(0, 190)
        .toString()
        .replace(/\ufffd+$/, '')}…`;
}

// gRPC status INVALID_ARGUMENT
const INVALID_ARGUMENT = 3;

function lacksSearchAttributes(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return (
    isGrpcServiceError(cause) && Number(cause.code) === INVALID_ARGUMENT && /search attribute/i.test(cause.message)
  );
}

// IndexedValueType, temporal/api/enums/v1/common.proto
const INDEXED_VALUE_TYPE = { Keyword: 2, Bool: 5 } as const;

async function addSearchAttributes({ client, target }: Session): Promise<void> {
  const types = Object.entries(searchAttributeTypes);
  try {
    const searchAttributes = Object.fromEntries(types.map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]]));
    await client.connection.operatorService.addSearchAttributes({ namespace: target.namespace, searchAttributes });
  } catch (error) {
    const create = types.map(
      ([name, type]) => `temporal operator search-attribute create --name ${name} --type ${type}`,
    );
    throw new CliError('InvalidInput', {
      side: 'temporal',
      operation: 'add search attributes',
      subject: target.address,
      message: error instanceof Error ? error.message : String(error),
      remedy: `have an administrator run: ${create.join('; ')}`,
    });
  }
}
