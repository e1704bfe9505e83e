import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { fillCanonicalUpstream, type CanonicalUpstream } from '../helpers/canonical-upstream.ts';
import { generateCertificates, type Certificates } from '../helpers/certificates.ts';
import { startContainerd, type ContainerdBuild } from '../helpers/containerd.ts';
import { startHoldingRelay } from '../helpers/holding-relay.ts';
import { locationOf } from '../helpers/kubeflow-upstream.ts';
import { findTool, requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { sha256Of } from '../helpers/proving-ground.ts';
import { createPuller } from '../helpers/pull.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, runSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';
import { wholeTags } from '../helpers/visible-tags.ts';

// The way of the seed on its real list: snaps and images out, and into a registry and nodes that know nothing else.

const noSquashfs = (await findTool('mksquashfs')) === undefined;

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let upstream: TestRegistry;
let made: CanonicalUpstream;
let certificates: Certificates;
let tar: string;
const at = (name: string): string => join(folder.path, name);
const sealift = (kind: string, ...args: string[]): Promise<Record<string, unknown>> => sealiftJson(home, kind, args);

beforeAll(async () => {
  if (noSquashfs) return;
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('canonical');
  certificates = await generateCertificates(folder.path);
  upstream = await startRegistry({ kind: 'distribution' });
  made = await fillCanonicalUpstream(folder.path, upstream.url);
  tar = at('artifacts.tar');
  await sealift('export', ...exportTo(tar, upstream.url));
});

afterAll(async () => {
  await home?.remove();
  await Promise.all([temporal?.stop(), upstream?.stop()]);
  await folder?.remove();
});

/** No --source: snaps and the list are recognised. */
function exportTo(output: string, from: string, snaps = made.snaps): string[] {
  const inputs = [made.list, join(snaps, 'k8s.snap'), join(snaps, 'core22.snap')].flatMap((file) => ['-f', file]);
  const hosts = new Set([...made.digests.keys()].map((reference) => locationOf(reference).host));
  const pullFrom = [...hosts].flatMap((host) => ['--pull-from', `${host}=${from}`]);
  return ['export', 'artifacts', '--output', output, ...inputs, ...pullFrom];
}

function generate(output: string, ...args: string[]): Promise<Record<string, unknown>> {
  return sealift('node-config', 'generate', 'node-config', '--for', 'canonical-k8s', '--output', output, ...args);
}

function fileOf(reference: string): string {
  return `root/var/snap/k8s/common/images/${reference.replace(/[/:]/g, '_')}.tar`;
}

describe.skipIf(noSquashfs)('Canonical Kubernetes (apt-get install squashfs-tools)', () => {
  it('gives the same tar from another folder, killed -9 in the middle', async () => {
    await runOk('cp', ['-r', made.snaps, at('elsewhere')]);
    await using relay = await startHoldingRelay(upstream.port, { direction: 'down', afterBytes: made.bytes / 2 });
    const output = at('elsewhere.tar');
    const args = exportTo(output, `http://${relay.host}`, at('elsewhere'));
    const { killed, stderr } = await runSealift(args, { home, kill: { when: relay.held } });
    expect(killed, stderr).toBe(true);
    expect(existsSync(output)).toBe(false);
    relay.release();
    await sealift('export', ...args);
    expect(await sha256Of(output)).toBe(await sha256Of(tar));
  });

  it('fills a registry behind a private authority, killed -9 in the middle, as if nothing had happened', async () => {
    await using registry = await startRegistry({ kind: 'distribution', tls: certificates });
    await using straight = await startRegistry({ kind: 'distribution' });
    // what a registry shows is read past TLS
    await using door = await startRegistry({ kind: 'distribution', dir: registry.dir });
    await using relay = await startHoldingRelay(registry.port, { direction: 'up', afterBytes: made.bytes / 2 });
    const importTo = (host: string): string[] => ['import', 'artifacts', '--input', tar, '--registry', `${host}/edge`];
    const args = [...importTo(relay.host), '--ca-file', certificates.ca];
    const { killed, stderr } = await runSealift(args, { home, kill: { when: relay.held } });
    expect(killed, stderr).toBe(true);
    const before = await wholeTags(door.url, 'edge');
    relay.release();
    await sealift('import', ...args);
    await sealift('import', ...importTo(straight.host));
    const tags = await wholeTags(door.url, 'edge');
    expect(before.length).toBeLessThan(tags.length);
    expect(tags).toEqual(await wholeTags(straight.url, 'edge'));
    expect(await storedIn(registry.dir)).toEqual(await storedIn(straight.dir));
    await using puller = createPuller(door.url);
    for (const [reference, digest] of made.digests) {
      const { repository, tag } = locationOf(reference);
      expect((await puller.manifest(`edge/${repository}`, tag)).digest, reference).toBe(digest);
    }
  });

  it('lays out a side-load with the snaps, the same bytes twice', async () => {
    const report = await generate(at('sideload'), '--mode', 'sideload', '--input', tar);
    const paths = (report['files'] as { path: string }[]).map(({ path }) => path);
    const snaps = ['core22.assert', 'core22.snap', 'k8s.assert', 'k8s.snap'].map((name) => `snaps/${name}`);
    expect(paths).toEqual(['install.sh', ...[...made.digests.keys()].map(fileOf).sort(), ...snaps]);
    expect(await sha256Of(at('sideload/snaps/k8s.snap'))).toBe(await sha256Of(join(made.snaps, 'k8s.snap')));
    await generate(at('sideload-again'), '--mode', 'sideload', '--input', tar);
    for (const path of paths) {
      expect(await sha256Of(at(`sideload-again/${path}`)), path).toBe(await sha256Of(at(`sideload/${path}`)));
    }
  });

  it.for<ContainerdBuild>(['debian', 'pinned'])(
    'containerd (%s) imports the tars of a side-load under the names that Kubernetes asks for',
    async (build, { skip }) => {
      const started = await startContainerd(at(`importing-${build}`), { build });
      if (typeof started === 'string') return skip(started);
      await using containerd = started;
      const importing = async (namespace: string, file: string): Promise<string> => {
        const args = ['-n', namespace, 'images', 'import', '--snapshotter', 'native', file];
        expect(await containerd.ctr(...args)).toMatchObject({ code: 0 });
        return (await containerd.ctr('-n', namespace, 'images', 'list')).stdout;
      };
      const all = at(`all-${build}`);
      await generate(all, '--mode', 'sideload', '--input', tar);
      for (const [reference, digest] of made.digests) {
        const listed = await importing('k8s.io', join(all, fileOf(reference)));
        expect(listed).toMatch(new RegExp(`^${reference} .*${digest}`, 'm'));
      }
      // for one platform there is that image, and no index
      const one = at(`one-${build}`);
      await generate(one, '--mode', 'sideload', '--input', tar, '--option', 'platform=linux/amd64');
      const [reference = '', digest = ''] = [...made.digests][0] ?? [];
      const listed = await importing('one', join(one, fileOf(reference)));
      expect(listed).toContain(`${reference} `);
      expect(listed).not.toContain(digest);
      expect(await runOk('tar', ['--list', '--file', join(one, fileOf(reference))])).toMatch(/^manifest\.json$/m);
    },
  );

  it('regsync fills a registry as the import does', async () => {
    await using empty = await startRegistry({ kind: 'distribution' });
    const mirror = ['--mode', 'mirror', '--input', tar, '--registry', `${empty.host}/my/own`, '--plain-http'];
    await generate(at('regsync'), ...mirror);
    const config = parse(await readFile(at('regsync/regsync.yaml'), 'utf8')) as { creds: unknown[] };
    const hosts = new Set([...made.digests.keys()].map((reference) => locationOf(reference).host));
    for (const registry of hosts) config.creds.push({ registry, hostname: upstream.host, tls: 'disabled' });
    await writeFile(at('regsync.yaml'), stringify(config));
    await runOk(await requireTool('regsync'), ['once', '-c', at('regsync.yaml')], { env: home.env });
    await using puller = createPuller(empty.url);
    for (const [reference, digest] of made.digests) {
      const { repository, tag } = locationOf(reference);
      expect(await puller.whole(`my/own/${repository}`, tag), reference).toBe(digest);
    }
  });
});

/** Every file of a registry's storage but those of uploads. The paths have the digests of blobs in them. */
async function storedIn(dir: string): Promise<string[]> {
  const files = await readdir(dir, { recursive: true });
  return files.filter((file) => !file.includes('/_uploads')).sort();
}
