import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { writeImageArchive } from './image-archive.ts';
import { openBundle } from './reader.ts';
import { failureOf, sampleBundle, temporaryFolders, writeSample } from './testing.ts';

const sample = sampleBundle();
const { reference, index, manifests } = sample.image;
const folder = temporaryFolders(afterEach);

async function archive(options: { reference?: string; digest?: Digest; platform?: string } = {}): Promise<string> {
  const base = await folder();
  const bundle = await openBundle(await writeSample(base, sample));
  const parts: Uint8Array[] = [];
  try {
    await writeImageArchive(bundle, { reference, digest: index.digest, ...options }, (bytes) =>
      Promise.resolve(parts.push(Buffer.from(bytes))),
    );
  } finally {
    await bundle.close();
  }
  const path = join(base, 'image.tar');
  await writeFile(path, Buffer.concat(parts));
  return path;
}

/** By GNU tar, which knows nothing of the code under test. */
function names(path: string): string[] {
  return execFileSync('tar', ['--list', '--file', path], { encoding: 'utf8' }).trim().split('\n');
}

function json(path: string, name: string): unknown {
  return JSON.parse(execFileSync('tar', ['--extract', '--to-stdout', '--file', path, name], { encoding: 'utf8' }));
}

function blobs(...digests: string[]): string[] {
  return digests.map((digest) => `blobs/sha256/${digest.slice(7)}`).sort();
}

describe('writeImageArchive', () => {
  it('holds a whole index with all that it needs, named as containerd asks for it', async () => {
    const path = await archive();
    const [layout, list, ...rest] = names(path);
    expect([layout, list]).toEqual(['oci-layout', 'index.json']);
    const own = new Set([...sample.metadata.keys(), ...sample.blobs.keys()]);
    expect(rest).toEqual([...rest].sort());
    expect(rest).toEqual(expect.arrayContaining(blobs(index.digest, ...manifests.map(({ digest }) => digest))));
    for (const name of rest) expect(own).toContain(`sha256:${name.split('/')[2]}`);
    expect(json(path, 'index.json')).toMatchObject({
      manifests: [
        {
          digest: index.digest,
          annotations: { 'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': 'v1.2' },
        },
      ],
    });
  });

  it('takes one platform, and says it to Docker too', async () => {
    const path = await archive({ platform: 'linux/arm64' });
    const [, arm] = manifests;
    expect(json(path, 'index.json')).toMatchObject({ manifests: [{ digest: arm!.digest }] });
    expect(names(path)).not.toContain(blobs(index.digest)[0]);
    const [docker] = json(path, 'manifest.json') as { Config: string; RepoTags: string[]; Layers: string[] }[];
    expect(docker).toMatchObject({ RepoTags: [reference] });
    expect(docker!.Layers).toHaveLength(2);
    expect(names(path)).toEqual(expect.arrayContaining([docker!.Config, ...docker!.Layers]));
  });

  it('names an image by its digest too when the reference has one', async () => {
    const path = await archive({ reference: `${reference}@${index.digest}` });
    const { manifests: named } = json(path, 'index.json') as { manifests: { annotations: Record<string, string> }[] };
    expect(named.map(({ annotations }) => annotations['io.containerd.image.name'])).toEqual([
      reference,
      `registry.example:5000/team/app@${index.digest}`,
    ]);
  });

  it('says when there is no such platform', async () => {
    const { type, text } = await failureOf(archive({ platform: 'linux/s390x' }));
    expect(type).toBe('ManifestMissing');
    expect(text).toContain('--platform linux/s390x');
  });
});
