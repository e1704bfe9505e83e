import { describe, expect, it } from 'vitest';
import { MediaType } from '../../contracts/media-types.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { buildIndex } from './index-json.ts';

function manifest(letter: string, more: Partial<Descriptor> = {}): Descriptor {
  const digest: Digest = `sha256:${letter.repeat(64)}`;
  return { mediaType: MediaType.ociManifest, digest, size: 10, ...more };
}

const bill = manifest('0', { artifactType: MediaType.billOfMaterials });

describe('buildIndex', () => {
  it('lists every reference, sorted, with the names that skopeo and ctr go by', () => {
    const items = [
      { descriptor: manifest('a'), refName: 'z.example/app:v1', imageName: 'z.example/app:v1' },
      { descriptor: manifest('a'), refName: 'a.example/app:v1', imageName: 'a.example/app:v1' },
      {
        descriptor: manifest('b', { annotations: { 'org.opencontainers.image.ref.name': 'v1' } }),
        refName: 'https://x/y',
      },
    ];
    const bytes = buildIndex(items, [manifest('c'), manifest('a')], bill);
    expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [
        { ...manifest('a'), annotations: named('a.example/app:v1', true) },
        { ...manifest('b'), annotations: named('https://x/y') },
        { ...bill, annotations: named('sealift/bill-of-materials') },
        { ...manifest('a'), annotations: named('z.example/app:v1', true) },
        manifest('c'),
      ],
    });
    expect(buildIndex(items.reverse(), [manifest('a'), manifest('c'), manifest('c')], bill)).toEqual(bytes);
  });

  it('refuses one reference for two digests', () => {
    const items = ['a', 'b'].map((letter) => ({ descriptor: manifest(letter), refName: 'x.example/app:v1' }));
    expect(() => buildIndex(items, [], bill)).toThrow(/x.example\/app:v1: it stands for sha256:aaa/);
  });

  it('refuses to grow beyond what readers take', () => {
    const items = Array.from({ length: 1200 }, (_none, number) => ({
      descriptor: manifest('a'),
      refName: `x.example/${'a'.repeat(4000)}:${number}`,
    }));
    expect(() => buildIndex(items, [], bill)).toThrow(/of at most 4194304/);
  });
});

function named(reference: string, image = false): Record<string, string> {
  return {
    'org.opencontainers.image.ref.name': reference,
    ...(image ? { 'io.containerd.image.name': reference } : {}),
  };
}
