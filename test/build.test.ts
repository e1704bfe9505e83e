import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectRoot, temporaryFolder, type TemporaryFolder } from './helpers/paths.ts';

// The real build script on a project of two files, which takes a second where Sealift's own takes ten.
describe('npm run build', () => {
  let folder: TemporaryFolder;

  beforeEach(async () => {
    folder = await temporaryFolder('build');
    for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'tools/build-dist.mjs']) {
      await cp(join(projectRoot, name), join(folder.path, name));
    }
    await symlink(join(projectRoot, 'node_modules'), join(folder.path, 'node_modules'));
    await Promise.all([mkdir(join(folder.path, 'cli')), mkdir(join(folder.path, 'workers')), mkdir(dist())]);
    await writeFile(join(folder.path, 'workers/bundle-workflows.ts'), 'export {};\n');
    await writeFile(dist('of-the-last-build'), '');
  });

  afterEach(() => folder.remove());

  function dist(name = ''): string {
    return join(folder.path, 'dist', name);
  }

  async function build(main: string): Promise<number> {
    await writeFile(join(folder.path, 'cli/main.ts'), main);
    return new Promise((resolve) => {
      execFile(process.execPath, ['tools/build-dist.mjs'], { cwd: folder.path }, (error) => {
        resolve(error === null ? 0 : Number(error.code));
      });
    });
  }

  async function buildFolders(): Promise<string[]> {
    return (await readdir(folder.path)).filter((name) => name.includes('dist'));
  }

  it('puts a whole new dist in the place of the last one', async () => {
    expect(await build('export const main = 1;\n')).toBe(0);
    expect((await readdir(dist())).sort()).toEqual(['cli', 'cli.cjs', 'workers']);
    expect(await buildFolders()).toEqual(['dist']);
    const map = JSON.parse(await readFile(dist('cli/main.js.map'), 'utf8'));
    expect(join(dist('cli'), map.sources[0])).toBe(join(folder.path, 'cli/main.ts'));
  });

  it('leaves the last one alone when it fails', async () => {
    expect(await build('export const main: string = 1;\n')).not.toBe(0);
    expect(await readdir(dist())).toEqual(['of-the-last-build']);
    expect(await buildFolders()).toEqual(['dist']);
  });
});
