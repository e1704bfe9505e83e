import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { kubespray } from './index.ts';

const samples = fileURLToPath(new URL('../../../../shared/samples/kubespray/', import.meta.url));
const present = existsSync(`${samples}files.list`);
if (!present) console.warn(`real lists not tested: ${samples}files.list is not on this machine`);

describe.runIf(present)('the real lists', () => {
  it('hold 48 images and 24 files, and every file has its checksum', async () => {
    const names = ['images.list', 'files.list', 'checksums.yml'];
    const inputs = Object.fromEntries(names.map((name) => [`/in/${name}`, readFileSync(`${samples}${name}`, 'utf8')]));
    const context = memoryContext(inputs);
    const selection = { source: 'kubespray', files: Object.keys(inputs), kubeVersions: [], providers: [] };
    const { items } = await kubespray.list(selection, context);
    const files = items.filter(({ kind }) => kind === 'file');
    const checked = files.filter(({ checksums }) => checksums !== undefined);
    console.log(`real files.list: ${checked.length} of ${files.length} files have a checksum in checksums.yml`);
    expect(items).toHaveLength(48 + 24);
    expect(context.warnings).toHaveLength(files.length - checked.length);
    expect(checked).toHaveLength(24);
  });
});
