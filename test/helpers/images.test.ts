import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, generateLayer, randomBuffer } from './content.ts';
import {
  generateArtifact,
  generateChart,
  generateImage,
  generateReferrersTag,
  generateTagAttachment,
} from './images.ts';
import { writeLayout } from './layout.ts';
import { requireTool, temporaryFolder } from './paths.ts';
import { runOk } from './processes.ts';
import { createPusher, pushImage } from './push.ts';
import { startRegistry, type TestRegistry } from './registry.ts';

let registry: TestRegistry;
let olareg: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({ kind: 'distribution' });
  olareg = await startRegistry({ kind: 'olareg' });
});

afterAll(async () => {
  await registry.stop();
  await olareg.stop();
});

describe('generated content', () => {
  it('is the same every time, and different for another seed', () => {
    expect(randomBuffer('a', 100_000).equals(randomBuffer('a', 100_000))).toBe(true);
    expect(randomBuffer('a', 100).equals(randomBuffer('b', 100))).toBe(false);
    const options = { seed: 'x', layers: [100, 70_000], platforms: ['linux/amd64', 'linux/arm64/v8'] };
    expect(generateImage(options).root.digest).toBe(generateImage(options).root.digest);
  });

  it.each([10, 200, 70_000])('makes layers that are gzip streams with the announced digests (%d bytes)', (size) => {
    const layer = generateLayer('any', 'layer', size);
    const bytes = Buffer.concat([...layer.chunks()]);
    expect({ digest: digestOf(bytes), size: bytes.length }).toEqual({ digest: layer.digest, size: layer.size });
    expect(digestOf(gunzipSync(bytes))).toBe(layer.diffId);
  });

  it('shares layers between images', () => {
    const base = { seed: 'base', size: 1_000 };
    const blobs = [generateImage({ seed: 'a', layers: [base, 5] }), generateImage({ seed: 'b', layers: [base, 5] })];
    expect(new Set(blobs.flatMap((image) => image.blobs.map((blob) => blob.digest))).size).toBe(5);
  });
});

describe('pushImage', () => {
  it.each(['oci', 'docker'] as const)(
    'makes %s images that crane finds valid, layer contents included',
    async (format) => {
      const image = generateImage({
        seed: format,
        layers: [20_000, 9],
        platforms: ['linux/amd64', 'linux/arm64'],
        format,
      });
      await pushImage(registry.url, `valid/${format}`, 'v1', image);
      const crane = await requireTool('crane');
      const reference = `${registry.host}/valid/${format}:v1`;
      expect((await runOk(crane, ['digest', reference])).trim()).toBe(image.root.digest);
      await runOk(crane, ['validate', '--remote', reference]);
    },
  );

  it('mounts what another repository has', async () => {
    const image = generateImage({ seed: 'mounted', layers: [50_000] });
    const pusher = await createPusher({ url: registry.url });
    await pusher.push('mount/from', 'v1', image);
    await pusher.push('mount/to', 'v1', image);
    await pusher.close();
    await runOk(await requireTool('crane'), ['validate', '--remote', `${registry.host}/mount/to:v1`]);
  });

  it('makes charts that helm pulls', async () => {
    await using folder = await temporaryFolder('chart');
    await pushImage(registry.url, 'charts/thing', '1.2.3', generateChart({ name: 'thing', version: '1.2.3' }));
    const env = { HOME: folder.path, PATH: process.env['PATH'] ?? '' };
    const helm = await requireTool('helm');
    const from = ['pull', `oci://${registry.host}/charts/thing`, '--version', '1.2.3', '--plain-http'];
    await runOk(helm, [...from, '-d', folder.path], { env });
    const rendered = await runOk(helm, ['template', 'release', join(folder.path, 'thing-1.2.3.tgz')], { env });
    expect(rendered).toContain('kind: ConfigMap');
  });

  it('makes referrers that the referrers API lists, and what stands in for it elsewhere', async () => {
    const image = generateImage({ seed: 'referred', layers: [10] });
    const artifactType = 'application/spdx+json';
    const files = [{ title: 'sbom.json', mediaType: artifactType, bytes: Buffer.from('{}') }];
    const sbom = generateArtifact({ artifactType, subject: image.root, files });
    const signature = generateTagAttachment(image.root.digest, 'sig');
    const fallback = generateReferrersTag(image.root.digest, [{ image: sbom, artifactType }]);
    const oras = await requireTool('oras');
    for (const { url, host } of [olareg, registry]) {
      await pushImage(url, 'referred', 'v1', image);
      await pushImage(url, 'referred', undefined, sbom);
      await pushImage(url, 'referred', signature.tag, signature.image);
      if (url === registry.url) await pushImage(url, 'referred', fallback.tag, fallback.image);
      const found = await runOk(oras, ['discover', '--plain-http', '--format', 'json', `${host}/referred:v1`]);
      expect(found).toContain(sbom.root.digest);
      expect(await runOk(oras, ['repo', 'tags', '--plain-http', `${host}/referred`])).toContain(signature.tag);
    }
  });
});

describe('writeLayout', () => {
  it('is read by oras', async () => {
    await using folder = await temporaryFolder('layout');
    const image = generateImage({ seed: 'layout', layers: [3_000] });
    await writeLayout(folder.path, [{ name: 'v1', image }]);
    const oras = await requireTool('oras');
    const copied = [`${folder.path}:v1`, `${registry.host}/from-layout:v1`];
    await runOk(oras, ['cp', '--from-oci-layout', '--to-plain-http', ...copied]);
    expect(await readFile(join(folder.path, 'index.json'), 'utf8')).toContain(image.root.digest);
  });
});
