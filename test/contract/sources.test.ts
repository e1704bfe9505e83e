import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { detectSource, sourceNamed, sources } from '../../plugins/sources/index.ts';
import { sourceConformance } from './source-conformance.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sourcesFolder = join(root, 'plugins/sources');
const folders = readdirSync(sourcesFolder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

describe('the registration of sources', () => {
  it('has nothing else than the folders of plugins/sources, by their names', () => {
    expect(sources.map(({ name }) => name).filter((name) => !folders.includes(name))).toEqual([]);
  });

  it('is described in docs/sources.md', () => {
    const docs = readFileSync(join(root, 'docs/sources.md'), 'utf8');
    const missing = sources.filter(({ name }) => !docs.includes(`\`${name}\``));
    expect(missing.map(({ name }) => `docs/sources.md needs a row for ${name}`)).toEqual([]);
  });

  it('finds a source by its name, and says which there are', () => {
    for (const source of sources) expect(sourceNamed(source.name)).toBe(source);
    expect(() => sourceNamed('no-such')).toThrow(
      expect.objectContaining({ type: 'InvalidInput', message: expect.stringContaining('eks-anywhere, images') }),
    );
  });

  it.each(folders.filter(hasFixtures))('tells a file of %s from those of all others', (folder) => {
    const valid = join(sourcesFolder, folder, 'fixtures/valid');
    for (const name of readdirSync(valid)) {
      expect(detectSource(readFileSync(join(valid, name), 'utf8'), name).name, name).toBe(folder);
    }
  });

  it('refuses a file that no source recognises', () => {
    expect(() => detectSource('{}', 'x.json')).toThrow(
      expect.objectContaining({ type: 'InvalidInput', problem: expect.objectContaining({ subject: 'x.json' }) }),
    );
  });
});

// From the folders, not from the registration: a plugin that was forgotten there is red here.
describe.each(folders)('source %s', (folder) => {
  const plugin = sources.find(({ name }) => name === folder);
  if (plugin === undefined || !hasFixtures(folder)) {
    it('is registered and has fixtures', () => {
      const line = `export { … } from './${folder}/index.ts';`;
      if (plugin === undefined)
        expect.fail(`no source is called ${folder}: plugins/sources/registered.ts needs ${line}`);
      expect.fail(`plugins/sources/${folder} needs fixtures/valid and fixtures/invalid (docs/adding-a-source.md)`);
    });
    return;
  }
  sourceConformance(plugin, join(sourcesFolder, folder));
});

function hasFixtures(folder: string): boolean {
  return ['valid', 'invalid'].every((name) => existsSync(join(sourcesFolder, folder, 'fixtures', name)));
}
