import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, describe } from 'vitest';
import type { SourcePlugin } from '../../contracts/source-plugin.ts';
import { projectRoot, temporaryFolder } from '../helpers/paths.ts';
import { sourceConformance } from './source-conformance.ts';

// The plugin that docs/adding-a-source.md shows, as it stands there: what a reader copies has to work.
const folder = await temporaryFolder('documented');
afterAll(() => folder.remove());

const page = await readFile(join(projectRoot, 'docs/adding-a-source.md'), 'utf8');
const [schema = '', index = ''] = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code ?? '');
const files = {
  'schema.ts': schema,
  'index.ts': index.replaceAll('../../../', `${projectRoot}/`),
  'README.md': '# acme\n',
  'acme.test.ts': '',
  'fixtures/valid/images.txt': 'registry.acme.test/a:1\nregistry.acme.test/b:1\n',
  'fixtures/valid/SHA256SUMS': `${'a'.repeat(64)}  acme-1.tgz\n`,
  'fixtures/invalid/images.txt': 'registry.acme.test/a:1\nnot a reference\n',
  'fixtures/invalid/SHA256SUMS': 'aa  acme-1.tgz\n',
};
for (const [name, content] of Object.entries(files)) {
  await mkdir(dirname(join(folder.path, name)), { recursive: true });
  await writeFile(join(folder.path, name), content);
}
const { acme } = (await import(join(folder.path, 'index.ts'))) as { acme: SourcePlugin };

describe('the source of docs/adding-a-source.md', () => {
  sourceConformance(acme, folder.path);
});
