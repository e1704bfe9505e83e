import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startContainerd } from '../helpers/containerd.ts';
import { requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { createSealiftHome, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { serveRelease, type ServedRelease } from '../helpers/served-release.ts';
import { smallBundles } from '../helpers/small-bundles.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

// The tar of a real export is handed to the tools that people have, with no help from Sealift.

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let release: ServedRelease;
let tar: string;
/** a multi-platform image of the bundle */
let reference: string;
let digest: string;

beforeAll(async () => {
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('clients');
  release = await serveRelease(smallBundles);
  tar = join(folder.path, 'bundle.tar');
  await sealiftJson(home, 'export', [
    ...['export', 'artifacts', '--output', tar, '-f', release.manifest],
    ...release.pullFrom,
  ]);
  [reference = '', digest = ''] = [...release.filled.images][0]!;
});

afterAll(async () => {
  await home?.remove();
  await Promise.all([temporal?.stop(), release?.[Symbol.asyncDispose]()]);
  await folder?.remove();
});

function sha256(content: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

async function tool(name: string, args: string[]): Promise<string> {
  return runOk(await requireTool(name), args, { env: home.env, cwd: folder.path });
}

describe('the tar is read by', () => {
  it('skopeo, by reference', async () => {
    const source = `oci-archive:${tar}:${reference}`;
    expect(sha256(await tool('skopeo', ['inspect', '--raw', source]))).toBe(digest);
    const copy = ['copy', '--all', '--preserve-digests', '--insecure-policy', source, 'dir:skopeo'];
    await tool('skopeo', copy);
    expect(sha256(await readFile(join(folder.path, 'skopeo', 'manifest.json')))).toBe(digest);
  });

  it('oras, by digest, and by the names it lists', async () => {
    expect((await tool('oras', ['repo', 'tags', '--oci-layout', tar])).split('\n')).toContain(reference);
    await tool('oras', ['cp', '--from-oci-layout', `${tar}@${digest}`, '--to-oci-layout', 'oras:v1']);
    expect(sha256(await tool('oras', ['manifest', 'fetch', '--oci-layout', 'oras:v1']))).toBe(digest);
  });

  it('regctl, by reference', async () => {
    await mkdir(join(folder.path, 'regctl'));
    await tool('regctl', ['image', 'import', '--name', reference, 'ocidir://regctl:v1', tar]);
    expect((await tool('regctl', ['image', 'digest', 'ocidir://regctl:v1'])).trim()).toBe(digest);
  });

  it('ctr, all of it at once', async ({ skip }) => {
    const containerd = await startContainerd(folder.path);
    if (typeof containerd === 'string') return skip(containerd);
    try {
      const ctr = (...args: string[]): Promise<string> => tool('ctr', ['--address', containerd.address, ...args]);
      await ctr('images', 'import', '--all-platforms', '--no-unpack', tar);
      const listed = new Map(
        (await ctr('images', 'list'))
          .split('\n')
          .map((line) => line.split(/\s+/))
          .map(([name = '', , found = '']) => [name, found]),
      );
      for (const [name, wanted] of release.filled.images) expect(listed.get(name), name).toBe(wanted);
      await ctr('content', 'get', digest);
    } finally {
      await containerd.process.stop();
    }
  });
});
