import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';

/**
 * The secrets that are in a content, plain or in the usual encodings.
 * @param secrets by the names that are returned
 * @param users whose `user:secret` is looked for in base64 too, as headers and docker's configuration have it
 */
export function findLeaks(
  content: Buffer | string,
  secrets: Record<string, string>,
  users: readonly string[] = [],
): string[] {
  const text = typeof content === 'string' ? content : content.toString('latin1');
  const base64 = (value: string): string => Buffer.from(value).toString('base64').replace(/=+$/, '');
  return Object.entries(secrets)
    .filter(([, secret]) =>
      [
        ...[secret, encodeURIComponent(secret), Buffer.from(secret).toString('hex'), base64(secret)],
        ...users.map((user) => base64(`${user}:${secret}`)),
      ].some((form) => text.includes(form)),
    )
    .map(([name]) => name);
}

export async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** All histories as JSON, payloads decoded. */
export async function histories(address: string): Promise<string[]> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const found: string[] = [];
    for await (const { workflowId, runId } of client.workflow.list()) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      found.push(JSON.stringify(history, (_, value: unknown) => (isBytes(value) ? textOf(value) : value)));
    }
    return found;
  } finally {
    await connection.close();
  }
}

/** What JSON.stringify makes of a Buffer before its replacer sees it. */
interface Bytes {
  type: 'Buffer';
  data: number[];
}

function isBytes(value: unknown): value is Bytes {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
}

function textOf({ data }: Bytes): string {
  return Buffer.from(data).toString('utf8');
}
