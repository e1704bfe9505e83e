import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { ESLint } from 'eslint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { version } from '../contracts/version.ts';
import { workflowTypes } from '../contracts/operations.ts';
import { projectRoot, temporaryFolder, type TemporaryFolder } from './helpers/paths.ts';
import { run } from './helpers/processes.ts';

const sourceFolders = ['contracts', 'core', 'workflows', 'activities', 'plugins', 'workers', 'cli', 'test'];
const depcruise = join(projectRoot, 'node_modules', '.bin', 'depcruise');

/** For each rule, files that break it with what each of them imports. Everything in `allowed` is within the rules. */
const violations: Record<string, Record<string, string>> = {
  'no-cycles': { 'core/egg.ts': './hen.ts' },
  'everything-resolves': { 'core/lost.ts': './nowhere.ts' },
  'no-development-packages': { 'core/tested.ts': 'vitest' },
  'contracts-are-pure': { 'contracts/impure.ts': 'node:fs' },
  'workflows-see-only-types': { 'workflows/heavy.ts': '../activities/good.ts', 'workflows/deep.ts': '../core/good.ts' },
  'workflows-npm-allowlist': { 'workflows/greedy.ts': 'undici' },
  'workflows-no-node-builtins': { 'workflows/random.ts': 'node:crypto' },
  'activities-get-plugins-injected': { 'activities/wired.ts': '../plugins/sources/one/index.ts' },
  'core-knows-nobody': { 'core/upward.ts': '../activities/good.ts', 'core/upward.test.ts': '../workers/good.ts' },
  'plugins-are-islands': {
    'plugins/sources/one/curious.ts': '../two/index.ts',
    'plugins/sources/one/outward.ts': '../../../activities/good.ts',
  },
  'plugin-registry-only-registers': { 'plugins/register.ts': '../workers/good.ts' },
  'temporal-at-the-edges': {
    'core/durable.ts': '@temporalio/client',
    'plugins/sources/one/durable.ts': '@temporalio/common',
  },
  'workers-do-not-talk': { 'workers/chatty.ts': '../cli/good.ts' },
  'cli-is-a-client': { 'cli/machine.ts': '../core/good.ts', 'cli/plugged.ts': '../plugins/sources/one/index.ts' },
  'cli-types-workflows': { 'cli/replay.ts': '../workflows/good.ts' },
  'cli-temporal-client-only': { 'cli/worker.ts': '@temporalio/worker' },
  'nobody-imports-tests': { 'core/mixed.ts': '../test/helper.ts', 'core/sampled.ts': './fixtures/sample.ts' },
};

const allowed: Record<string, string> = {
  'contracts/word.ts': 'export interface Word { text: string }',
  'contracts/good.ts': `import type { Word } from './word.ts'; export type Words = Word[];`,
  'core/good.ts': `import { request } from 'undici'; import { sep } from 'node:path'; import type { Word } from '../contracts/word.ts';
    export const used: [unknown, string, Word?] = [request, sep];`,
  'core/good.test.ts': `import { expect } from 'vitest'; import { help } from '../test/helper.ts'; expect(help);`,
  // the other half of the cycle, which is reported once, at the file that sorts first
  'core/hen.ts': `import { used } from './egg.ts'; export const hen = used;`,
  'core/fixtures/sample.ts': 'export const sample = 1;',
  'test/helper.ts': 'export const help = 1;',
  'activities/good.ts': `import { used } from '../core/good.ts'; import { log } from '@temporalio/activity'; export const act = [used, log];`,
  'workflows/good.ts': `import type { act } from '../activities/good.ts'; import { sleep } from '@temporalio/workflow';
    import { defineSearchAttributeKey } from '@temporalio/common'; export const flow = [sleep, defineSearchAttributeKey, null as typeof act | null];`,
  'plugins/sources/one/index.ts': `import { used } from '../../../core/good.ts'; import { schema } from './schema.ts'; export const one = [used, schema];`,
  'plugins/sources/one/schema.ts': 'export const schema = 1;',
  'plugins/sources/two/index.ts': 'export const two = 2;',
  'plugins/index.ts': `import { one } from './sources/one/index.ts'; import { two } from './sources/two/index.ts'; export const all = [one, two];`,
  'cli/good.ts': `import { Client } from '@temporalio/client'; import type { flow } from '../workflows/good.ts'; export const run = [Client, null as typeof flow | null];`,
  'workers/good.ts': `import { act } from '../activities/good.ts'; import { all } from '../plugins/index.ts'; import { Worker } from '@temporalio/worker'; export const wired = [act, all, Worker];`,
};

async function plant(root: string): Promise<void> {
  const packages = ['activity', 'client', 'common', 'worker', 'workflow'].map((name) => `@temporalio/${name}`);
  const dependencies = Object.fromEntries([...packages, 'undici'].map((name) => [name, '1.0.0']));
  const files: Record<string, string> = { ...allowed };
  files['package.json'] = JSON.stringify({ type: 'module', dependencies, devDependencies: { vitest: '1.0.0' } });
  for (const name of [...packages, 'undici', 'vitest']) {
    files[`node_modules/${name}/package.json`] = JSON.stringify({ name, version: '1.0.0', main: 'index.js' });
    files[`node_modules/${name}/index.js`] = '';
  }
  for (const planted of Object.values(violations)) {
    for (const [file, target] of Object.entries(planted)) {
      files[file] = `import * as target from '${target}'; export const used = target;`;
    }
  }
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), content);
  }
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json']) await cp(join(projectRoot, file), join(root, file));
}

interface CruiseReport {
  summary: { violations: { from: string; rule: { name: string } }[]; ruleSetUsed: { forbidden: { name: string }[] } };
}

describe('import boundaries', () => {
  let folder: TemporaryFolder;
  let report: CruiseReport;
  beforeAll(async () => {
    folder = await temporaryFolder('boundaries');
    await plant(folder.path);
    const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...sourceFolders];
    const { stdout, stderr } = await run(depcruise, args, { cwd: folder.path });
    expect(stderr).toBe('');
    report = JSON.parse(stdout) as CruiseReport;
  });
  afterAll(() => folder.remove());

  it('has a planted violation for every rule', () => {
    const rules = report.summary.ruleSetUsed.forbidden.map((rule) => rule.name);
    expect(Object.keys(violations).sort()).toEqual(rules.sort());
  });

  it.each(Object.keys(violations))('%s trips on what is planted, and only there', (rule) => {
    const tripped = report.summary.violations.filter((found) => found.rule.name === rule).map((found) => found.from);
    expect([...new Set(tripped)].sort()).toEqual(Object.keys(violations[rule] ?? {}).sort());
  });
});

describe('lint rules', () => {
  const eslint = new ESLint({ cwd: projectRoot });

  async function rulesTripped(file: string, code: string): Promise<(string | null)[]> {
    const [result] = await eslint.lintText(code, { filePath: join(projectRoot, file) });
    return (result?.messages ?? []).map((message) => message.ruleId);
  }

  const slow = 'async function slow(): Promise<void> { await Promise.resolve(); }';
  const proxy = `import { proxyActivities } from '@temporalio/workflow';
    interface Activities { move(): Promise<number> }
    const { move } = proxyActivities<Activities>({ startToCloseTimeout: '1 minute' });`;
  it.each([
    ['a floating promise', 'core/errors.ts', `${slow} export function f(): void { slow(); }`, 'no-floating-promises'],
    [
      'an activity nobody waits for',
      'workflows/index.ts',
      `${proxy} export function f(): void { move(); }`,
      'no-floating-promises',
    ],
    [
      'a promise as a condition',
      'core/errors.ts',
      `${slow} export function f(): number { return slow() ? 1 : 2; }`,
      'no-misused-promises',
    ],
    ['a default export', 'core/errors.ts', 'export default 1;', 'no-restricted-syntax'],
    [
      'a type imported as a value',
      'core/errors.ts',
      `import { Digest } from '../contracts/descriptor.ts'; export type D = Digest;`,
      'consistent-type-imports',
    ],
    [
      'machinery in a workflow',
      'workflows/index.ts',
      `import { redact } from '../core/errors.ts'; export const f = redact;`,
      'no-restricted-imports',
    ],
    [
      'a function over 60 lines',
      'core/errors.ts',
      `export function f(): void {${'\nvoid 0;'.repeat(60)}\n}`,
      'max-lines-per-function',
    ],
    ['a file over 400 lines', 'core/errors.ts', `export const a = 1;${'\nexport {};'.repeat(401)}`, 'max-lines'],
  ])('refuse %s', async (_, file, code, rule) => {
    const tripped = await rulesTripped(file, code);
    expect(tripped.map((id) => id?.replace('@typescript-eslint/', ''))).toContain(rule);
  });

  it('let a workflow import the types of its activities', async () => {
    const code = `import type { redact } from '../core/errors.ts';\nexport type Redact = typeof redact;\n`;
    expect(await rulesTripped('workflows/index.ts', code)).toEqual([]);
  });
});

describe('workflows', () => {
  it('bundle for the sandbox, with every workflow that has a name', async () => {
    const { code } = await bundleWorkflowCode({
      workflowsPath: join(projectRoot, 'workflows', 'index.ts'),
      logger: new DefaultLogger('ERROR'),
    });
    for (const name of Object.values(workflowTypes)) expect(code).toContain(name);
  });
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(join(projectRoot, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)));
}

describe('files', () => {
  const generated = /(^|\/)(fixtures|histories|node_modules)\//;

  it('have kebab-case names that say what is in them', async () => {
    const files = (await Promise.all([...sourceFolders, 'deploy', 'tools'].map(filesBelow))).flat();
    const names = files
      .filter((file) => !generated.test(file))
      .flatMap((file) => file.split('/').map((part) => [part, file]));
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*([.][a-z0-9]+)*$|^README[.]md$|^[.]gitignore$/;
    const empty = /(^|-)(utils?|common|misc|manager)([.]|$)/;
    const wrong = names.filter(([name = '']) => !kebab.test(name) || empty.test(name)).map(([, file]) => file);
    expect(wrong).toEqual([]);
  });

  it('are at most 400 lines long', async () => {
    const files = (await Promise.all([...sourceFolders, 'deploy', 'tools'].map(filesBelow))).flat();
    const scripts = files.filter((file) => /[.](ts|mjs|sh)$/.test(file) && !generated.test(file));
    const lengths = await Promise.all(
      scripts.map(async (file) => ({
        file,
        lines: (await readFile(join(projectRoot, file), 'utf8')).split('\n').length - 1,
      })),
    );
    expect(lengths.filter(({ lines }) => lines > 400)).toEqual([]);
  });
});

it('says the version of package.json', async () => {
  const { version: packaged } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  expect(version).toBe(packaged);
});
