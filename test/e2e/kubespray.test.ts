import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import { createSourceContext } from '../../core/sources/context.ts';
import { readLocal } from '../../core/sources/read-local.ts';
import { kubespray } from '../../plugins/sources/kubespray/index.ts';
import { ansibleVenv, hasAnsible } from '../helpers/ansible.ts';
import { randomBuffer } from '../helpers/content.ts';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.ts';
import { startFileServer, type FileServer } from '../helpers/file-server.ts';
import { locationOf, pushImages } from '../helpers/kubeflow-upstream.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { samplesFolder, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { sha256Of } from '../helpers/proving-ground.ts';
import { createPuller } from '../helpers/pull.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { counterReaches, createSealiftHome, runSealift, startSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

// The flow of Kubespray's offline environment on its real lists, with content made here behind every reference.

const samples = join(samplesFolder, 'kubespray');
const present = existsSync(join(samples, 'files.list'));
if (!present) console.warn(`Kubespray's offline flow not tested: ${samples} is not on this machine`);

/** What Kubespray's own defaults have beside download.yml, as far as its templates need it. */
const otherDefaults = `
kube_version: 1.36.4
kube_major_version: "1.36"
kube_major_next_version: "1.37"
pod_infra_supported_versions: { "1.36": 3.10.2 }
etcd_supported_versions: { "1.36": 3.6.14 }
host_architecture: amd64
containerd_static_binary: false
kube_vip_lb_fwdmethod: local
`;

describe.runIf(present)('Kubespray', () => {
  let temporal: TestTemporal;
  let home: SealiftHome;
  let folder: TemporaryFolder;
  let upstream: TestRegistry;
  let files: FileServer;
  let proxy: FaultProxy;
  let site: TestRegistry;
  let digests: Map<string, string>;
  let urls: string[];
  let inputs: string[];
  let tar: string;

  beforeAll(async () => {
    temporal = await startTemporal();
    home = await createSealiftHome(temporal.env);
    folder = await temporaryFolder('kubespray');
    upstream = await startRegistry({ kind: 'distribution' });
    site = await startRegistry({ kind: 'distribution' });
    const [images, fileList, checksums] = await Promise.all(['images.list', 'files.list', 'checksums.yml'].map(sample));
    digests = await pushImages(lines(images), upstream.url);
    urls = lines(fileList);
    await mkdir(join(folder.path, 'upstream'));
    files = await startFileServer(join(folder.path, 'upstream'));
    // slow enough that bytes are in flight at the kill
    const fault = { kind: 'slow', direction: 'down', bytesPerSecond: 1_000_000 } as const;
    proxy = await startFaultProxy(files.url, [{ name: 'slow files', path: /./, times: Infinity, fault }]);
    await writeFile(at('images.list'), images ?? '');
    await writeFile(at('files.list'), fileList ?? '');
    await writeFile(at('checksums.yml'), await checksumsOfGeneratedFiles(checksums ?? ''));
    inputs = [
      '--source',
      'kubespray',
      ...['images.list', 'files.list', 'checksums.yml'].flatMap((name) => ['-f', at(name)]),
    ];
    tar = at('kubespray.tar');
  }, 180_000);

  afterAll(async () => {
    await home?.remove();
    await Promise.all([temporal?.stop(), proxy?.stop(), files?.stop(), upstream?.stop(), site?.stop()]);
    await folder?.remove();
  });

  function at(name: string): string {
    return join(folder.path, name);
  }

  /** Makes a file behind every URL. @returns checksums.yml with the checksums of these in the places of the real ones */
  async function checksumsOfGeneratedFiles(real: string): Promise<string> {
    const { items } = await listed(['files.list', 'checksums.yml'].map((name) => join(samples, name)));
    let own = real;
    for (const { reference, checksums = {} } of items) {
      const { host, pathname } = new URL(reference);
      const content = randomBuffer(reference, 60_000 + (reference.length % 7) * 20_000);
      await mkdir(dirname(join(at('upstream'), host, pathname)), { recursive: true });
      await writeFile(join(at('upstream'), host, pathname), content);
      const [algorithm, hex] = Object.entries(checksums)[0] as [string, string];
      own = own.replace(hex, createHash(algorithm).update(content).digest('hex'));
    }
    return own;
  }

  async function listed(given: string[], options: Record<string, string[]> = {}): Promise<{ items: SourceItem[] }> {
    const warn = (message: string): void => expect.fail(message);
    const context = createSourceContext({ read: (path) => readLocal(path, 'source'), warn, scratch: at('scratch') });
    return kubespray.list({ source: 'kubespray', files: given, kubeVersions: [], providers: [], options }, context);
  }

  function exportTo(output: string, filesUrl: string): string[] {
    const registries = new Set([...digests.keys()].map((reference) => locationOf(reference).host));
    const hosts = new Set(urls.map((url) => new URL(url).host));
    const pullFrom = [
      ...[...registries].map((host) => `${host}=${upstream.url}`),
      ...[...hosts].map((host) => `https://${host}=${filesUrl}/${host}`),
    ];
    return [
      'export',
      'artifacts',
      '--output',
      output,
      ...inputs,
      ...pullFrom.flatMap((entry) => ['--pull-from', entry]),
    ];
  }

  it('is exported, killed by -9 in the middle, as if nothing had happened', async () => {
    const when = counterReaches(proxy.downloaded, 1_000_000);
    const { killed, stderr } = await runSealift(exportTo(tar, proxy.url), { home, kill: { when } });
    expect(killed, `the export ended too early:\n${stderr}`).toBe(true);
    await sealiftJson(home, 'export', exportTo(tar, proxy.url));
    const straight = at('straight.tar');
    await sealiftJson(home, 'export', exportTo(straight, files.url));
    expect(await sha256Of(tar)).toBe(await sha256Of(straight));
  });

  it('is imported with every image under its digest', async () => {
    const registry = ['--registry', `${site.host}/airgap`, '--plain-http'];
    await sealiftJson(home, 'import', ['import', 'artifacts', '--input', tar, ...registry]);
    const puller = createPuller(site.url);
    for (const [reference, digest] of digests) {
      const { repository, tag } = locationOf(reference);
      expect(await puller.whole(`airgap/${repository}`, tag), reference).toBe(digest);
    }
    await puller[Symbol.asyncDispose]();
  });

  it.runIf(hasAnsible('what Kubespray downloads with our offline.yml'))(
    'downloads everything from the far side, as Ansible renders it with our offline.yml',
    async () => {
      const server = startSealift(['serve', '--input', tar, '--listen', '127.0.0.1:0', '--output-format', 'json'], {
        home,
      });
      try {
        while (!server.stdout().endsWith('}\n')) {
          expect(server.stderr()).not.toContain('Error');
          await sleep(20);
        }
        const { url } = parseOutput('serve', server.stdout()) as { url: string };
        const { items } = await rendered(await inventoryFor(url));
        const asked = items.filter(({ kind }) => kind === 'file');
        // what is only in `downloads`, such as Argo CD, is in no list of upstream's and so not in the bundle
        const downloads = asked.filter(({ reference }) => !reference.includes('/argo-cd/'));
        expect(downloads).toHaveLength(urls.length);
        for (const { reference, checksums } of downloads) {
          expect(reference.startsWith(`${url.replace(/\/$/, '')}/`), reference).toBe(true);
          const response = await fetch(reference);
          expect(response.status, reference).toBe(200);
          const content = new Uint8Array(await response.arrayBuffer());
          const [algorithm = '', hex] = Object.entries(checksums ?? {})[0] ?? [];
          expect(createHash(algorithm).update(content).digest('hex'), reference).toBe(hex);
        }
        await expectImagesAtSite(items);
      } finally {
        server.kill();
        await server.done;
      }
    },
  );

  /** An inventory with what `sealift generate node-config` wrote. @returns the path of its hosts file */
  async function inventoryFor(filesUrl: string): Promise<string> {
    const command = ['generate', 'node-config', '--for', 'kubespray', '--input', tar, '--output', at('inventory')];
    const registry = ['--registry', `${site.host}/airgap`, '--plain-http', '--option', `files-url=${filesUrl}`];
    await sealiftJson(home, 'node-config', [...command, ...registry]);
    await writeFile(at('inventory/hosts.ini'), '[kube_control_plane]\nnode1 ansible_host=192.0.2.1\n');
    return at('inventory/hosts.ini');
  }

  /** The sample's download.yml in a checkout around it, rendered by the real Ansible with that inventory. */
  async function rendered(inventory: string): Promise<{ items: SourceItem[] }> {
    const role = at('checkout/roles/kubespray_defaults');
    await mkdir(join(role, 'defaults/main'), { recursive: true });
    await mkdir(join(role, 'vars/main'), { recursive: true });
    await cp(join(samples, 'download.yml'), join(role, 'defaults/main/download.yml'));
    await writeFile(join(role, 'defaults/main/main.yml'), otherDefaults);
    await cp(at('checksums.yml'), join(role, 'vars/main/checksums.yml'));
    return listed([], { checkout: [at('checkout')], inventory: [inventory], venv: [ansibleVenv] });
  }

  async function expectImagesAtSite(items: SourceItem[]): Promise<void> {
    const images = items.filter(({ kind }) => kind === 'image').map(({ reference }) => reference);
    expect(images).toHaveLength(digests.size);
    const puller = createPuller(site.url);
    for (const image of images) {
      const { host, repository, tag } = locationOf(image);
      expect(host).toBe(site.host);
      await expect(puller.manifest(repository, tag), image).resolves.toBeDefined();
    }
    await puller[Symbol.asyncDispose]();
  }
});

function sample(name: string): Promise<string> {
  return readFile(join(samples, name), 'utf8');
}

function lines(text: string | undefined): string[] {
  return (text ?? '').trim().split('\n');
}
