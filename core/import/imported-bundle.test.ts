import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GeneratedBlob } from '../../test/helpers/content.ts';
import { generateImage } from '../../test/helpers/images.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { createPusher } from '../../test/helpers/push.ts';
import { startRegistry, type TestRegistry } from '../../test/helpers/registry.ts';
import { writeBundle } from '../../test/helpers/write-bundle.ts';
import { openBundle, type Bundle } from '../bundle/reader.ts';
import { readFromBundle } from '../node-config/read-from-bundle.ts';
import { createRemotes, type Remotes } from '../oci/remotes.ts';
import type { DestinationRules } from '../oci/rewrite.ts';
import { importedBundles, openImported, type ImportedBundle, type ImportedRegistry } from './imported-bundle.ts';
import { closureOf, targetsOf } from './targets.ts';

const rules: DestinationRules = { namespace: 'mirror', map: { 'public.ecr.aws': 'ecr' } };
const image = generateImage({ seed: 'an image', layers: [5000, 20], platforms: ['linux/amd64', 'linux/arm64'] });
const file = { url: 'https://files.example/release/components.yaml', bytes: Buffer.from('kind: Nothing\n') };

describe('a bundle in the registry that it was imported into', () => {
  let folder: TemporaryFolder;
  let registry: TestRegistry;
  let remotes: Remotes;
  let bundle: Bundle;
  let at: ImportedRegistry;

  beforeAll(async () => {
    folder = await temporaryFolder('imported');
    registry = await startRegistry({ kind: 'distribution' });
    const path = join(folder.path, 'artifacts.tar');
    await writeBundle(path, [{ reference: 'public.ecr.aws/team/app:v1', image }], [file]);
    bundle = await openBundle(path);
    await importPlainly(bundle, registry);
  });
  afterAll(async () => {
    await bundle.close();
    await registry.stop();
    await folder.remove();
  });
  beforeEach(() => {
    const options = { plainHttp: true, insecureSkipTlsVerify: false };
    remotes = createRemotes({ side: 'destination', registry: options, pullFrom: {}, configDir: folder.path, env: {} });
    at = { remotes, host: registry.host, rules };
  });
  afterEach(() => remotes.close());

  const open = async (): Promise<ImportedBundle> => {
    const [found, ...more] = await importedBundles(at);
    expect(more).toEqual([]);
    return found!;
  };

  it('is found by its bill of materials, and by the digest of that', async () => {
    const found = await open();
    expect(found.billOfMaterials).toEqual(bundle.billOfMaterials);
    expect(found.path).toBe(`${registry.host}/mirror`);
    expect((await openImported(at, found.identity)).identity).toBe(found.identity);
  });

  it('gives files as the tar does', async () => {
    const found = await open();
    expect(await readFromBundle(found, file.url)).toEqual(new Uint8Array(file.bytes));
    expect(await readFromBundle(found, 'https://files.example/other')).toBeUndefined();
  });

  it('gives images as the tar does: what they consist of, and every blob', async () => {
    const found = await open();
    const { digest } = bundle.billOfMaterials.items[0]!;
    const closure = await found.closure(digest);
    const wanted = await bundle.closure(digest);
    expect(closure.manifests.map((one) => one.digest)).toEqual(wanted.manifests.map((one) => one.digest));
    expect(closure.blobs.map((one) => one.digest)).toEqual(wanted.blobs.map((one) => one.digest));
    for (const blob of closure.blobs) {
      const path = join(folder.path, 'blob');
      await writeFile(path, '');
      await found.save(blob.digest, path, new AbortController().signal);
      expect(await readFile(path)).toEqual(Buffer.from(await bundle.read(blob.digest)));
      expect(found.locate(blob.digest)?.size).toBe(blob.size);
    }
  });

  it('has nothing that its bill does not lead to', async () => {
    const found = await open();
    await expect(found.read(`sha256:${'1'.repeat(64)}`)).rejects.toMatchObject({ type: 'ContentMissing' });
  });

  it('is not in a namespace where nothing was imported', async () => {
    expect(await importedBundles({ ...at, rules: { namespace: 'elsewhere', map: {} } })).toEqual([]);
  });
});

/** Everything where an import puts it, with plain requests. */
async function importPlainly(bundle: Bundle, { url }: TestRegistry): Promise<void> {
  const pusher = await createPusher({ url });
  for (const target of targetsOf(bundle, rules)) {
    const closure = await closureOf(bundle, target);
    const manifests = await Promise.all(
      closure.manifests.map(async (descriptor) => ({ ...descriptor, bytes: await bundle.read(descriptor.digest) })),
    );
    const blobs = await Promise.all(
      closure.blobs.map(async (descriptor): Promise<GeneratedBlob> => {
        const bytes = await bundle.read(descriptor.digest);
        return { ...descriptor, chunks: () => [bytes] };
      }),
    );
    await pusher.push(target.repository, target.tag, { root: manifests.at(-1)!, manifests, blobs });
  }
  await pusher.close();
}
