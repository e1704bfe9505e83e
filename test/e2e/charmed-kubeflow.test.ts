import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.ts';
import { kubeflowBundle, locationOf, pushImages, writeCharms } from '../helpers/kubeflow-upstream.ts';
import { requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { sha256Of } from '../helpers/proving-ground.ts';
import { createPuller } from '../helpers/pull.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { counterReaches, createSealiftHome, fileReaches, runSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

// The flow of the air-gapped installation of Charmed Kubeflow, with charms made here: one export, one import, one deployment.

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let upstream: TestRegistry;
let proxy: FaultProxy;
let site: TestRegistry;
let bundle: string;
let charms: number;
let digests: Map<string, string>;
let inputs: string[];
let tar: string;

beforeAll(async () => {
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('kubeflow');
  const at = (name: string): string => join(folder.path, name);
  bundle = (await kubeflowBundle()).text;
  charms = await writeCharms(bundle, at('charms'));
  await writeFile(at('bundle.yaml'), bundle);
  await writeFile(at('testing-images.txt'), '# for the tests of a site\nghcr.io/example/tests/mnist:1\nalpine:3\n');
  const files = ['bundle.yaml', 'charms', 'testing-images.txt'].flatMap((name) => ['-f', at(name)]);
  inputs = ['--source', 'charmed-kubeflow', '--source-option', 'juju-version=3.6.11', ...files];
  upstream = await startRegistry({ kind: 'distribution' });
  site = await startRegistry({ kind: 'distribution' });
  const listed = await sealiftJson(home, 'images', ['list', 'images', ...inputs]);
  const items = listed['items'] as { kind: string; reference: string }[];
  const references = items.filter(({ kind }) => kind === 'image').map(({ reference }) => reference);
  digests = await pushImages(references, upstream.url);
  // slow enough that bytes are in flight at the kill
  const fault = { kind: 'slow', direction: 'down', bytesPerSecond: 3_000_000 } as const;
  proxy = await startFaultProxy(upstream.url, [{ name: 'slow blobs', path: /\/blobs\//, times: Infinity, fault }]);
  tar = at('kubeflow.tar');
}, 120_000);

afterAll(async () => {
  await home?.remove();
  await Promise.all([temporal?.stop(), proxy?.stop(), upstream?.stop(), site?.stop()]);
  await folder?.remove();
});

/** Nothing listens there. */
const nobody = 'http://127.0.0.1:1';

function exportTo(output: string, from: string): string[] {
  const hosts = new Set([...digests.keys()].map((reference) => locationOf(reference).host));
  const pullFrom = [...hosts].flatMap((host) => ['--pull-from', `${host}=${from}`]);
  return ['export', 'artifacts', '--output', output, ...inputs, ...pullFrom];
}

describe('Charmed Kubeflow', () => {
  it('is exported, killed by -9 in the middle, as if nothing had happened', async () => {
    const when = counterReaches(proxy.downloaded, 100_000);
    const { killed, stderr } = await runSealift(exportTo(tar, proxy.url), { home, kill: { when } });
    expect(killed, `the export ended too early:\n${stderr}`).toBe(true);
    const resumed = await sealiftJson(home, 'export', exportTo(tar, proxy.url));
    const straight = join(folder.path, 'straight.tar');
    expect((await sealiftJson(home, 'export', exportTo(straight, upstream.url)))['digest']).toBe(resumed['digest']);
    expect(await sha256Of(tar)).toBe(await sha256Of(straight));
  });

  it('is imported with every image under its digest, where the retagged list says', async () => {
    await sealiftJson(home, 'import', [
      'import',
      'artifacts',
      '--input',
      tar,
      '--registry',
      `${site.host}/edge`,
      '--plain-http',
    ]);
    const puller = createPuller(site.url);
    for (const [reference, digest] of digests) {
      const { repository, tag } = locationOf(reference);
      expect(await puller.whole(`edge/${repository}`, tag), reference).toBe(digest);
    }
    await puller[Symbol.asyncDispose]();
  });

  it('is deployed from local charms and the private registry alone', async () => {
    const output = join(folder.path, 'deploy');
    const option = ['--option', 'gateway-service-type=NodePort'];
    const registry = ['--registry', `${site.host}/edge`, '--plain-http'];
    const command = ['generate', 'node-config', '--for', 'charmed-kubeflow', '--input', tar, '--output', output];
    await sealiftJson(home, 'node-config', [...command, ...registry, ...option]);
    const text = (name: string): Promise<string> => readFile(join(output, name), 'utf8');
    const { applications } = parse(await text('overlay-airgap.yaml')) as { applications: Record<string, Overlaid> };
    expect(Object.keys(applications).sort()).toEqual(applicationNames(bundle));
    const used = new Set<string>();
    for (const [name, { charm, options = {}, resources = {} }] of Object.entries(applications)) {
      expect(charm, name).toMatch(/^\.\/charms\/[a-z0-9-]+_r\d+\.charm$/);
      expect(await sha256Of(join(output, charm))).toBe(await sha256Of(join(folder.path, charm)));
      used.add(charm);
      const stated = [...Object.values(resources), ...Object.values(options)];
      const foreign = stated.flatMap((value) => value.match(/[a-z0-9.-]+(:\d+)?\/[a-z0-9/._-]+/g) ?? []);
      for (const image of foreign) expect(image.startsWith(`${site.host}/edge/`), `${name}: ${image}`).toBe(true);
    }
    expect(used.size).toBe(charms);
    const puller = createPuller(site.url);
    for (const line of (await text('retagged-images.txt')).trim().split('\n')) {
      const [, repository = '', tag = ''] = new RegExp(`^${site.host}/(.+):([^:/]+)$`).exec(line) ?? [];
      await expect(puller.manifest(repository, tag), line).resolves.toBeDefined();
    }
    await puller[Symbol.asyncDispose]();
  });
});

// The archives of the documentation, which upstream's own scripts and `docker load` take.
describe('the archives', () => {
  const generate = (output: string): Promise<unknown> => {
    const command = ['generate', 'node-config', '--for', 'charmed-kubeflow', '--input', tar, '--output', output];
    return sealiftJson(home, 'node-config', [...command, '--registry', 'air.test:5000', '--option', 'archives=yes']);
  };
  const at = (name: string): string => join(folder.path, 'archives', name);

  it('are the same bytes twice', async () => {
    await generate(join(folder.path, 'archives'));
    await generate(join(folder.path, 'archives-again'));
    for (const name of ['images.tar.gz', 'charms.tar.gz', 'images.txt']) {
      expect(await sha256Of(at(name)), name).toBe(await sha256Of(join(folder.path, 'archives-again', name)));
    }
  });

  it('hold one tar an image, that skopeo reads as Docker does, under the name of the new registry', async () => {
    await runOk('tar', ['--extract', '--file', at('images.tar.gz'), '--directory', folder.path]);
    const retagged = (await readFile(at('retagged-images.txt'), 'utf8')).trim().split('\n');
    const skopeo = await requireTool('skopeo');
    for (const image of retagged.filter((_, index) => index % 9 === 0)) {
      const file = join(folder.path, `${image.replace(/[/:]/g, '-')}.tar`);
      const layers = JSON.parse(await runOk(skopeo, ['inspect', `docker-archive:${file}:${image}`])) as {
        Layers: string[];
      };
      expect(layers.Layers.length, image).toBe(2);
    }
    expect((await readdir(folder.path)).filter((name) => name.startsWith('air.test-5000-'))).toHaveLength(digests.size);
  });

  it('are taken as input: charms.tar.gz with the bundle lists what the folder of charms did', async () => {
    const files = ['-f', join(folder.path, 'bundle.yaml'), '-f', at('charms.tar.gz'), '-f', at('images.txt')];
    const listed = await sealiftJson(home, 'images', ['list', 'images', '--source', 'charmed-kubeflow', ...files]);
    const images = (listed['items'] as { kind: string; reference: string }[]).filter(({ kind }) => kind === 'image');
    expect(images.map(({ reference }) => reference)).toEqual([...digests.keys()]);
  });

  it('are taken as input: with images.tar.gz no registry is asked, and killed by -9 it comes to the same tar', async () => {
    const fed = join(folder.path, 'fed.tar');
    const command = [...exportTo(fed, nobody), '-f', at('images.tar.gz')];
    const when = fileReaches(`${fed}.partial.d/resolved.jsonl`, 1);
    const { killed, stderr } = await runSealift(command, { home, kill: { when } });
    expect(killed, `the export ended too early:\n${stderr}`).toBe(true);
    await sealiftJson(home, 'export', command);
    expect(await sha256Of(fed)).toBe(await sha256Of(tar));
  });

  it('are taken as input as Docker saves images, without their manifests', async () => {
    const skopeo = await requireTool('skopeo');
    const saved = join(folder.path, 'saved');
    const unpacked = join(folder.path, 'unpacked');
    await Promise.all([mkdir(saved), mkdir(unpacked)]);
    await runOk('tar', ['--extract', '--file', at('images.tar.gz'), '--directory', unpacked]);
    const images = [
      'jujusolutions/charm-base:ubuntu-20.04',
      'jujusolutions/charm-base:ubuntu-22.04',
      'library/alpine:3',
    ];
    const tars: string[] = [];
    for (const image of images) {
      const name = `${`air.test:5000/${image}`.replace(/[/:]/g, '-')}.tar`;
      const [from, to] = [unpacked, saved].map((path) => `docker-archive:${join(path, name)}:air.test:5000/${image}`);
      await runOk(skopeo, ['copy', '--quiet', from!, to!]);
      tars.push(name);
    }
    await runOk('tar', ['--create', '--gzip', '--file', `${saved}.tar.gz`, '--directory', saved, ...tars]);
    const output = join(folder.path, 'docker.tar');
    const source = ['--source', 'charmed-kubeflow', '-f', `${saved}.tar.gz`, '--pull-from', `docker.io=${nobody}`];
    await sealiftJson(home, 'export', ['export', 'artifacts', '--output', output, ...source]);
    const registry = ['--registry', `${site.host}/saved`, '--plain-http'];
    await sealiftJson(home, 'import', ['import', 'artifacts', '--input', output, ...registry]);
    const puller = createPuller(site.url);
    for (const [index, image] of images.entries()) {
      const [repository = '', tag = ''] = image.split(':');
      await puller.whole(`saved/${repository}`, tag);
      const inspect = (reference: string): Promise<string> =>
        runOk(skopeo, ['inspect', '--config', '--raw', '--tls-verify=false', reference]);
      expect(await inspect(`docker://${site.host}/saved/${image}`)).toBe(
        await inspect(`docker-archive:${join(saved, tars[index]!)}:air.test:5000/${image}`),
      );
      const copy = `docker-archive:${join(folder.path, `pulled-${index}.tar`)}:${image}`;
      await runOk(skopeo, ['copy', '--quiet', '--src-tls-verify=false', `docker://${site.host}/saved/${image}`, copy]);
    }
    await puller[Symbol.asyncDispose]();
  });
});

interface Overlaid {
  charm: string;
  options?: Record<string, string>;
  resources?: Record<string, string>;
}

function applicationNames(bundleYaml: string): string[] {
  return Object.keys((parse(bundleYaml) as { applications: object }).applications).sort();
}
