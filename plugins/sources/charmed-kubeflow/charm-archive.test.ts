import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import { readLocal } from '../../../core/sources/read-local.ts';
import { createSourceContext } from '../../../core/sources/context.ts';
import { makeCharm } from '../../../test/helpers/charms.ts';
import { charmedKubeflow } from './index.ts';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-charms-'));
  await mkdir(at('charms'));
  await writeFile(at('charms/a_r1.charm'), makeCharm({ name: 'a', resources: { 'oci-image': 'h.test/a:1' } }));
  await writeFile(at('charms/b_r2.charm'), makeCharm({ name: 'b' }));
});

afterEach(() => rm(folder, { recursive: true }));

async function pack(...args: string[]): Promise<string> {
  await promisify(execFile)('tar', ['--create', '--gzip', '--file', at('charms.tar.gz'), ...args]);
  return at('charms.tar.gz');
}

function listOf(file: string): Promise<SourceContents> {
  const context = createSourceContext({
    read: (location) => readLocal(location, 'source'),
    warn: () => undefined,
    scratch: at('scratch'),
  });
  const selection = { source: 'charmed-kubeflow', files: [file], kubeVersions: [], providers: [] };
  return charmedKubeflow.list(selection, context);
}

describe('charms.tar.gz', () => {
  it.each([
    ['names', ['a_r1.charm', 'b_r2.charm']],
    ['a folder', ['.']],
  ])('is unpacked into the scratch folder, made from %s', async (_, names) => {
    const { items } = await listOf(await pack('--directory', at('charms'), ...names));
    const files = items.filter(({ kind }) => kind === 'file');
    expect(files.map(({ reference }) => reference)).toEqual([
      `file://${at('scratch')}/a_r1.charm`,
      `file://${at('scratch')}/b_r2.charm`,
    ]);
    expect(items.map(({ reference }) => reference)).toContain('h.test/a:1');
  });

  it.each([
    ['a file outside', async () => pack('--absolute-names', '--transform', 's,^,../,', at('charms/a_r1.charm'))],
    ['an absolute path', async () => pack('--absolute-names', at('charms/a_r1.charm'))],
    ['a file in a folder', async () => pack('--directory', folder, 'charms/a_r1.charm')],
    [
      'a link',
      async () => {
        await symlink('/etc/passwd', at('charms/c.charm'));
        return pack('--directory', at('charms'), 'c.charm');
      },
    ],
    [
      'a charm and an image',
      async () => {
        await writeFile(at('charms/docker.io-x-1.tar'), '');
        return pack('--directory', at('charms'), 'a_r1.charm', 'docker.io-x-1.tar');
      },
    ],
    ['nothing', async () => pack('--files-from', '/dev/null')],
  ])('with %s is refused, and nothing is unpacked', async (_, make) => {
    await expect(listOf(await make())).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: expect.stringMatching(/charms\.tar\.gz:[12]$/), remedy: expect.stringMatching(/./) },
    });
    await expect(readdir(at('scratch'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('that is damaged is refused in the words of tar', async () => {
    await writeFile(at('broken.tar.gz'), 'hello');
    await expect(listOf(at('broken.tar.gz'))).rejects.toMatchObject({ type: 'ToolFailed' });
  });
});
