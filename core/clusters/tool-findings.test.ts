import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireTool, temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { toolRunner } from '../host/run-tool.ts';
import { toolFindings } from './tool-findings.ts';

let folder: TemporaryFolder;
beforeAll(async () => (folder = await temporaryFolder('tool-findings')));
afterAll(() => folder.remove());

const everything = { clusterApi: 'v1.14.0', helm: true };

/** How programs are run that say what the given ones say. */
async function saying(outputs: Record<string, string>): Promise<Parameters<typeof toolFindings>[1]> {
  for (const [name, output] of Object.entries(outputs)) {
    await writeFile(join(folder.path, name), `#!/bin/sh\ncat <<'END'\n${output}\nEND\n`, { mode: 0o755 });
  }
  return { context: { run: toolRunner([folder.path], process.env) }, skip: [] };
}

const clusterctl = (version: string): string => `{ "clusterctl": { "major": "1", "gitVersion": "${version}" } }`;

describe('the tools of an operation', () => {
  it('are right when they are the real ones', async () => {
    const real = new Map(
      await Promise.all(['clusterctl', 'helm'].map(async (name) => [name, await requireTool(name)] as const)),
    );
    const run = toolRunner([], process.env, (name) => Promise.resolve(real.get(name) ?? name));
    expect(await toolFindings(everything, { context: { run }, skip: [] })).toEqual([]);
  });

  it('are too old below the minor version of Cluster API, and of what reads the charts', async () => {
    const found = await toolFindings(
      everything,
      await saying({ clusterctl: clusterctl('v1.9.5'), helm: 'v2.17.0+ga690bad' }),
    );
    expect(found).toMatchObject([
      { id: 'tool.too-old', subject: 'clusterctl', side: 'local', message: expect.stringContaining('v1.9.5') },
      { id: 'tool.too-old', subject: 'helm', remedy: expect.stringContaining('v3.8 or newer') },
    ]);
  });

  it('may be newer, and warn above what they say', async () => {
    const said = { clusterctl: clusterctl('v1.20.0-rc.0'), helm: 'WARNING: readable by all\nv4.0.1+g12500dd' };
    expect(await toolFindings(everything, await saying(said))).toEqual([]);
  });

  it('are found to be something else', async () => {
    const found = await toolFindings(everything, await saying({ clusterctl: 'usage:', helm: 'v3.22' }));
    expect(found).toMatchObject([{ id: 'tool.unknown-version', subject: 'clusterctl' }]);
  });

  it('are missed all at once, unless nobody wants to know', async () => {
    const nowhere = { context: { run: toolRunner([], { PATH: '/nonexistent' }) }, skip: [] };
    const found = await toolFindings(everything, nowhere);
    expect(found.map(({ id, subject }) => [id, subject])).toEqual([
      ['tool.missing', 'clusterctl'],
      ['tool.missing', 'helm'],
    ]);
    expect(await toolFindings(everything, { ...nowhere, skip: ['tools'] })).toEqual([]);
    expect(await toolFindings({ helm: false }, nowhere)).toEqual([]);
  });
});
