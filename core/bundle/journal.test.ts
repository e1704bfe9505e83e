import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { openJournal } from './journal.ts';
import { failureOf, temporaryFolders } from './testing.ts';

const plan: Digest = `sha256:${'9'.repeat(64)}`;
const [a, b, c] = ['a', 'b', 'c'].map((letter): Digest => `sha256:${letter.repeat(64)}`) as [Digest, Digest, Digest];
const folder = temporaryFolders(afterEach);

function read(path: string, digest = plan) {
  const journal = openJournal(path, digest);
  journal.close();
  const { fresh, written, synced, prefixes } = journal;
  return { fresh, written: [...written], synced: [...synced], prefixes: [...prefixes] };
}

describe('journal', () => {
  it('keeps what was flushed, and only that', async () => {
    const path = join(await folder(), 'journal');
    const journal = openJournal(path, plan);
    journal.append({ kind: 'written', digest: a });
    journal.append({ kind: 'prefix', digest: b, bytes: 100 });
    journal.append({ kind: 'prefix', digest: b, bytes: 50 });
    journal.append({ kind: 'written', digest: c });
    journal.append({ kind: 'synced', digest: c });
    journal.flush();
    journal.append({ kind: 'written', digest: b });
    journal.close();
    expect(read(path)).toEqual({ fresh: false, written: [a], synced: [c], prefixes: [[b, 100]] });
  });

  it('survives a cut at any byte: what is there whole is kept, and appending goes on after it', async () => {
    const path = join(await folder(), 'journal');
    const journal = openJournal(path, plan);
    journal.append({ kind: 'prefix', digest: a, bytes: 12345 });
    journal.append({ kind: 'written', digest: b });
    journal.flush();
    journal.close();
    const whole = await readFile(path);
    for (let length = whole.length - 1; length >= 0; length -= 7) {
      await writeFile(path, whole);
      await truncate(path, length);
      const again = openJournal(path, plan);
      const lines = whole.subarray(0, length).toString().split('\n').length - 1;
      expect([...again.prefixes]).toEqual(lines >= 2 ? [[a, 12345]] : []);
      again.append({ kind: 'synced', digest: c });
      again.flush();
      again.close();
      expect(read(path).synced).toEqual([c]);
    }
  });

  it('ignores lines that make no sense', async () => {
    const path = join(await folder(), 'journal');
    openJournal(path, plan).close();
    await appendFile(path, `synced sha256:zz\nwritten ${a} 7\nprefix ${a}\n\0\0\0\nsynced ${b}\nburnt ${c}\n`);
    expect(read(path)).toEqual({ fresh: false, written: [], synced: [b], prefixes: [] });
  });

  it("discards another plan's journal, and forgets on reset", async () => {
    const path = join(await folder(), 'journal');
    const journal = openJournal(path, plan);
    journal.append({ kind: 'synced', digest: a });
    journal.flush();
    journal.close();
    expect(read(path, b)).toEqual({ fresh: true, written: [], synced: [], prefixes: [] });
    const again = openJournal(path, b);
    again.append({ kind: 'synced', digest: a });
    again.reset();
    again.close();
    expect(read(path, b)).toEqual({ fresh: false, written: [], synced: [], prefixes: [] });
  });

  it('says which path cannot be written', async () => {
    const path = join(await folder(), 'absent', 'journal');
    const attempt = Promise.resolve().then(() => openJournal(path, plan));
    expect(await failureOf(attempt)).toMatchObject({
      type: 'PathUnwritable',
      text: expect.stringContaining(path) as string,
    });
  });
});
