import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import { blobName, dockerSaved, layoutSaved, plainLayer, tarOf } from '../../test/helpers/image-archives.ts';
import { generateImage } from '../../test/helpers/images.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { createRemotes, type Remotes } from '../oci/remotes.ts';
import { MoverPool } from '../transfer/pool.ts';
import { WorkFolder } from '../transfer/work-folder.ts';
import { resolveArchived } from './resolve-archived.ts';
import type { ResolveTools } from './resolve-item.ts';

const NAME = 'h.test/app:1';
const digest = `sha256:${'ab'.repeat(32)}` as const;

let folder: TemporaryFolder;
let pool: MoverPool;
let remotes: Remotes;

beforeAll(() => {
  pool = new MoverPool(1);
});

afterAll(() => pool.close());

beforeEach(async () => {
  folder = await temporaryFolder('resolve');
  const registry = { plainHttp: false, insecureSkipTlsVerify: false };
  remotes = createRemotes({ side: 'source', registry, pullFrom: {}, configDir: folder.path, env: {} });
});

afterEach(async () => {
  await remotes.close();
  await folder.remove();
});

function tools(options: Partial<ResolveTools['options']> = {}): ResolveTools {
  const { signal } = new AbortController();
  const work = new WorkFolder(join(folder.path, 'work'));
  return { remotes, folder: work, pool, signal, options: { platforms: [], digestPolicy: 'enforce', ...options } };
}

async function archived(tar: Buffer, fields: Partial<SourceItem> = {}): Promise<SourceItem> {
  const path = join(folder.path, 'a.tar');
  await writeFile(path, tar);
  const archive = { name: NAME, path, offset: 0, size: tar.length, shownAs: path };
  return { kind: 'image', name: 'app', reference: NAME, foundAt: 'images.txt:1', archive, ...fields };
}

describe('an image that Docker saved', () => {
  const saved = tarOf(dockerSaved([{ tags: [NAME], layers: [plainLayer('a'), plainLayer('b')] }]));

  it('is a manifest, and blobs that are spans of the archive', async () => {
    const item = await archived(saved);
    const { root, blobs, manifests, lock } = await resolveArchived(tools(), item, undefined);
    expect(manifests.map((manifest) => manifest.digest)).toEqual([root.digest]);
    expect(lock).toBe(root.digest);
    expect(blobs.map(({ from }) => from)).toEqual(
      blobs.map(() => [
        { kind: 'span', path: item.archive!.path, offset: expect.any(Number), shownAs: expect.any(String) },
      ]),
    );
    await expect(resolveArchived(tools(), item, { digest: root.digest, attached: [] })).resolves.toMatchObject({
      root,
    });
  });

  it.each([
    ['the source', { digest }, undefined],
    ['the reference', { reference: `${NAME}@${digest}` }, undefined],
    ['the lock file', {}, { digest, attached: [] }],
  ])('is not the one by another digest that %s states, or is with a warning', async (_, fields, locked) => {
    const item = await archived(saved, fields);
    await expect(resolveArchived(tools(), item, locked)).rejects.toMatchObject({
      type: 'TagMoved',
      problem: { message: expect.stringContaining(digest), remedy: expect.stringContaining('--digest-policy') },
    });
    const { originDigest, warnings } = await resolveArchived(tools({ digestPolicy: 'warn' }), item, locked);
    expect(originDigest).toBe(digest);
    expect(warnings).toEqual([expect.stringContaining(digest)]);
  });
});

describe('an index of which the archive has one platform', () => {
  const image = generateImage({ seed: 'many', layers: [100], platforms: ['linux/amd64', 'linux/arm64'] });
  const absent = image.manifests[1]!;
  const files = layoutSaved([{ names: [NAME], image }]).filter(([name]) => name !== blobName(absent.digest));

  it('is taken with that platform, and refused without', async () => {
    const item = await archived(tarOf(files));
    await expect(resolveArchived(tools(), item, undefined)).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: {
        subject: expect.stringContaining(blobName(absent.digest)),
        remedy: expect.stringContaining('--platform'),
      },
    });
    const resolved = await resolveArchived(tools({ platforms: ['linux/amd64'] }), item, undefined);
    expect(resolved).toMatchObject({ originDigest: image.root.digest, lock: image.root.digest });
    expect(resolved.manifests).toHaveLength(2);
  });
});
