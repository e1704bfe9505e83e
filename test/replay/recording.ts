import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { version } from '../../contracts/version.ts';
import { historyToText } from '../helpers/history-json.ts';
import { projectRoot } from '../helpers/paths.ts';
import type { Finished } from '../helpers/processes.ts';
import type { RecordedRun } from '../helpers/recorded-runs.ts';

/** Where recordings are, `<workflow type>@<version of Sealift>-<outcome>.json` each. */
export const recordingsFolder = join(projectRoot, 'test/replay/histories');

/** Keeps a run for replay.test.ts, and says so. */
export async function saveRecording({ workflowId, type, history }: RecordedRun, outcome: string): Promise<void> {
  const path = join(recordingsFolder, `${type}@${version}-${outcome}.json`);
  const text = `${historyToText(history)}\n`;
  await writeFile(path, text);
  process.stdout.write(`${workflowId}: ${path}, ${text.length} characters\n`);
}

/** @throws Error with everything that a command wrote, when it ended in another way */
export function expectCode({ code, stdout, stderr }: Finished, expected: Finished['code']): void {
  if (code !== expected) throw new Error(`it ended with ${code}, not ${expected}:\n${stdout}${stderr}`);
}
