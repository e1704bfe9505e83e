import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { providers } from '../../plugins/providers/index.ts';
import { projectRoot } from '../helpers/paths.ts';
import { providerConformance } from './provider-conformance.ts';

const providersFolder = join(projectRoot, 'plugins/providers');
const folders = readdirSync(providersFolder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

describe('the registration of providers', () => {
  it('has nothing else than the folders of plugins/providers, by their names', () => {
    expect(providers.map(({ name }) => name).filter((name) => !folders.includes(name))).toEqual([]);
  });

  it('has no kind of document twice: by its kind a document finds its provider', () => {
    const kinds = providers.flatMap(({ kinds: { datacenter, machine, others } }) => [datacenter, machine, ...others]);
    expect(kinds.length).toBe(new Set(kinds).size);
  });
});

// From the folders, not from the registration: a plugin that was forgotten there is red here.
describe.each(folders)('provider %s', (folder) => {
  const plugin = providers.find(({ name }) => name === folder);
  if (plugin === undefined) {
    it('is registered', () => expect.fail(`no provider is called ${folder}: add it to plugins/providers/index.ts`));
    return;
  }
  providerConformance(plugin, join(providersFolder, folder));
});
