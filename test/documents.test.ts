import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { errorKinds, type Disposition, type ErrorKind } from '../contracts/errors.ts';
import { projectRoot } from './helpers/paths.ts';

const skipped = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage', 'fixtures']);

async function markdownFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries
    .filter(({ name }) => !skipped.has(name))
    .map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return markdownFiles(path);
      return entry.name.endsWith('.md') ? [path] : [];
    });
  return (await Promise.all(found)).flat();
}

/** The text below a heading, to the next one of the same depth. */
function section(text: string, heading: string): string {
  const [, after = ''] = text.split(`\n## ${heading}`);
  return after.split('\n## ')[0] ?? '';
}

/** Rows of the first table in a text, without its heading. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

describe('docs/errors.md', () => {
  let text: string;
  beforeAll(async () => {
    text = await readFile(join(projectRoot, 'docs/errors.md'), 'utf8');
  });

  it.each([
    ['transient', 'Transient'],
    ['mendable', 'Mendable'],
    ['permanent', 'Permanent'],
  ] satisfies [Disposition, string][])('lists every %s error as contracts/errors.ts has it', (disposition, heading) => {
    const kinds = Object.entries(errorKinds as Record<string, ErrorKind>);
    const expected = kinds
      .filter(([, kind]) => kind.disposition === disposition)
      .map(([name, { exitCode, meaning }]) => [`\`${name}\``, String(exitCode), meaning]);
    const found = rows(section(text, heading));
    expect(found.map((row) => row.slice(0, 3))).toEqual(expected);
    for (const row of found) expect(row[3], `what to do about ${row[0]}`).toMatch(/\S/);
  });

  it('explains every exit code, and so does docs/cli.md', async () => {
    const codes = new Set([0, 130, ...Object.values(errorKinds).map(({ exitCode }) => exitCode)]);
    const expected = [...codes].sort((a, b) => a - b).map(String);
    const cli = await readFile(join(projectRoot, 'docs/cli.md'), 'utf8');
    for (const page of [text, cli]) {
      expect(rows(section(page, 'Exit codes')).map(([code]) => code)).toEqual(expected);
    }
  });
});

describe('docs/schemas/output.json', () => {
  it.each(['problem', 'parkedItem'])('knows every type of error in %s', async (definition) => {
    const schema = JSON.parse(await readFile(join(projectRoot, 'docs/schemas/output.json'), 'utf8')) as {
      $defs: Record<string, { properties: { type: { enum: string[] } } }>;
    };
    expect(schema.$defs[definition]!.properties.type.enum).toEqual(Object.keys(errorKinds));
  });
});

describe('all documents', () => {
  it('link to files that are there', async () => {
    const dead: string[] = [];
    for (const file of await markdownFiles(projectRoot)) {
      const text = (await readFile(file, 'utf8')).replace(/^```[^]*?^```/gm, '');
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const path = target.replace(/#.*$/, '');
        if (path === '' || /^[a-z]+:/.test(path)) continue;
        const found = await stat(join(dirname(file), path)).catch(() => undefined);
        if (found === undefined) dead.push(`${relative(projectRoot, file)}: ${target}`);
      }
    }
    expect(dead).toEqual([]);
  });
});
