import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openBundle } from '../bundle/reader.ts';
import { failureOf, sampleBundle, temporaryFolders, writeSample } from '../bundle/testing.ts';
import { writeTree } from './write-tree.ts';

const folder = temporaryFolders(afterEach);
const hello = { path: 'root/etc/a', content: 'hello' } as const;

describe('writeTree', () => {
  it('writes files with their modes, in the order of their paths, and leaves nothing else', async () => {
    const base = await folder();
    const output = join(base, 'new/out');
    const written = await writeTree(
      [{ path: 'run.sh', content: '#!', executable: true }, { path: 'key', content: 's', secret: true }, hello],
      { output, force: false },
    );
    expect(written).toEqual([
      { path: 'key', size: 1, executable: false },
      { path: 'root/etc/a', size: 5, executable: false },
      { path: 'run.sh', size: 2, executable: true },
    ]);
    const mode = async (name: string): Promise<number> => (await stat(join(output, name))).mode & 0o777;
    expect([await mode('key'), await mode('root/etc/a'), await mode('run.sh')]).toEqual([0o600, 0o644, 0o755]);
    expect(await readdir(join(base, 'new'))).toEqual(['out']);
  });

  it('replaces an earlier result only when it is told to, and nothing else ever', async () => {
    const output = join(await folder(), 'out');
    await writeTree([{ path: 'old', content: '' }], { output, force: false });
    expect(await failureOf(writeTree([hello], { output, force: false }))).toMatchObject({
      type: 'OutputExists',
      text: expect.stringContaining('--force'),
    });
    await writeTree([hello], { output, force: true });
    await expect(stat(join(output, 'old'))).rejects.toMatchObject({ code: 'ENOENT' });

    const foreign = join(await folder(), 'home');
    await mkdir(foreign);
    await writeTree([hello], { output: foreign, force: false });
    const file = join(await folder(), 'file');
    await writeFile(file, '');
    expect((await failureOf(writeTree([hello], { output: file, force: true }))).type).toBe('OutputExists');
    const full = await folder();
    await writeFile(join(full, 'mine'), '');
    expect((await failureOf(writeTree([hello], { output: full, force: true }))).type).toBe('OutputExists');
    expect(await readdir(full)).toEqual(['mine']);
  });

  it('leaves the earlier result alone when something fails on the way', async () => {
    const base = await folder();
    const output = join(base, 'out');
    const sample = sampleBundle();
    const path = await writeSample(base, sample);
    await writeTree([hello], { output, force: false });
    const bundle = await openBundle(path);
    const { offset } = bundle.locate(sample.image.layers[0]!.digest)!;
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.at(offset)! ^ 1, offset);
    await writeFile(path, bytes);
    try {
      const image = { path: 'image.tar', image: sample.image.reference };
      const failed = await failureOf(writeTree([image], { output, force: true, bundle }));
      expect(failed.type).toBe('BundleCorrupt');
    } finally {
      await bundle.close();
    }
    expect(await readFile(join(output, 'root/etc/a'), 'utf8')).toBe('hello');
    expect((await readdir(base)).sort()).toEqual(['bundle.tar', 'out']);
  });

  it('says what a file would be made of', async () => {
    const output = join(await folder(), 'out');
    const file = { path: 'a.tar', image: 'r.test/a:1' };
    expect(await failureOf(writeTree([file], { output, force: false }))).toMatchObject({
      type: 'InvalidInput',
      text: expect.stringContaining('--input'),
    });
  });

  it.each(['/a', '../a', 'a/../../b', 'a//b', '.sealift-generated'])('refuses the path %s', async (path) => {
    const base = await folder();
    await expect(writeTree([{ path, content: '' }], { output: join(base, 'out'), force: false })).rejects.toThrow();
    expect(await readdir(base)).toEqual([]);
  });
});
