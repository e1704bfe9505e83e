import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { WorkFolder } from './work-folder.ts';

let parent: TemporaryFolder;
let folder: WorkFolder;

beforeEach(async () => {
  parent = await temporaryFolder('work');
  folder = new WorkFolder(join(parent.path, 'deep', 'work'));
});

afterEach(() => parent.remove());

describe('WorkFolder', () => {
  it('keeps blobs by digest, and knows a torn one', async () => {
    const digest = await folder.writeBlob(Buffer.from('{"a":1}'));
    expect(Buffer.from(await folder.readBlob(digest)).toString()).toBe('{"a":1}');
    expect([await folder.hasBlob(digest, 7), await folder.hasBlob(digest, 8)]).toEqual([true, false]);
    await truncate(folder.blobPath(digest), 3);
    expect(await folder.hasBlob(digest, 7)).toBe(false);
    await folder.writeBlob(Buffer.from('{"a":1}'));
    expect(await folder.hasBlob(digest, 7)).toBe(true);
  });

  it('keeps values, and none that was not written', async () => {
    expect(await folder.readJson('plan.json')).toBeUndefined();
    await folder.writeJson('plan.json', { a: [1] });
    expect(await folder.readJson('plan.json')).toEqual({ a: [1] });
    await folder.forget('plan.json', 'never.json');
    expect(await folder.readJson('plan.json')).toBeUndefined();
  });

  it('keeps lines for their owner only', async () => {
    expect(await folder.readLines('lines.jsonl')).toEqual([]);
    const values = [{ a: 'x\ny' }, [1, null], { unicode: '\u2028é' }];
    for (const value of values) await folder.append('lines.jsonl', value);
    expect(await folder.readLines('lines.jsonl')).toEqual(values);
    expect((await stat(folder.file('lines.jsonl'))).mode & 0o777).toBe(0o600);
  });

  it('loses to a crash no line but the torn one, wherever it was torn', async () => {
    const value = fc.oneof(
      fc.record({ text: fc.string({ unit: 'binary' }) }),
      fc.array(fc.integer(), { maxLength: 4 }),
    );
    await folder.writeJson('plan.json', {});
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 3 }), value, fc.nat(), value, async (before, torn, cut, after) => {
        await folder.forget('lines.jsonl');
        for (const one of before) await folder.append('lines.jsonl', one);
        const line = Buffer.from(JSON.stringify(torn));
        await appendFile(folder.file('lines.jsonl'), line.subarray(0, cut % line.length));
        await folder.append('lines.jsonl', after);
        expect(await folder.readLines('lines.jsonl')).toEqual([...before, after]);
      }),
      { numRuns: 40 },
    );
  });

  it('has a file for what is fetched before its digest is known, and keeps what is in it', async () => {
    const path = await folder.spoolPath('https://files.example/a?b');
    expect(await folder.fileSize(path)).toBe(0);
    await writeFile(path, 'part');
    expect(await folder.spoolPath('https://files.example/a?b')).toBe(path);
    expect(await readFile(path, 'utf8')).toBe('part');
    expect(await folder.spoolPath('https://files.example/a?c')).not.toBe(path);
  });

  it('says what is wrong with its place', async () => {
    await writeFile(join(parent.path, 'deep'), '');
    for (const attempt of [folder.append('a', 1), folder.spoolPath('u'), folder.writeJson('b', 1)]) {
      await expect(attempt).rejects.toMatchObject({ problem: { side: 'local', operation: 'write' } });
    }
  });

  it('is gone when it is removed', async () => {
    await folder.writeJson('a.json', 1);
    await folder.remove();
    await folder.remove();
    expect(await folder.readJson('a.json')).toBeUndefined();
  });
});
