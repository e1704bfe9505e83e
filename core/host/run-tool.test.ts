import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { runTool, toolRunner } from './run-tool.ts';

let folder: TemporaryFolder;
beforeAll(async () => (folder = await temporaryFolder('run-tool')));
afterAll(() => folder.remove());

async function program(place: string, text: string): Promise<string> {
  const path = join(folder.path, place);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'pinned'), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

it('runs a program of its folders before one on PATH, with variables added', async () => {
  const [first, second] = [await program('first', 'echo "first $WORD"'), await program('second', 'echo second')];
  const run = toolRunner([first], { PATH: `${second}:${process.env['PATH']}` });
  expect(await run('pinned', [], { env: { WORD: 'word' } })).toBe('first word\n');
});

it('says which program is missing, and where', async () => {
  const run = toolRunner([], { PATH: folder.path });
  await expect(run('pinned', ['x'])).rejects.toMatchObject({
    type: 'ToolMissing',
    problem: { subject: 'pinned', side: 'local', remedy: expect.stringContaining('install pinned') },
  });
});

it('says what a program said when it failed, and that it was too slow', async () => {
  const failing = await program('failing', 'echo "what is wrong" >&2; exit 3');
  await expect(toolRunner([failing], process.env)('pinned', ['x'])).rejects.toMatchObject({
    type: 'ToolFailed',
    problem: { subject: 'pinned x', message: 'what is wrong' },
  });
  await expect(runTool('sleep', ['60'], { side: 'local', timeoutMs: 1 })).rejects.toMatchObject({
    type: 'ToolFailed',
    problem: { message: 'it was not done after 0.001 s' },
  });
});
