import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buildChart, buildDeb, buildWheel } from '../../core/trees/testing.ts';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import { createSourceContext } from '../../core/sources/context.ts';
import { readLocal } from '../../core/sources/read-local.ts';
import { kubespray } from '../../plugins/sources/kubespray/index.ts';
import { systemPackages } from '../../plugins/sources/kubespray/system-packages.ts';
import { ansibleVenv } from './ansible.ts';
import { randomBuffer } from './content.ts';
import { startFileServer, type FileServer } from './file-server.ts';
import { locationOf, pushImages } from './kubeflow-upstream.ts';
import { samplesFolder } from './paths.ts';
import { runOk } from './processes.ts';
import { startRegistry } from './registry.ts';

/** Kubespray's own lists, which may be absent. */
export const kubespraySamples = join(samplesFolder, 'kubespray');

/** What stands in for them: as small as it can be with something of every kind. */
const own: Record<string, string> = {
  'images.list': 'registry.k8s.io/pause:3.10\ndocker.io/library/nginx:1.30.1-alpine\nquay.io/calico/node:v3.31.7\n',
  'files.list': [
    'https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet',
    'https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz\n',
  ].join('\n'),
  'checksums.yml': [
    `kubelet_checksums: { amd64: { 1.36.4: "sha256:${'1'.repeat(64)}" } }`,
    `cni_binary_checksums: { amd64: { 1.9.1: "sha256:${'2'.repeat(64)}" } }\n`,
  ].join('\n'),
  'system_packages.yml': `pkgs:\n  curl: []\n  ipset: ["{{ ansible_os_family == 'Debian' }}"]\n`,
  'requirements.txt': 'ansible==11.13.0\nnetaddr==1.3.0\n',
};

const RELEASE = 'bookworm';
const CHART = 'https://helm.cilium.io/cilium-1.20.1.tgz';
/** of Docker's repository, which is no part of system_packages.yml, with one that it depends on */
const CONTAINERD = 'containerd.io';
/** shared between all files, so that a part of them is in flight at some moment however many there are */
const BYTES_OF_FILES = 3_000_000;

/** Everything that a Kubespray cluster downloads, with content made here behind every reference. */
export interface KubesprayUpstream extends AsyncDisposable {
  /** arguments of an export: inputs and options */
  inputs: string[];
  /** root digests by reference */
  digests: Map<string, string>;
  /** of files.list */
  urls: string[];
  /** names of the Debian packages that were asked for */
  packages: string[];
  /** has every file, below its host */
  files: FileServer;
  /** Arguments that lead all upstreams here. @param filesUrl of `files`, or of a proxy in front of it */
  pullFrom(filesUrl: string): string[];
}

/** @param folder for its files, which are there afterwards by the names that Kubespray gives them */
export async function kubesprayUpstream(folder: string): Promise<KubesprayUpstream> {
  const at = (...names: string[]): string => join(folder, ...names);
  for (const [name, text] of Object.entries(own)) {
    const sample = join(kubespraySamples, name);
    await writeFile(at(name), existsSync(sample) ? await readFile(sample, 'utf8') : text);
  }
  await mkdir(at('upstream'));
  const registry = await startRegistry({ kind: 'distribution' });
  const files = await startFileServer(at('upstream'));
  const digests = await pushImages(await linesOf(at('images.list')), registry.url);
  const urls = await linesOf(at('files.list'));
  await makeFiles(folder);
  await serveFile(folder, CHART, buildChart('cilium', '1.20.1'));
  const packages = [...(await wantedPackages(at('system_packages.yml'))), CONTAINERD];
  await makeDebianRepository(folder, packages);
  await writeFile(at('sources.list'), `deb [trusted=yes] ${files.url}/debian ./\n`);
  await makeIndex(folder, `${files.url}/wheels`);
  const options = {
    'helm-charts': CHART,
    'deb-release': RELEASE,
    'deb-packages': CONTAINERD,
    'deb-sources': at('sources.list'),
    'python-version': '3.11',
    'pip-index': `file://${at('simple')}`,
    venv: ansibleVenv,
  };
  const registries = new Set([...digests.keys()].map((reference) => locationOf(reference).host));
  const hosts = new Set([...urls, CHART].map((url) => new URL(url).host));
  return {
    inputs: [
      ...['--source', 'kubespray'],
      ...Object.keys(own).flatMap((name) => ['-f', at(name)]),
      ...Object.entries(options).flatMap(([name, value]) => ['--source-option', `${name}=${value}`]),
    ],
    ...{ digests, urls, packages, files },
    pullFrom: (filesUrl) =>
      [
        ...[...registries].map((host) => `${host}=${registry.url}`),
        ...[...hosts].map((host) => `https://${host}=${filesUrl}/${host}`),
      ].flatMap((entry) => ['--pull-from', entry]),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([files.stop(), registry.stop()]);
    },
  };
}

/** What the source itself makes of inputs, in this process. @param scratch folder for its own files */
export async function listedByKubespray(
  files: string[],
  scratch: string,
  options: Record<string, string[]> = {},
): Promise<SourceItem[]> {
  const warn = (message: string): never => {
    throw new Error(message);
  };
  const context = createSourceContext({ read: (path) => readLocal(path, 'source'), warn, scratch });
  const selection = { source: 'kubespray', files, kubeVersions: [], providers: [], options };
  return (await kubespray.list(selection, context)).items;
}

/** Makes a file behind every URL of files.list, and puts their checksums into the places of the real ones. */
async function makeFiles(folder: string): Promise<void> {
  const names = ['files.list', 'checksums.yml'].map((name) => join(folder, name));
  const items = await listedByKubespray(names, join(folder, 'scratch'));
  let checksumsYml = await readFile(join(folder, 'checksums.yml'), 'utf8');
  for (const { reference, checksums = {} } of items) {
    const size = Math.round((BYTES_OF_FILES / items.length) * (0.5 + (reference.length % 7) / 6));
    const content = randomBuffer(reference, size);
    await serveFile(folder, reference, content);
    const [algorithm, hex] = Object.entries(checksums)[0] as [string, string];
    checksumsYml = checksumsYml.replace(hex, createHash(algorithm).update(content).digest('hex'));
  }
  await writeFile(join(folder, 'checksums.yml'), checksumsYml);
}

async function serveFile(folder: string, url: string, content: Uint8Array): Promise<void> {
  const { host, pathname } = new URL(url);
  const path = join(folder, 'upstream', host, pathname);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

async function wantedPackages(file: string): Promise<string[]> {
  const options = { 'deb-release': [RELEASE] };
  const selection = { source: 'kubespray', files: [], kubeVersions: [], providers: [], options };
  return systemPackages(file, await readFile(file), selection);
}

/** A flat repository of these packages, each with a dependency of its own name. */
async function makeDebianRepository(folder: string, packages: string[]): Promise<void> {
  const repository = join(folder, 'upstream/debian');
  await mkdir(repository);
  for (const name of packages) {
    const fields = { Package: name, Version: '1.0+far', Architecture: 'amd64', Depends: 'libfar' };
    await writeFile(join(repository, `${name}_1.0+far_amd64.deb`), await buildDeb(folder, fields));
  }
  const library = await buildDeb(folder, { Package: 'libfar', Version: '1:2.0', Architecture: 'all' });
  await writeFile(join(repository, 'libfar_2.0_all.deb'), library);
  for (const [kind, name] of Object.entries({ packages: 'Packages', release: 'Release' })) {
    await writeFile(join(repository, name), await runOk('apt-ftparchive', [kind, '.'], { cwd: repository }));
  }
}

/** A Python index with the oldest thing that every line of requirements.txt takes, and one that they all depend on. */
async function makeIndex(folder: string, wheelsUrl: string): Promise<void> {
  await mkdir(join(folder, 'upstream/wheels'));
  const requirements = (await linesOf(join(folder, 'requirements.txt'))).flatMap((line) => {
    const [, name, comparison, version = ''] = /^([A-Za-z0-9_-]+)(==|<)(.+)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, version: comparison === '<' ? '1.0' : version, requires: ['far-base'] }];
  });
  for (const wheel of [...requirements, { name: 'far_base', version: '1.0' }]) {
    const { name, bytes } = await buildWheel(folder, wheel);
    await writeFile(join(folder, 'upstream/wheels', name), bytes);
    const project = join(folder, 'simple', wheel.name.replaceAll('_', '-'));
    await mkdir(project, { recursive: true });
    const hex = createHash('sha256').update(bytes).digest('hex');
    await writeFile(
      join(project, 'index.html'),
      `<!DOCTYPE html><a href="${wheelsUrl}/${name}#sha256=${hex}">${name}</a>`,
    );
  }
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).trim().split('\n');
}
