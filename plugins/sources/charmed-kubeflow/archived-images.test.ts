import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import { createSourceContext } from '../../../core/sources/context.ts';
import { readLocal } from '../../../core/sources/read-local.ts';
import { dockerSaved, plainLayer, tarOf } from '../../../test/helpers/image-archives.ts';
import { temporaryFolder, type TemporaryFolder } from '../../../test/helpers/paths.ts';
import { charmedKubeflow } from './index.ts';

let folder: TemporaryFolder;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await temporaryFolder('kubeflow-images');
});

afterEach(() => folder.remove());

/** An archive of one tar an image; the same seed gives an image the same content. */
async function archive(file: string, ...tags: string[]): Promise<string> {
  const tars = tags.map((tag, number) => {
    const name = `${number}.tar`;
    return [name, tarOf(dockerSaved([{ tags: [tag], layers: [plainLayer(tag)] }]))] as const;
  });
  await writeFile(at(file), tarOf(tars));
  return at(file);
}

async function list(given: string[], options?: Record<string, string[]>): Promise<SourceItem[]> {
  const context = createSourceContext({
    read: (location) => readLocal(location, 'source'),
    warn: () => undefined,
    scratch: at('scratch'),
  });
  const selection = { source: 'charmed-kubeflow', files: given, kubeVersions: [], providers: [] };
  const { items } = await charmedKubeflow.list({ ...selection, ...(options && { options }) }, context);
  return items;
}

/** Which of the listed images lie in an archive, and as what; the charm base images always come from a registry. */
function archived(items: SourceItem[]): Record<string, string | undefined> {
  const own = items.filter(({ name }) => name !== 'charm-base');
  return Object.fromEntries(own.map(({ reference, archive: lies }) => [reference, lies?.name]));
}

async function listFile(text: string): Promise<string> {
  await writeFile(at('images.txt'), text);
  return at('images.txt');
}

describe('images.tar.gz', () => {
  it('alone has the images that it names', async () => {
    const items = await list([await archive('images.tar', 'a.test/x/a:1', 'b.test/b:1')]);
    expect(archived(items)).toEqual({ 'a.test/x/a:1': 'a.test/x/a:1', 'b.test/b:1': 'b.test/b:1' });
    expect(items.find(({ name }) => name === 'a')?.foundAt).toBe(`${at('images.tar')}/0.tar`);
  });

  it('has those of a list that it holds, under the names of the list', async () => {
    const given = [await listFile('nginx:1\nquay.test/x/a:1\nquay.test/x/b:1\n')];
    const items = await list([...given, await archive('images.tar', 'nginx:1', 'quay.test/x/a:1')]);
    expect(archived(items)).toEqual({
      'nginx:1': 'docker.io/library/nginx:1',
      'quay.test/x/a:1': 'quay.test/x/a:1',
      'quay.test/x/b:1': undefined,
    });
  });

  it('renamed for a registry is known again', async () => {
    const hex = 'ab'.repeat(32);
    const given = [await listFile(`nginx:1\nquay.test/x/a:1\nquay.test/x/d@sha256:${hex}\n`)];
    const renamed = ['air.test:5000/library/nginx:1', 'air.test:5000/x/a:1', `air.test:5000/x/d:${hex}`];
    const expected = {
      'nginx:1': renamed[0],
      'quay.test/x/a:1': renamed[1],
      [`quay.test/x/d@sha256:${hex}`]: renamed[2],
    };
    expect(archived(await list([...given, await archive('images.tar', ...renamed)]))).toEqual(expected);
    const prefixed = await archive('prefixed.tar', 'air.test/edge/x/a:1', 'air.test/edge/library/nginx:1');
    expect(archived(await list([...given, prefixed], { 'renamed-for': ['air.test/edge/'] }))).toMatchObject({
      'nginx:1': 'air.test/edge/library/nginx:1',
      'quay.test/x/a:1': 'air.test/edge/x/a:1',
    });
  });

  it.each([
    [['a.test/x:1', 'b.test/x:1'], ['air.test/x:1'], undefined],
    [['a.test/x:1'], ['a.test/x:1'], { 'renamed-for': ['A B'] }],
  ])('with names that could mean anything is refused: %j, %j, %j', async (listed, tags, options) => {
    const given = [await listFile(listed.join('\n')), await archive('images.tar', ...tags)];
    await expect(list(given, options)).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it('is refused when another archive has the image too', async () => {
    const given = [await archive('one.tar', 'a.test/x:1'), await archive('two.tar', 'a.test/x:1')];
    await expect(list(given)).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { message: expect.stringContaining(`${at('one.tar')}/0.tar`) },
    });
  });
});
