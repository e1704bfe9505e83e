import { cp, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { historyFromText } from '../helpers/history-json.ts';
import { projectRoot, temporaryFolder } from '../helpers/paths.ts';
import { bundleWorkflows, workflowBundle } from '../helpers/worker-with-fakes.ts';

const folder = join(projectRoot, 'test/replay/histories');
const recordings = (await readdir(folder)).filter((name) => name.endsWith('.json'));
const MAX_BYTES = 300_000;

let bundle: WorkflowBundle;
beforeAll(async () => {
  bundle = await workflowBundle();
});

async function replay(workflows: WorkflowBundle, recording: string): Promise<void> {
  const history = historyFromText(await readFile(join(folder, recording), 'utf8'));
  await Worker.runReplayHistory({ workflowBundle: workflows }, history, recording);
}

describe('recorded histories', () => {
  it('are there for every outcome of every workflow', () => {
    const have = new Set(recordings.map((name) => name.replace(/@.*-/, '-')));
    for (const workflow of ['exportArtifacts', 'importArtifacts']) {
      for (const outcome of ['success', 'resumed', 'retried', 'skipped', 'cancelled']) {
        expect([...have]).toContain(`${workflow}-${outcome}.json`);
      }
    }
  });

  it.each(recordings)('%s is replayed by the workflows as they are now', async (recording) => {
    expect((await stat(join(folder, recording))).size).toBeLessThan(MAX_BYTES);
    await replay(bundle, recording);
  });

  it.each([
    ['exportArtifacts', 'listContents', 'planBundle'],
    ['importArtifacts', 'verifyBlobs', 'finishImport'],
  ])('%s is caught when it calls %s and %s in the other order', async (workflow, first, second) => {
    await using copy = await temporaryFolder('reordered');
    for (const layer of ['workflows', 'contracts']) {
      await cp(join(projectRoot, layer), join(copy.path, layer), { recursive: true });
    }
    await symlink(join(projectRoot, 'node_modules'), join(copy.path, 'node_modules'));
    const path = join(copy.path, 'workflows', `${workflow.replace('Artifacts', '-artifacts')}.ts`);
    const source = await readFile(path, 'utf8');
    const call = (name: string): string => `${name}.executeWithOptions(`;
    for (const name of [first, second]) expect(source.split(call(name)), `one call of ${name}`).toHaveLength(2);
    const names: Record<string, string> = { [first]: second, [second]: first };
    const calls = new RegExp(`\\b(${first}|${second})(?=\\.executeWithOptions\\()`, 'g');
    await writeFile(
      path,
      source.replace(calls, (name) => names[name]!),
    );
    const reordered = await bundleWorkflows(join(copy.path, 'workflows/index.ts'));
    const recording = recordings.find((name) => name.startsWith(workflow) && name.endsWith('-success.json'))!;
    await expect(replay(reordered, recording)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
