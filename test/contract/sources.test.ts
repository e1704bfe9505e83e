import { readdirSync, readFileSync } from 'node:fs';
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
  it('has every folder of plugins/sources, and nothing else', () => {
    expect(sources.map((source) => source.name).sort()).toEqual(folders.sort());
  });

  it('is described in docs/sources.md', () => {
    const docs = readFileSync(join(root, 'docs/sources.md'), 'utf8');
    for (const source of sources) expect(docs).toContain(`\`${source.name}\``);
  });

  it('finds a source by its name, and says which there are', () => {
    for (const source of sources) expect(sourceNamed(source.name)).toBe(source);
    expect(() => sourceNamed('no-such')).toThrow(
      expect.objectContaining({ type: 'InvalidInput', message: expect.stringContaining('eks-anywhere, images') }),
    );
  });

  it.each(folders)('tells a file of %s from those of all others', (folder) => {
    const valid = join(sourcesFolder, folder, 'fixtures/valid');
    for (const name of readdirSync(valid)) {
      expect(detectSource(readFileSync(join(valid, name), 'utf8'), name).name).toBe(folder);
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
  sourceConformance(sourceNamed(folder), join(sourcesFolder, folder));
});
