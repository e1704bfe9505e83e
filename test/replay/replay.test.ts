import { cp, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { historyFromText, readableHistory } from '../helpers/history-json.ts';
import { projectRoot, temporaryFolder } from '../helpers/paths.ts';
import { bundleWorkflows, workflowBundle } from '../helpers/worker-with-fakes.ts';
import { recordingsFolder } from './recording.ts';

const recordings = (await readdir(recordingsFolder)).filter((name) => name.endsWith('.json'));
const MAX_BYTES = 300_000;

/** What there has to be a recording of. */
const outcomes = {
  exportArtifacts: ['success', 'resumed', 'retried', 'skipped', 'cancelled'],
  importArtifacts: ['success', 'resumed', 'retried', 'skipped', 'cancelled'],
  createCluster: ['management', 'workload', 'retried', 'cancelled'],
  upgradeCluster: ['management', 'bootstrap', 'workload', 'unchanged', 'cancelled'],
  deleteCluster: ['management', 'leftover', 'workload', 'aborted'],
};

let bundle: WorkflowBundle;
beforeAll(async () => {
  bundle = await workflowBundle();
});

async function replay(workflows: WorkflowBundle, recording: string): Promise<void> {
  const history = historyFromText(await readFile(join(recordingsFolder, recording), 'utf8'));
  await Worker.runReplayHistory({ workflowBundle: workflows }, history, recording);
}

describe('recorded histories', () => {
  it('are there for every outcome of every workflow', () => {
    const have = recordings.map((name) => name.replace(/@.*-/, '-'));
    const wanted = Object.entries(outcomes).flatMap(([workflow, all]) => all.map((one) => `${workflow}-${one}.json`));
    expect([...new Set(have)].sort()).toEqual(wanted.sort());
  });

  it.each(recordings)('%s is replayed by the workflows as they are now', async (recording) => {
    expect((await stat(join(recordingsFolder, recording))).size).toBeLessThan(MAX_BYTES);
    await replay(bundle, recording);
  });

  it.each(recordings)('%s holds no key and no kubeconfig', async (recording) => {
    const text = readableHistory(historyFromText(await readFile(join(recordingsFolder, recording), 'utf8')));
    expect(text.includes('hostTaskQueue'), 'payloads are decoded').toBe(true);
    expect(/PRIVATE KEY|(client-key|certificate-authority|client-certificate)-data/.exec(text)?.[0]).toBeUndefined();
  });

  it.each([
    ['exportArtifacts', 'success', 'listContents.executeWithOptions(', 'planBundle.executeWithOptions('],
    ['importArtifacts', 'success', 'verifyBlobs.executeWithOptions(', 'finishImport.executeWithOptions('],
    ['createCluster', 'workload', 'await keepSpecification(run);', "await makeMachines(run, 'management');"],
    ['upgradeCluster', 'workload', 'applyUpgrade.executeWithOptions(', 'removeOldTemplates.executeWithOptions('],
    ['deleteCluster', 'workload', 'deleteMachines.executeWithOptions(', 'confirmDeleted.executeWithOptions('],
  ])('%s (%s) is caught when it has %s and %s in the other order', async (workflow, outcome, first, second) => {
    await using copy = await temporaryFolder('reordered');
    for (const layer of ['workflows', 'contracts']) {
      await cp(join(projectRoot, layer), join(copy.path, layer), { recursive: true });
    }
    await symlink(join(projectRoot, 'node_modules'), join(copy.path, 'node_modules'));
    const path = join(
      copy.path,
      'workflows',
      `${workflow.replace(/[A-Z]/, (capital) => `-${capital.toLowerCase()}`)}.ts`,
    );
    const source = await readFile(path, 'utf8');
    for (const text of [first, second]) expect(source.split(text), `one ${text}`).toHaveLength(2);
    const swapped = source.split(first).map((part) => part.replace(second, first));
    await writeFile(path, swapped.join(second));
    const reordered = await bundleWorkflows(join(copy.path, 'workflows/index.ts'));
    const recording = recordings.find((name) => name.startsWith(workflow) && name.endsWith(`-${outcome}.json`))!;
    await expect(replay(reordered, recording)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
