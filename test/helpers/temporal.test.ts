import { existsSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { startTemporal } from './temporal.ts';

describe('startTemporal', () => {
  it('serves with a UI, a database file and our search attributes, and leaves nothing', async () => {
    const temporal = await startTemporal();
    const connection = await Connection.connect({ address: temporal.address });
    try {
      const client = new Client({ connection, namespace: temporal.namespace });
      const query = 'SealiftOperation = "export" AND SealiftParked = true';
      expect((await client.workflow.count(query)).count).toBe(0);
      const page = await request(temporal.uiUrl);
      await page.body.dump();
      expect(page.statusCode).toBe(200);
      expect(existsSync(temporal.dbFile)).toBe(true);
    } finally {
      await connection.close();
      await temporal.stop();
    }
    expect(existsSync(`/proc/${temporal.pid}`)).toBe(false);
    expect(existsSync(temporal.dbFile)).toBe(false);
  });
});
