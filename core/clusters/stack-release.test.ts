import { describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { generateChart } from '../../test/helpers/images.ts';
import type { ReadableBundle } from '../bundle/reader.ts';
import { readStack } from './stack-release.ts';

const origin = 'public.ecr.aws/release-container-registry';
const references = {
  services: `${origin}/tinkerbell/tinkerbell/tinkerbell-helm:0.0.1-abc`,
  definitions: `${origin}/tinkerbell/tinkerbell-crds:0.22.1`,
};

/** The provider's block as releases have it. */
function block(change: (stack: Record<string, unknown>) => void = () => undefined): Parameters<typeof readStack>[1] {
  const tinkerbellStack = {
    stack: { uri: references.services },
    tinkerbellCrds: { uri: references.definitions },
    boots: { uri: `${origin}/tinkerbell/tinkerbell:v1` },
    tink: { tinkRelayInit: { uri: `${origin}/tinkerbell/tink-relay-init:v1` } },
    hook: {
      initramfs: { amd: { uri: 'https://files.test/hook/1/initramfs-x86_64' } },
      iso: { amd: { uri: 'https://files.test/hook/1/hook.iso' } },
    },
  };
  change(tinkerbellStack);
  return { kubeVip: { uri: `${origin}/kube-vip:v1` }, tinkerbellStack };
}

/** A bundle with these charts alone. */
function bundleWith(charts: readonly string[]): ReadableBundle {
  const blobs = new Map<Digest, Uint8Array>();
  const items = charts.map((reference) => {
    const { root, manifests, blobs: parts } = generateChart({ name: 'chart', version: reference.split(':')[1]! });
    for (const { digest, bytes } of manifests) blobs.set(digest, bytes);
    for (const { digest, chunks } of parts) blobs.set(digest, Buffer.concat([...chunks()]));
    return { kind: 'chart', name: 'chart', reference, digest: root.digest };
  });
  const bundle = {
    billOfMaterials: { items },
    locate: (digest: Digest) => ({ offset: 0, size: blobs.get(digest)?.length ?? 0 }),
    read: (digest: Digest) => Promise.resolve(blobs.get(digest)!),
  };
  return bundle as unknown as ReadableBundle;
}

const lacking = (what: string): Error => new Error(`the bundle lacks ${what}`);

describe('Tinkerbell in a release', () => {
  it('is found with its charts, images, and what machines boot', async () => {
    const { charts, parts } = await readStack(bundleWith(Object.values(references)), block(), lacking);
    expect(charts.services?.version).toBe('0.0.1-abc');
    expect(charts.definitions?.version).toBe('0.22.1');
    expect(charts.services?.archive.length).toBeGreaterThan(0);
    expect(parts).toEqual({
      images: {
        services: `${origin}/tinkerbell/tinkerbell:v1`,
        interface: `${origin}/tinkerbell/tink-relay-init:v1`,
        loadBalancer: `${origin}/kube-vip:v1`,
      },
      installer: { files: 'https://files.test/hook/1', iso: 'https://files.test/hook/1/hook.iso' },
    });
  });

  it('may have its definitions in the chart of its services', async () => {
    const bundle = bundleWith([references.services]);
    for (const change of [
      (stack: Record<string, unknown>): void => void delete stack['tinkerbellCrds'],
      (stack: Record<string, unknown>): void => void (stack['tinkerbellCrds'] = { uri: '' }),
    ]) {
      expect(Object.keys((await readStack(bundle, block(change), lacking)).charts)).toEqual(['services']);
    }
  });

  it('is missed by the name of the chart that was left out of the bundle', async () => {
    const reading = readStack(bundleWith([references.services]), block(), lacking);
    await expect(reading).rejects.toThrow(`the bundle lacks the chart ${references.definitions}`);
  });

  it('is not taken for one that it is not: none at all, or one of separate programs', async () => {
    const bundle = bundleWith(Object.values(references));
    const older = block((stack) => {
      const image = { uri: `${origin}/tink:v1` };
      stack['tink'] = { tinkRelayInit: image, tinkController: image };
    });
    for (const one of [{ kubeVip: { uri: '' } }, older]) {
      await expect(readStack(bundle, one, lacking)).rejects.toThrow('the bundle lacks Tinkerbell as one program');
    }
  });
});
