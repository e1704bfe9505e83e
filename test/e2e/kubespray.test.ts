import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import type { WrittenTree } from '../../contracts/operations.ts';
import { ansibleVenv, hasAnsible } from '../helpers/ansible.ts';
import { isolatedApt } from '../helpers/apt.ts';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.ts';
import { locationOf } from '../helpers/kubeflow-upstream.ts';
import {
  kubespraySamples,
  kubesprayUpstream,
  listedByKubespray,
  type KubesprayUpstream,
} from '../helpers/kubespray-upstream.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { findTool, requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { sha256Of } from '../helpers/proving-ground.ts';
import { createPuller } from '../helpers/pull.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import {
  counterReaches,
  createSealiftHome,
  runSealift,
  startSealift,
  type RunningSealift,
  type SealiftHome,
} from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';
import { treeContents } from '../helpers/tree-contents.ts';
import { wholeTags } from '../helpers/visible-tags.ts';

// The flow of Kubespray's offline environment as one bundle: images, files, Debian packages, wheels and a Helm chart, from its
// real lists where they are on this machine, with content made here behind every reference.

const present = existsSync(join(kubespraySamples, 'files.list'));
if (!present) console.warn(`${kubespraySamples} is not on this machine: small lists stand in for Kubespray's own`);
const aptTools = await Promise.all(['apt-get', 'dpkg-deb', 'apt-ftparchive'].map(findTool));
const hasApt = !aptTools.includes(undefined);
if (!hasApt) console.warn("Kubespray's offline flow not tested: apt-get, dpkg-deb and apt-ftparchive are not all here");

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

/** Slow enough that bytes are in flight at the kill. */
const slow = { kind: 'slow', bytesPerSecond: 2_000_000 } as const;
const trees = ['files', 'deb', 'pypi', 'helm'];

describe.runIf(hasApt && hasAnsible("Kubespray's offline flow"))('Kubespray', () => {
  let temporal: TestTemporal;
  let home: SealiftHome;
  let folder: TemporaryFolder;
  let upstream: KubesprayUpstream;
  let source: FaultProxy;
  let site: TestRegistry;
  let destination: FaultProxy;
  let tar: string;
  const at = (...names: string[]): string => join(folder.path, ...names);

  beforeAll(async () => {
    temporal = await startTemporal();
    home = await createSealiftHome(temporal.env);
    folder = await temporaryFolder('kubespray');
    await mkdir(at('in'));
    upstream = await kubesprayUpstream(at('in'));
    const rule = { path: /./, times: Infinity };
    source = await startFaultProxy(upstream.files.url, [
      { name: 'slow files', ...rule, fault: { ...slow, direction: 'down' } },
    ]);
    site = await startRegistry({ kind: 'distribution' });
    destination = await startFaultProxy(site.url, [
      { name: 'slow registry', ...rule, optional: true, fault: { ...slow, direction: 'up' } },
    ]);
    tar = at('kubespray.tar');
  }, 180_000);

  afterAll(async () => {
    await home?.remove();
    await Promise.all([temporal?.stop(), source?.stop(), destination?.stop(), site?.stop()]);
    await upstream?.[Symbol.asyncDispose]();
    await folder?.remove();
  });

  function exportTo(output: string, filesUrl: string): string[] {
    return ['export', 'artifacts', '--output', output, ...upstream.inputs, ...upstream.pullFrom(filesUrl)];
  }

  /** Into a registry and into folders, at once. */
  function importTo(registryHost: string, below: string): string[] {
    const folders = trees.flatMap((tree) => [`--${tree}-dir`, at(below, tree)]);
    const registry = ['--registry', `${registryHost}/airgap`, '--plain-http'];
    return ['import', 'artifacts', '--input', tar, ...registry, ...folders];
  }

  it('is exported, killed by -9 in the middle, as if nothing had happened', async () => {
    const when = counterReaches(source.downloaded, 1_000_000);
    const { killed, stderr } = await runSealift(exportTo(tar, source.url), { home, kill: { when } });
    expect(killed, `the export ended too early:\n${stderr}`).toBe(true);
    await sealiftJson(home, 'export', exportTo(tar, source.url));
    const straight = at('straight.tar');
    await sealiftJson(home, 'export', exportTo(straight, upstream.files.url));
    expect(await sha256Of(tar)).toBe(await sha256Of(straight));
  });

  it('is one bundle of images, files, Debian packages, wheels and a chart', async () => {
    const { items } = (await sealiftJson(home, 'inspect', ['inspect', tar])) as { items: SourceItem[] };
    const count = (format: string): number => items.filter((item) => (item.package ?? item.kind) === format).length;
    expect(count('image')).toBe(upstream.digests.size);
    expect(count('file')).toBe(upstream.urls.length);
    // all that was asked for, and what it depends on
    expect(count('deb')).toBe(upstream.packages.length + 1);
    expect(count('python')).toBeGreaterThan(1);
    expect(count('helm')).toBe(1);
  });

  it('is imported into registry and folders, killed by -9 in the middle, as if nothing had happened', async () => {
    const when = counterReaches(destination.uploaded, 1_500_000);
    const { killed, stderr } = await runSealift(importTo(destination.host, 'far'), { home, kill: { when } });
    expect(killed, `the import ended too early:\n${stderr}`).toBe(true);
    const again = await sealiftJson(home, 'import', importTo(destination.host, 'far'));
    expect((again['trees'] as WrittenTree[]).map(({ tree }) => tree).sort()).toEqual([...trees].sort());
    await using other = await startRegistry({ kind: 'distribution' });
    await sealiftJson(home, 'import', importTo(other.host, 'straight'));
    expect(await registryContents(site)).toEqual(await registryContents(other));
    const contents = await treeContents(at('far'));
    expect(contents).toEqual(await treeContents(at('straight')));
    for (const url of upstream.urls) expect([...contents.keys()]).toContain(`files/${url.slice('https://'.length)}`);
  });

  it('has every image under its digest in the registry', async () => {
    const contents = await registryContents(site);
    for (const [reference, digest] of upstream.digests) {
      const { repository, tag } = locationOf(reference);
      expect(contents.get(`airgap/${repository}:${tag}`), reference).toBe(digest);
    }
  });

  describe('on the far side', () => {
    let server: RunningSealift;
    let url: string;

    beforeAll(async () => {
      server = startSealift(['serve', '--input', tar, '--listen', '127.0.0.1:0', '--output-format', 'json'], { home });
      while (!server.stdout().endsWith('}\n')) {
        expect(server.stderr()).not.toContain('Error');
        await sleep(20);
      }
      ({ url } = parseOutput('serve', server.stdout()) as { url: string });
      await generateInventory(url);
    });

    afterAll(async () => {
      server?.kill();
      await server?.done;
    });

    it.runIf(present)('is downloaded from by what Ansible renders of download.yml with our offline.yml', async () => {
      const items = await rendered(at('inventory/hosts.ini'));
      const asked = items.filter(({ kind }) => kind === 'file');
      // what is only in `downloads`, such as Argo CD, is in no list of upstream's and so not in the bundle
      const downloads = asked.filter(({ reference }) => !reference.includes('/argo-cd/'));
      expect(downloads).toHaveLength(upstream.urls.length);
      for (const { reference, checksums } of downloads) {
        expect(reference.startsWith(`${url.replace(/\/$/, '')}/`), reference).toBe(true);
        const response = await fetch(reference);
        expect(response.status, reference).toBe(200);
        const content = new Uint8Array(await response.arrayBuffer());
        const [algorithm = '', hex] = Object.entries(checksums ?? {})[0] ?? [];
        expect(createHash(algorithm).update(content).digest('hex'), reference).toBe(hex);
      }
      await expectImagesAtSite(items);
    });

    it('pip installs requirements.txt with our pip.conf', async () => {
      const python = join(ansibleVenv, 'bin', 'python3');
      const install = ['-m', 'pip', 'install', '--requirement', at('in/requirements.txt'), '--target', at('python')];
      const env = { PATH: process.env['PATH'] ?? '', HOME: at('in'), PIP_CONFIG_FILE: at('inventory/pip.conf') };
      await runOk(python, [...install, '--no-cache-dir', '--disable-pip-version-check'], { env });
      expect(await readdir(at('python'))).toEqual(expect.arrayContaining(['ansible.py', 'netaddr.py', 'far_base.py']));
    });

    it('apt takes the packages of the nodes from our source', async () => {
      const source = await readFile(at('inventory/nodes/etc/apt/sources.list.d/sealift.list'), 'utf8');
      const apt = await isolatedApt(at('apt-root'), source.trim());
      await apt('--error-on=any', 'update');
      await apt('--yes', '--download-only', 'install', ...upstream.packages);
      const archives = await readdir(at('apt-root/var/cache/apt/archives'));
      expect(archives.filter((name) => name.endsWith('.deb'))).toHaveLength(upstream.packages.length + 1);
    });

    it('helm gets the chart of Cilium from where our variables say', async () => {
      const offline = await readFile(at('inventory/group_vars/all/offline.yml'), 'utf8');
      const [, repository = ''] = /--repository (\S+?)"/.exec(offline) ?? [];
      const args = ['template', 'cilium', '--repo', repository, '--version', '1.20.1'];
      expect(await runOk(await requireTool('helm'), args, { env: home.env })).toContain('name: cilium');
    });
  });

  /** An inventory with what `sealift generate node-config` wrote. */
  async function generateInventory(filesUrl: string): Promise<void> {
    const command = ['generate', 'node-config', '--for', 'kubespray', '--input', tar, '--output', at('inventory')];
    const registry = ['--registry', `${site.host}/airgap`, '--plain-http', '--option', `files-url=${filesUrl}`];
    await sealiftJson(home, 'node-config', [...command, ...registry]);
    await writeFile(at('inventory/hosts.ini'), '[kube_control_plane]\nnode1 ansible_host=192.0.2.1\n');
  }

  /** The sample's download.yml in a checkout around it, rendered by the real Ansible with that inventory. */
  async function rendered(inventory: string): Promise<SourceItem[]> {
    const role = at('checkout/roles/kubespray_defaults');
    await mkdir(join(role, 'defaults/main'), { recursive: true });
    await mkdir(join(role, 'vars/main'), { recursive: true });
    await cp(join(kubespraySamples, 'download.yml'), join(role, 'defaults/main/download.yml'));
    await writeFile(join(role, 'defaults/main/main.yml'), otherDefaults);
    await cp(at('in/checksums.yml'), join(role, 'vars/main/checksums.yml'));
    const options = { checkout: [at('checkout')], inventory: [inventory], venv: [ansibleVenv] };
    return listedByKubespray([], at('scratch'), options);
  }

  async function expectImagesAtSite(items: SourceItem[]): Promise<void> {
    const images = items.filter(({ kind }) => kind === 'image').map(({ reference }) => reference);
    expect(images).toHaveLength(upstream.digests.size);
    await using puller = createPuller(site.url);
    for (const image of images) {
      const { host, repository, tag } = locationOf(image);
      expect(host).toBe(site.host);
      await expect(puller.manifest(repository, tag), image).resolves.toBeDefined();
    }
  }
});

/** `repository:tag` -> digest of all that a registry shows, each whole. */
async function registryContents({ url }: TestRegistry): Promise<Map<string, string>> {
  await using puller = createPuller(url);
  const contents = new Map<string, string>();
  for (const name of await wholeTags(url, 'airgap')) {
    const { repository, tag } = locationOf(name);
    contents.set(name, (await puller.manifest(repository, tag)).digest);
  }
  return contents;
}
