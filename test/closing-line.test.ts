import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot, temporaryFolder } from './helpers/paths.ts';
import { run } from './helpers/processes.ts';

async function summary(report: object | undefined): Promise<{ code: unknown; stdout: string }> {
  await using folder = await temporaryFolder('summary');
  const file = join(folder.path, 'report.json');
  if (report !== undefined) await writeFile(file, JSON.stringify(report));
  return await run(process.execPath, [join(projectRoot, 'tools', 'summary.mjs'), file]);
}

const passing = { status: 'passed', assertionResults: [{}] };

describe('the closing line that CI reads', () => {
  it('counts what passed', async () => {
    const report = { numPassedTests: 12, numFailedTests: 0, numPendingTests: 0, testResults: [passing] };
    expect(await summary(report)).toMatchObject({ code: 0, stdout: '12 passed, 0 failed\n' });
  });

  it('counts failures and skips', async () => {
    const failing = { status: 'failed', assertionResults: [{}, {}] };
    const report = { numPassedTests: 3, numFailedTests: 2, numPendingTests: 1, testResults: [passing, failing] };
    expect(await summary(report)).toMatchObject({ code: 1, stdout: '3 passed, 2 failed, 1 skipped\n' });
  });

  it('counts a file that could not be loaded as a failure', async () => {
    const broken = { status: 'failed', assertionResults: [] };
    const report = { numPassedTests: 3, numFailedTests: 0, testResults: [passing, broken] };
    expect(await summary(report)).toMatchObject({ code: 1, stdout: '3 passed, 1 failed\n' });
  });

  it('is a failure when no test ran or there is no report', async () => {
    expect(await summary({ numPassedTests: 0, testResults: [] })).toMatchObject({
      code: 1,
      stdout: '0 passed, 0 failed\n',
    });
    expect(await summary(undefined)).toMatchObject({ code: 1, stdout: '0 passed, 1 failed\n' });
  });
});
