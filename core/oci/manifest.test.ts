import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../contracts/descriptor.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { canonicalJson } from '../canonical-json.ts';
import { digestOf } from './digest.ts';
import { filterIndex, manifestMediaType, parseManifest } from './manifest.ts';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

function descriptor(name: string, more: Partial<Descriptor> = {}): Descriptor {
  return { mediaType: LAYER, digest: digestOf(Buffer.from(name)), size: name.length, ...more };
}

function bytesOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value, null, 3));
}

const config = descriptor('config', { mediaType: MediaType.ociConfig });
const manifest = {
  schemaVersion: 2,
  mediaType: MediaType.ociManifest,
  config,
  layers: [descriptor('a'), descriptor('b')],
};

describe('parseManifest', () => {
  it('lists config and layers once each, whatever their types', () => {
    const foreign = {
      ...descriptor('w', { mediaType: 'application/x-unheard-of' }),
      urls: ['https://example.invalid/w'],
    };
    const parsed = parseManifest(bytesOf({ ...manifest, layers: [...manifest.layers, foreign, descriptor('a')] }));
    expect(parsed).toMatchObject({ mediaType: MediaType.ociManifest, kind: 'manifest', children: [] });
    expect(parsed.blobs.map(({ mediaType }) => mediaType)).toEqual([
      config.mediaType,
      LAYER,
      LAYER,
      'application/x-unheard-of',
    ]);
  });

  it('reads an index, with platforms, subject, artifact type and annotations', () => {
    const child = descriptor('m', {
      mediaType: MediaType.ociManifest,
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    });
    const subject = descriptor('s', { mediaType: MediaType.ociManifest });
    const document = { schemaVersion: 2, manifests: [child], subject, artifactType: 'a/b', annotations: { k: 'v' } };
    expect(parseManifest(bytesOf(document))).toEqual({
      mediaType: MediaType.ociIndex,
      kind: 'index',
      children: [child],
      blobs: [],
      subject,
      artifactType: 'a/b',
      annotations: { k: 'v' },
    });
  });

  it('reads Docker schema 2 by the type it was given', () => {
    const { mediaType: _own, ...bare } = manifest;
    expect(parseManifest(bytesOf(bare), MediaType.dockerManifest).mediaType).toBe(MediaType.dockerManifest);
    const list = { schemaVersion: 2, manifests: [descriptor('m')] };
    expect(parseManifest(bytesOf(list), MediaType.dockerManifestList)).toMatchObject({ kind: 'index' });
  });

  it('reads the OCI 1.1 release candidates’ artifact manifest', () => {
    const document = { mediaType: 'application/vnd.oci.artifact.manifest.v1+json', blobs: [descriptor('sbom')] };
    expect(parseManifest(bytesOf(document))).toMatchObject({ kind: 'manifest', blobs: [descriptor('sbom')] });
  });

  it.each([
    ['not JSON', Buffer.from('{'), /JSON/],
    ['bad UTF-8', Buffer.from([0x22, 0xff, 0x22]), /UTF-8/],
    ['a list', bytesOf([]), /object/],
    ['over 4 MiB', Buffer.alloc(4 * 1024 * 1024 + 1, 0x20), /4 MiB/],
    ['schema 1', bytesOf({ schemaVersion: 1, fsLayers: [] }), /schemaVersion is 1/],
    ['no layers', bytesOf({ schemaVersion: 2, config }), /layers is not a list/],
    ['no config', bytesOf({ schemaVersion: 2, layers: [] }), /config is not a descriptor/],
    ['two faces', bytesOf({ ...manifest, manifests: [] }), /both/],
    ['a negative size', bytesOf({ ...manifest, layers: [descriptor('a', { size: -1 })] }), /layers\[0\]\.size/],
    ['an absurd size', bytesOf({ ...manifest, layers: [descriptor('a', { size: 2 ** 60 })] }), /layers\[0\]\.size/],
    ['a fractional size', bytesOf({ ...manifest, config: { ...config, size: 1.5 } }), /config\.size/],
    [
      'a bad digest',
      bytesOf({ ...manifest, layers: [{ ...descriptor('a'), digest: 'sha256:xyz' }] }),
      /layers\[0\]\.digest/,
    ],
    ['two sizes', bytesOf({ ...manifest, layers: [descriptor('a'), descriptor('a', { size: 9 })] }), /two sizes/],
    ['numeric annotations', bytesOf({ ...manifest, annotations: { k: 1 } }), /annotations\["k"\]/],
  ])('refuses %s, naming the document', (_what, bytes, message) => {
    expect(() => parseManifest(bytes)).toThrow(message);
    expect(() => parseManifest(bytes)).toThrow(
      expect.objectContaining({
        type: 'ManifestInvalid',
        message: expect.stringContaining(digestOf(bytes)) as string,
      }) as Error,
    );
  });

  it('refuses a document that was given as something else', () => {
    expect(() => parseManifest(bytesOf(manifest), MediaType.ociIndex)).toThrow(/was given as/);
  });

  it('throws nothing but ManifestInvalid', () => {
    const field = fc.oneof(fc.jsonValue(), fc.constant([descriptor('a')]), fc.constant(config));
    const document = fc.record(
      { schemaVersion: fc.constant(2), manifests: field, layers: field, config: field, subject: field },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(document, (value) => {
        try {
          parseManifest(bytesOf(value));
        } catch (error) {
          expect(error).toMatchObject({ type: 'ManifestInvalid' });
        }
      }),
    );
  });
});

describe('manifestMediaType', () => {
  it('believes a known header, then the document, then its looks', () => {
    expect(manifestMediaType(bytesOf(manifest), `${MediaType.dockerManifest}; charset=utf-8`)).toBe(
      MediaType.dockerManifest,
    );
    expect(manifestMediaType(bytesOf(manifest), 'application/octet-stream')).toBe(MediaType.ociManifest);
    expect(manifestMediaType(bytesOf({ schemaVersion: 2, manifests: [] }), 'text/plain')).toBe(MediaType.ociIndex);
    expect(manifestMediaType(bytesOf({ a: 1 }), 'application/vnd.x+json')).toBe('application/vnd.x+json');
  });
});

describe('filterIndex', () => {
  const on = (name: string, architecture: string, variant?: string): Descriptor =>
    descriptor(name, {
      mediaType: MediaType.ociManifest,
      platform: { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) },
    });
  const attestationOf = (name: string): Descriptor =>
    descriptor(`attestation of ${name}`, {
      mediaType: MediaType.ociManifest,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': digestOf(Buffer.from(name)),
      },
    });
  const manifests = [
    on('amd', 'amd64'),
    on('arm', 'arm64', 'v8'),
    on('v6', 'arm', 'v6'),
    on('v7', 'arm', 'v7'),
    attestationOf('amd'),
    attestationOf('arm'),
  ];
  const index = { schemaVersion: 2, mediaType: MediaType.dockerManifestList, manifests, extra: 'kept' };

  it.each([
    [['linux/amd64'], ['amd', 'attestation of amd']],
    [['linux/arm64'], ['arm', 'attestation of arm']],
    [['linux/arm/v7'], ['v7']],
    [['linux/arm'], ['v6', 'v7']],
    [
      ['linux/amd64', 'linux/s390x'],
      ['amd', 'attestation of amd'],
    ],
    [['windows/amd64'], []],
  ])('keeps %j and what speaks of it', (platforms, names) => {
    const filtered = filterIndex(bytesOf(index), platforms);
    const digests = names.map((name) => digestOf(Buffer.from(name)));
    expect(filtered?.kept.map(({ digest }) => digest)).toEqual(digests);
    const kept = manifests.filter(({ digest }) => digests.includes(digest));
    expect(Buffer.from(filtered!.bytes).toString()).toBe(canonicalJson({ ...index, manifests: kept }));
    expect(filtered?.digest).toBe(digestOf(filtered!.bytes));
  });

  it('leaves an index alone that loses nothing', () => {
    expect(filterIndex(bytesOf(index), [])).toBeUndefined();
    expect(filterIndex(bytesOf({ ...index, manifests: manifests.slice(0, 1) }), ['linux/amd64'])).toBeUndefined();
    expect(filterIndex(bytesOf({ ...index, manifests: [descriptor('chart')] }), ['linux/amd64'])).toBeUndefined();
  });

  it('keeps a manifest that is listed for several platforms', () => {
    const shared = [on('one', 'amd64'), on('one', 'arm64'), on('other', 's390x')];
    expect(filterIndex(bytesOf({ ...index, manifests: shared }), ['linux/arm64'])?.kept).toHaveLength(1);
  });

  it('refuses a platform it cannot read', () => {
    expect(() => filterIndex(bytesOf(index), ['amd64'])).toThrow(
      expect.objectContaining({ type: 'InvalidInput' }) as Error,
    );
  });
});
