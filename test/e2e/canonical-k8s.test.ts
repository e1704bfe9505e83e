import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { generateCertificates, type Certificates } from '../helpers/certificates.ts';
import { startContainerd, type TestContainerd } from '../helpers/containerd.ts';
import { generateImage } from '../helpers/images.ts';
import { findTool, requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { run, runOk } from '../helpers/processes.ts';
import { sha256Of } from '../helpers/proving-ground.ts';
import { createPuller } from '../helpers/pull.ts';
import { pushImage } from '../helpers/push.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, fileReaches, runSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { makeSnap } from '../helpers/snaps.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

// The way of the seed: snaps and their images out, and into nodes that know nothing but a private registry or a folder.

const coredns = 'ghcr.io/canonical/coredns:1.12.0-ck1';
const pause = 'ghcr.io/canonical/k8s-snap/pause:3.10';
const digests = new Map<string, string>();
const noSquashfs = (await findTool('mksquashfs')) === undefined;

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let upstream: TestRegistry;
let plain: TestRegistry;
let secure: TestRegistry;
let certificates: Certificates;
let containerd: TestContainerd | string;
let tar: string;
const at = (name: string): string => join(folder.path, name);
const sealift = (kind: string, ...args: string[]): Promise<Record<string, unknown>> => sealiftJson(home, kind, args);

beforeAll(async () => {
  if (noSquashfs) return;
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('canonical');
  certificates = await generateCertificates(folder.path);
  [upstream, plain] = await Promise.all([
    startRegistry({ kind: 'distribution' }),
    startRegistry({ kind: 'distribution' }),
  ]);
  // two doors to one storage: on loopback Sealift speaks HTTP, and nodes are to speak HTTPS
  secure = await startRegistry({ kind: 'distribution', tls: certificates, dir: plain.dir });
  const images = {
    [coredns]: generateImage({ seed: 'coredns', layers: [20_000, 300], platforms: ['linux/amd64', 'linux/arm64'] }),
    [pause]: generateImage({ seed: 'pause', layers: [500] }),
  };
  for (const [reference, image] of Object.entries(images)) {
    const [, repository = '', tag] = /^ghcr\.io\/(.+):([^:]+)$/.exec(reference) ?? [];
    await pushImage(upstream.url, repository, tag, image);
    digests.set(reference, image.root.digest);
  }
  await mkdir(at('snaps'));
  const k8s = await makeSnap(at('snaps'), { name: 'k8s', base: 'core22', images: [coredns, pause] });
  const core22 = await makeSnap(at('snaps'), { name: 'core22' });
  tar = at('artifacts.tar');
  const from = ['--pull-from', `ghcr.io=${upstream.url}`];
  // no --source: a snap is recognised
  await sealift('export', 'export', 'artifacts', '--output', tar, '-f', k8s, '-f', core22, ...from);
  containerd = await startContainerd(folder.path);
});

afterAll(async () => {
  if (typeof containerd === 'object') await containerd.process.stop();
  await home?.remove();
  await Promise.all([temporal?.stop(), upstream?.stop(), plain?.stop(), secure?.stop()]);
  await folder?.remove();
});

/** Runs ctr as a node would: without a way to any origin. */
async function ctr(...args: string[]): Promise<{ code: unknown; text: string }> {
  if (typeof containerd === 'string') throw new Error(containerd);
  const address = ['--address', containerd.address];
  const { code, stdout, stderr } = await run(await requireTool('ctr'), [...address, ...args], { env: home.env });
  return { code, text: stdout + stderr };
}

function generate(output: string, ...args: string[]): Promise<Record<string, unknown>> {
  return sealift('node-config', 'generate', 'node-config', '--for', 'canonical-k8s', '--output', output, ...args);
}

describe.skipIf(noSquashfs)('Canonical Kubernetes (apt-get install squashfs-tools)', () => {
  const forms = [
    { name: 'HTTP', namespace: '', map: [], registry: () => plain },
    { name: 'HTTPS with a private CA', namespace: '', map: [], registry: () => secure },
    { name: 'a nested path', namespace: '/my/own', map: ['--map', 'ghcr.io=my/own/ghcr.io'], registry: () => secure },
  ];

  it('gives the same tar from another folder, killed -9 on the way', async () => {
    await runOk('cp', ['-r', at('snaps'), at('elsewhere')]);
    const output = at('elsewhere.tar');
    const files = ['k8s.snap', 'core22.snap'].flatMap((name) => ['-f', join(at('elsewhere'), name)]);
    const args = ['export', 'artifacts', '--output', output, ...files, '--pull-from', `ghcr.io=${upstream.url}`];
    const { killed } = await runSealift(args, { home, kill: { when: fileReaches(`${output}.partial.d/lock`, 1) } });
    await sealift('export', ...args);
    expect(killed).toBe(true);
    expect(await sha256Of(output)).toBe(await sha256Of(tar));
  });

  it.for(forms)(
    'containerd pulls through the mirror configuration: $name',
    async ({ name, namespace, map, registry }, { skip }) => {
      if (typeof containerd === 'string') return skip(containerd);
      await sealift('import', 'import', 'artifacts', '--input', tar, '--registry', plain.host + namespace, ...map);
      // what containerd reads lies below a base directory, so that its absolute paths are true on this machine
      const baseDir = at(`base-${name.replaceAll(' ', '-')}`);
      const output = at(`mirror-${name.replaceAll(' ', '-')}`);
      const scheme = registry() === secure ? ['--ca-file', certificates.ca] : ['--plain-http'];
      const mirror = ['--mode', 'mirror', '--input', tar, '--registry', registry().host + namespace, ...scheme, ...map];
      await generate(output, ...mirror, '--option', `containerd-base-dir=${baseDir}`);
      await mkdir(baseDir);
      await runOk('cp', ['-rT', join(output, 'root', baseDir), baseDir]);
      const hosts = ['--hosts-dir', join(baseDir, 'etc/containerd/hosts.d')];
      for (const [reference, digest] of digests) {
        const { code, text } = await ctr('-n', name.replaceAll(/\W+/g, '-'), 'content', 'fetch', ...hosts, reference);
        expect(code, text).toBe(0);
        expect(text).toContain(digest);
      }
      // what is not there is not found at once, in an origin that is mirrored and in one that is not
      for (const absent of ['ghcr.io/canonical/absent:1', 'quay.example.test/absent:1']) {
        const { code, text } = await ctr('content', 'fetch', ...hosts, absent);
        expect(code).not.toBe(0);
        expect(text).toMatch(/not found/);
      }
    },
  );

  it('ctr imports the tars of a side-load under the names that Kubernetes asks for', async ({ skip }) => {
    if (typeof containerd === 'string') return skip(containerd);
    const report = await generate(at('sideload'), '--mode', 'sideload', '--input', tar);
    const paths = (report['files'] as { path: string }[]).map(({ path }) => path);
    const images = 'root/var/snap/k8s/common/images';
    expect(paths).toEqual([
      'install.sh',
      `${images}/ghcr.io_canonical_coredns_1.12.0-ck1.tar`,
      `${images}/ghcr.io_canonical_k8s-snap_pause_3.10.tar`,
      ...['core22.assert', 'core22.snap', 'k8s.assert', 'k8s.snap'].map((name) => `snaps/${name}`),
    ]);
    expect(await sha256Of(at('sideload/snaps/k8s.snap'))).toBe(await sha256Of(at('snaps/k8s.snap')));
    for (const name of await readdir(at(join('sideload', images)))) {
      const { code, text } = await ctr(
        '-n',
        'k8s.io',
        'images',
        'import',
        '--no-unpack',
        at(join('sideload', images, name)),
      );
      expect(code, text).toBe(0);
    }
    const listed = (await ctr('-n', 'k8s.io', 'images', 'list')).text;
    for (const [reference, digest] of digests) expect(listed).toMatch(new RegExp(`^${reference} .*${digest}`, 'm'));
    // the same bundle gives the same bytes
    await generate(at('sideload-again'), '--mode', 'sideload', '--input', tar);
    for (const path of paths)
      expect(await sha256Of(at(`sideload-again/${path}`)), path).toBe(await sha256Of(at(`sideload/${path}`)));
  });

  it('a side-load for one platform holds that one', async ({ skip }) => {
    if (typeof containerd === 'string') return skip(containerd);
    await generate(at('amd64'), '--mode', 'sideload', '--input', tar, '--option', 'platform=linux/amd64');
    const file = at('amd64/root/var/snap/k8s/common/images/ghcr.io_canonical_coredns_1.12.0-ck1.tar');
    const { stdout } = await run('tar', ['--list', '--file', file]);
    expect(stdout.split('\n')).toContain('manifest.json');
    expect(await ctr('-n', 'one', 'images', 'import', '--no-unpack', file)).toMatchObject({ code: 0 });
    const listed = (await ctr('-n', 'one', 'images', 'list')).text;
    expect(listed).toContain(`${coredns} `);
    expect(listed).not.toContain(digests.get(coredns));
  });

  it('regsync fills a registry as the import does', async () => {
    await using empty = await startRegistry({ kind: 'distribution' });
    const mirror = ['--mode', 'mirror', '--input', tar, '--registry', `${empty.host}/my/own`, '--plain-http'];
    await generate(at('regsync'), ...mirror);
    const config = parse(await readFile(at('regsync/regsync.yaml'), 'utf8')) as { creds: unknown[] };
    config.creds.push({ registry: 'ghcr.io', hostname: upstream.host, tls: 'disabled' });
    await writeFile(at('regsync.yaml'), stringify(config));
    await runOk(await requireTool('regsync'), ['once', '-c', at('regsync.yaml')], { env: home.env });
    await using puller = createPuller(empty.url);
    expect(await puller.whole('my/own/canonical/coredns', '1.12.0-ck1')).toBe(digests.get(coredns));
    expect(await puller.whole('my/own/canonical/k8s-snap/pause', '3.10')).toBe(digests.get(pause));
  });
});
