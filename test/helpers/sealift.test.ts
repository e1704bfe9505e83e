import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startProcess } from './processes.ts';
import { createSealiftHome, fileReaches } from './sealift.ts';

describe('createSealiftHome', () => {
  it('knows its processes, and kills them and nothing else', async () => {
    const home = await createSealiftHome();
    const other = await createSealiftHome();
    const mine = await startProcess({ command: 'sleep', args: ['301'], env: home.env });
    const second = await startProcess({ command: 'sleep', args: ['302'], env: home.env });
    const theirs = await startProcess({ command: 'sleep', args: ['303'], env: other.env });
    // setpriv becomes `sleep` a moment after it was started
    await expect
      .poll(async () => (await home.processes()).map((one) => one.commandLine).sort())
      .toEqual(['sleep 301', 'sleep 302']);
    expect(await home.kill(/301/)).toBe(1);
    expect(await mine.exited).toBe('SIGKILL');
    await home.remove();
    expect(await second.exited).toBe('SIGKILL');
    expect((await other.processes()).map((one) => one.pid)).toEqual([theirs.pid]);
    expect(existsSync(home.path)).toBe(false);
    await other.remove();
  });

  it('gives a command nothing of the developer but PATH', async () => {
    await using home = await createSealiftHome({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(
      Object.keys(home.env)
        .filter((name) => !name.startsWith('XDG_'))
        .sort(),
    ).toEqual(['HOME', 'NO_COLOR', 'PATH', 'TEMPORAL_ADDRESS']);
  });
});

describe('fileReaches', () => {
  it('waits for a file to be there and to have grown', async () => {
    await using home = await createSealiftHome();
    const path = join(home.path, 'journal');
    const reached = fileReaches(path, 5);
    expect(await reached()).toBe(false);
    await writeFile(path, '1234');
    expect(await reached()).toBe(false);
    await writeFile(path, '12345');
    expect(await reached()).toBe(true);
  });
});
