import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArchivedImage } from '../../contracts/bill-of-materials.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { digestOf } from '../../test/helpers/content.ts';
import {
  blobName,
  dockerSaved,
  layoutSaved,
  plainLayer,
  tarOf,
  type TarFile,
} from '../../test/helpers/image-archives.ts';
import { generateImage } from '../../test/helpers/images.ts';
import { findTool, temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { runOk } from '../../test/helpers/processes.ts';
import { createPusher } from '../../test/helpers/push.ts';
import { startRegistry } from '../../test/helpers/registry.ts';
import type { SealiftError } from '../errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { listImagesIn } from './list-images.ts';
import { withArchivedImage, type OpenImage } from './open-image.ts';

let folder: TemporaryFolder;
let warnings: string[];
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await temporaryFolder('archive');
  warnings = [];
});

afterEach(() => folder.remove());

async function list(path: string): Promise<ArchivedImage[] | undefined> {
  return listImagesIn(path, {
    scratch: () => Promise.resolve(at('scratch')),
    hash: async (file) =>
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    warn: (message) => warnings.push(message),
  });
}

async function written(name: string, bytes: Uint8Array): Promise<string> {
  await writeFile(at(name), bytes);
  return at(name);
}

function use<T>(image: ArchivedImage, then: (image: OpenImage) => Promise<T>): Promise<T> {
  const hash = async ({ path, offset, size }: { path: string; offset: number; size: number }) =>
    digestOf((await readFile(path)).subarray(offset, offset + size));
  return withArchivedImage(image, hash, then);
}

/** Opens an image, and reads each blob that its manifest names from where it is said to be. @returns media types by digest */
function takeOut(image: ArchivedImage): Promise<{ root: string; blobs: [digest: string, mediaType: string][] }> {
  return use(image, async ({ root, blob }) => {
    const { blobs } = parseManifest(root.bytes, root.descriptor.mediaType);
    for (const descriptor of blobs) {
      const { path, offset } = blob(descriptor);
      expect(digestOf((await readFile(path)).subarray(offset, offset + descriptor.size))).toBe(descriptor.digest);
    }
    expect(digestOf(root.bytes)).toBe(root.descriptor.digest);
    return { root: root.descriptor.digest, blobs: blobs.map(({ digest, mediaType }) => [digest, mediaType]) };
  });
}

async function failure(path: string): Promise<SealiftError> {
  const taken = list(path).then((images) => Promise.all(images!.map(takeOut)));
  return taken.then(
    () => {
      throw new Error('it was taken');
    },
    (error: unknown) => error as SealiftError,
  );
}

const names = (images: ArchivedImage[] | undefined): string[] => (images ?? []).map(({ name }) => name);

describe('an archive of images', () => {
  it('is what Docker saved, with layers that images share, and the names of Docker Hub made whole', async () => {
    const [base, top] = [plainLayer('base'), plainLayer('top')];
    const files = dockerSaved([
      { tags: ['nginx:1', 'h.test/n:1'], layers: [base] },
      { tags: ['h.test/app:2'], layers: [base, top, top] },
    ]);
    const images = (await list(await written('images.tar', tarOf(files))))!;
    expect(names(images)).toEqual(['docker.io/library/nginx:1', 'h.test/app:2', 'h.test/n:1']);
    const app = await takeOut(images[1]!);
    expect(app.blobs.slice(1)).toEqual([
      [digestOf(base), 'application/vnd.oci.image.layer.v1.tar'],
      [digestOf(top), 'application/vnd.oci.image.layer.v1.tar'],
    ]);
    expect(await takeOut(images[1]!)).toEqual(app);
    expect((await takeOut(images[0]!)).root).toBe((await takeOut(images[2]!)).root);
  });

  it('may be one of tars through gzip: unpacked once, under a name that is its content', async () => {
    const inner = tarOf(dockerSaved([{ tags: ['h.test/a:1'], layers: [plainLayer('a')] }]));
    const path = await written('images.tgz', gzipSync(tarOf([['./a.tar', inner]])));
    const [image] = (await list(path))!;
    expect(image).toMatchObject({ name: 'h.test/a:1', size: inner.length, shownAs: `${path}/a.tar` });
    const { root } = await takeOut(image!);
    const alone = (await list(await written('a.tar', inner)))!;
    expect((await takeOut(alone[0]!)).root).toBe(root);
    expect(await readdir(at('scratch'))).toEqual([expect.stringMatching(/^[0-9a-f]{16}\.tar$/)]);
    await list(path);
    expect(await readdir(at('scratch'))).toHaveLength(1);
  });

  it('with compressed layers keeps them, when what is inside is what the config says', async () => {
    const layer = plainLayer('z');
    const path = await written('i.tar', tarOf(dockerSaved([{ tags: ['h.test/z:1'], layers: [layer], gzip: true }])));
    const { blobs } = await takeOut((await list(path))![0]!);
    expect(blobs[1]).toEqual([digestOf(gzipSync(layer)), 'application/vnd.oci.image.layer.v1.tar+gzip']);
  });

  it('that is an OCI layout keeps its manifests to the byte, of every platform', async () => {
    const one = generateImage({ seed: 'one', layers: [100], format: 'docker' });
    const many = generateImage({ seed: 'many', layers: [100], platforms: ['linux/amd64', 'linux/arm64'] });
    const files = layoutSaved([
      { names: ['h.test/one:1', `h.test/one@${one.root.digest}`], image: one },
      { names: [`h.test/many@${many.root.digest}`], image: many },
    ]);
    const images = (await list(await written('layout.tar', tarOf(files))))!;
    expect(names(images)).toEqual([`h.test/many@${many.root.digest}`, 'h.test/one:1']);
    const opened = await takeOut(images[1]!);
    expect(opened.root).toBe(one.root.digest);
    await use(images[0]!, async ({ root, manifest }) => {
      expect(root.descriptor).toMatchObject({ mediaType: MediaType.ociIndex, digest: many.root.digest });
      const [child] = many.manifests;
      expect(Buffer.from((await manifest(child!.digest)).bytes)).toEqual(Buffer.from(child!.bytes));
    });
  });

  it('warns of an image that has no name, and carries the others', async () => {
    const files = dockerSaved([{ layers: [plainLayer('a')] }, { tags: ['h.test/b:1'], layers: [plainLayer('b')] }]);
    expect(names(await list(await written('i.tar', tarOf(files))))).toEqual(['h.test/b:1']);
    expect(warnings).toEqual([expect.stringMatching(/i\.tar: 1 of its images have no name/)]);
  });

  it('is not a tar of anything else, and not a broken one', async () => {
    const charm = tarOf([['a.charm', Buffer.from('PK')]]);
    expect(await list(await written('a.tar', charm))).toBeUndefined();
    expect(await list(await written('a.tgz', gzipSync(charm)))).toBeUndefined();
    expect(await list(await written('b.tgz', Buffer.from('hello')))).toBeUndefined();
    await expect(list(at('absent.tar'))).rejects.toMatchObject({ type: 'FileMissing' });
  });
});

describe('a hostile or damaged archive', () => {
  const saved = (): [string, TarFile][] => dockerSaved([{ tags: ['h.test/a:1'], layers: [plainLayer('a')] }]);
  const replaced = (name: RegExp, content: TarFile): [string, TarFile][] =>
    saved().map(([path, old]) => [path, name.test(path) ? content : old]);
  const layout = (): [string, TarFile][] =>
    layoutSaved([{ names: ['h.test/a:1'], image: generateImage({ seed: 'a', layers: [100] }) }]);
  const manifest = (value: unknown): [string, TarFile][] =>
    replaced(/^manifest\.json$/, Buffer.from(JSON.stringify(value)));
  const without = (files: [string, TarFile][], name: RegExp): [string, TarFile][] =>
    files.filter(([path]) => !name.test(path));
  const layoutBlob = generateImage({ seed: 'a', layers: [100] }).blobs[1]!;

  it.each<[string, [string, TarFile][], RegExp, string]>([
    ['an entry above it', [...saved(), ['../x', Buffer.from('x')]], /i\.tar\/\.\.\/x$/, 'InvalidInput'],
    ['an absolute entry', [...saved(), ['/x', Buffer.from('x')]], /i\.tar\/\/x$/, 'InvalidInput'],
    ['an entry twice', [...saved(), ...saved()], /i\.tar\/./, 'InvalidInput'],
    ['no layer', without(saved(), /layer\.tar$/), /layer\.tar$/, 'InvalidInput'],
    ['a layer that is a link out', replaced(/layer\.tar$/, '../../../etc/passwd'), /layer\.tar$/, 'InvalidInput'],
    ['a layer that is a link to itself', replaced(/layer\.tar$/, 'layer.tar'), /layer\.tar$/, 'InvalidInput'],
    ['another layer', replaced(/layer\.tar$/, plainLayer('b')), /layer\.tar$/, 'DigestMismatch'],
    ['a layer in zstd', replaced(/layer\.tar$/, Buffer.from('28b52ffd00', 'hex')), /layer\.tar$/, 'InvalidInput'],
    ['a layer in broken gzip', replaced(/layer\.tar$/, Buffer.from('1f8b0000', 'hex')), /layer\.tar$/, 'InvalidInput'],
    ['another config', replaced(/^[0-9a-f]{64}\.json$/, Buffer.from('{}')), /\.json$/, 'DigestMismatch'],
    ['garbage for a manifest', replaced(/^manifest\.json$/, Buffer.from('{')), /manifest\.json$/, 'InvalidInput'],
    ['a manifest of another shape', manifest([{ Config: 1 }]), /manifest\.json$/, 'InvalidInput'],
    ['a name that is none', manifest([{ Config: 'x', RepoTags: ['A B'] }]), /manifest\.json$/, 'InvalidInput'],
    ['a config outside', manifest([{ Config: '../../x', RepoTags: ['a:1'] }]), /\.\.\/\.\.\/x$/, 'InvalidInput'],
    ['no image', manifest([]), /i\.tar$/, 'InvalidInput'],
    ['an index.json of garbage', [...saved(), ['index.json', Buffer.from('[]')]], /index\.json$/, 'InvalidInput'],
    ['no blob', without(layout(), new RegExp(layoutBlob.digest.slice(7))), /blobs\/sha256\//, 'InvalidInput'],
    [
      'a blob of another size',
      layout().map(([name, old]) => [name, name === blobName(layoutBlob.digest) ? Buffer.from('x') : old]),
      /blobs\/sha256\//,
      'DigestMismatch',
    ],
    [
      'other layers than the config says',
      dockerSaved([{ tags: ['a:1'], layers: [plainLayer('a')], diffIds: [] }]),
      /\.json$/,
      'InvalidInput',
    ],
    ['a tar that holds no image', [['a.tar', tarOf([['x', Buffer.from('x')]])]], /i\.tar\/a\.tar$/, 'InvalidInput'],
    ['an empty tar', [['a.tar', Buffer.alloc(0)]], /i\.tar\/a\.tar$/, 'InvalidInput'],
    ['compressed tars', [['a.tar.gz', gzipSync('x')]], /i\.tar\/a\.tar\.gz$/, 'InvalidInput'],
    [
      'an image twice',
      [
        ['a.tar', tarOf(saved())],
        ['b.tar', tarOf(saved())],
      ],
      /i\.tar\/b\.tar$/,
      'InvalidInput',
    ],
  ])('with %s is refused by file and entry', async (_, files, subject, type) => {
    const error = await failure(await written('i.tar', tarOf(files)));
    expect(error).toMatchObject({ type, problem: { subject: expect.stringMatching(subject) } });
    expect(error.problem.remedy).not.toBe('');
  });

  it('that ends early is refused', async () => {
    const whole = tarOf(saved());
    const error = await failure(await written('i.tar', whole.subarray(0, whole.length - 2048)));
    expect(error).toMatchObject({ type: 'InvalidInput', problem: { message: expect.stringContaining('truncated') } });
  });

  it('that is a gzip bomb is refused, and leaves nothing', async () => {
    const start = tarOf([['a.tar', Buffer.alloc(100_000)]]);
    const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    // Members of gzip that follow each other are one stream (RFC 1952, 2.2).
    const bomb = Buffer.concat([gzipSync(start), ...new Array<Buffer>(5).fill(zeros)]);
    const error = await failure(await written('i.tgz', bomb));
    expect(error).toMatchObject({ type: 'InvalidInput', problem: { message: expect.stringContaining('unpack') } });
    expect(await readdir(at('scratch'))).toEqual([]);
  });

  it('that is damaged in the middle is refused, and leaves nothing', async () => {
    const packed = gzipSync(tarOf([['a.tar', tarOf(saved())]]));
    const error = await failure(await written('i.tgz', packed.subarray(0, packed.length - 100)));
    expect(error).toMatchObject({ type: 'InvalidInput', problem: { subject: at('i.tgz') } });
    expect(await readdir(at('scratch'))).toEqual([]);
  });
});

describe('archives of other programs', () => {
  const image = generateImage({ seed: 'real', layers: [5000, 300] });
  const name = 'docker.io/example/app:1';
  const source = (): Promise<string> =>
    written('source.tar', tarOf(layoutSaved([{ names: [name], image }]))).then((path) => `oci-archive:${path}`);

  it.each(['docker-archive', 'oci-archive'])('of skopeo, as %s, are read', async (kind) => {
    const skopeo = await findTool('skopeo');
    if (skopeo === undefined) return console.warn('there is no skopeo on this machine');
    await runOk(skopeo, ['copy', '--quiet', await source(), `${kind}:${at('out.tar')}:${name}`]);
    const [found] = (await list(at('out.tar')))!;
    expect(found?.name).toBe(name);
    const { root, blobs } = await takeOut(found!);
    if (kind === 'oci-archive') expect(root).toBe(image.root.digest);
    expect(blobs).toHaveLength(3);
  });

  it('of crane, with compressed layers and no OCI layout, are read', async () => {
    const crane = await findTool('crane');
    if (crane === undefined) return console.warn('there is no crane on this machine');
    await using registry = await startRegistry({ kind: 'distribution' });
    const pusher = await createPusher({ url: registry.url });
    await pusher.push('example/app', '1', image);
    await pusher.close();
    const reference = `${registry.host}/example/app:1`;
    await runOk(crane, ['pull', reference, at('crane.tar')]);
    const [found] = (await list(at('crane.tar')))!;
    expect(found?.name).toBe(reference);
    expect((await takeOut(found!)).blobs.map(([digest]) => digest)).toEqual(
      parseManifest(image.root.bytes).blobs.map(({ digest }) => digest),
    );
  });
});
