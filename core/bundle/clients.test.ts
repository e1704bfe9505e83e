import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sampleBundle, temporaryFolders, writeSample } from './testing.ts';

const sample = sampleBundle();
const { reference, index } = sample.image;
const wanted = Buffer.from(sample.metadata.get(index.digest)!.bytes).toString();
const folder = temporaryFolders(afterEach);

function pinned(name: string): string {
  return resolve(import.meta.dirname, '../../.cache/bin', name);
}

function run(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: cwd },
  });
}

const skopeo = 'skopeo';
const oras = pinned('oras');
const regctl = pinned('regctl');

// the one program that `make setup` does not bring
describe.runIf(spawnSync(skopeo, ['--version']).error === undefined)('skopeo', () => {
  it('selects by the full reference, and copies with digests preserved', async () => {
    const base = await folder();
    await writeSample(base, sample);
    const source = `oci-archive:bundle.tar:${reference}`;
    expect(run(skopeo, ['inspect', '--raw', source], base)).toBe(wanted);
    run(skopeo, ['copy', '--all', '--preserve-digests', '--insecure-policy', source, 'dir:out'], base);
    expect(await readFile(join(base, 'out', 'manifest.json'), 'utf8')).toBe(wanted);
  });
});

describe('oras', () => {
  it('selects by digest, lists all references, and copies', async () => {
    const base = await folder();
    await writeSample(base, sample);
    const source = `bundle.tar@${index.digest}`;
    expect(run(oras, ['manifest', 'fetch', '--oci-layout', source], base)).toBe(wanted);
    expect(run(oras, ['repo', 'tags', '--oci-layout', 'bundle.tar'], base).split('\n')).toContain(reference);
    run(oras, ['cp', '--from-oci-layout', source, '--to-oci-layout', 'out:v1'], base);
    expect(run(oras, ['manifest', 'fetch', '--oci-layout', 'out:v1'], base)).toBe(wanted);
  });

  it('pulls a file out of its artifact', async () => {
    const base = await folder();
    await writeSample(base, sample);
    run(oras, ['pull', '--oci-layout', `bundle.tar@${sample.file.manifest.digest}`], base);
    expect(await readFile(join(base, 'components.yaml'), 'utf8')).toBe('kind: Namespace\n');
  });
});

describe('regctl', () => {
  it('imports by the full reference', async () => {
    const base = await folder();
    await writeSample(base, sample);
    await mkdir(join(base, 'out'));
    run(regctl, ['image', 'import', '--name', reference, 'ocidir://out:v1', 'bundle.tar'], base);
    expect(run(regctl, ['manifest', 'get', '--format', 'raw-body', 'ocidir://out:v1'], base)).toBe(wanted);
  });
});
