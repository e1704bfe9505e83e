import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import { createSourceContext } from '../../../core/sources/context.ts';
import { readLocal } from '../../../core/sources/read-local.ts';
import { ansibleVenv, hasAnsible } from '../../../test/helpers/ansible.ts';
import { kubespray } from './index.ts';

const hex = (digit: string): string => digit.repeat(64);

/** A checkout as small as one can be, with what makes rendering hard: variables of variables, lookups by version, facts. */
const checkout: Record<string, string> = {
  'ansible.cfg': '[defaults]\nfact_caching = jsonfile\nfact_caching_connection = /nowhere\nroles_path = nothing\n',
  'roles/kubespray_defaults/defaults/main/main.yml': [
    `kube_version: "{{ (kubelet_checksums['amd64'] | dict2items)[0].key }}"`,
    'machines: { x86_64: amd64, aarch64: arm64 }',
    `image_arch: "{{ machines[ansible_facts['architecture']] }}"`,
    'kube_image_repo: registry.example.test',
    'dl_url: https://dl.example.test',
    'pause_versions: { "1.36.4": "3.10", "1.35.0": "3.9" }',
  ].join('\n'),
  'roles/kubespray_defaults/defaults/main/download.yml': [
    'kubelet_download_url: "{{ dl_url }}/release/v{{ kube_version }}/bin/linux/{{ image_arch }}/kubelet"',
    'runsc_download_url: "{{ dl_url }}/gvisor/releases/release/1/{{ ansible_facts[\'architecture\'] }}/runsc"',
    'install_url: "{{ dl_url }}/{{ ansible_facts[\'system\'] | lower }}/install.yaml"',
    'downloads:',
    '  kubelet: { enabled: true, file: true, url: "{{ kubelet_download_url }}" }',
    '  install: { enabled: false, file: true, url: "{{ install_url }}" }',
    '  pause: { container: true, repo: "{{ kube_image_repo }}/pause", tag: "{{ pause_versions[kube_version] }}" }',
    'download_defaults: { repo: None, url: None }',
  ].join('\n'),
  'roles/kubespray_defaults/vars/main/checksums.yml': [
    'kubelet_checksums:',
    `  amd64: { 1.36.4: "sha256:${hex('a')}", 1.35.0: "sha256:${hex('b')}" }`,
    `  arm64: { 1.36.4: "sha256:${hex('c')}" }`,
  ].join('\n'),
};

describe.runIf(hasAnsible('rendering a checkout'))('a checkout', () => {
  let folder: string;
  let warnings: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-checkout-'));
    warnings = [];
    await writeTree('kubespray', checkout);
  });

  afterEach(() => rm(folder, { recursive: true }));

  async function writeTree(name: string, files: Record<string, string>): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name, path)), { recursive: true });
      await writeFile(join(folder, name, path), content);
    }
    return join(folder, name);
  }

  function list(options: Record<string, string[]> = {}): Promise<SourceContents> {
    const context = createSourceContext({
      read: (location) => readLocal(location, 'source'),
      warn: (message) => warnings.push(message),
      scratch: join(folder, 'scratch'),
    });
    return kubespray.list(
      {
        source: 'kubespray',
        files: [],
        kubeVersions: [],
        providers: [],
        options: { checkout: [join(folder, 'kubespray')], venv: [ansibleVenv], ...options },
      },
      context,
    );
  }

  it('is rendered by Ansible, with the images that kubeadm adds and its own checksums', async () => {
    const { items, documents } = await list();
    expect(items.map(({ kind, reference, checksums }) => [kind, reference, checksums?.sha256])).toEqual([
      ['file', 'https://dl.example.test/gvisor/releases/release/1/x86_64/runsc', undefined],
      ['file', 'https://dl.example.test/linux/install.yaml', undefined],
      ['file', 'https://dl.example.test/release/v1.36.4/bin/linux/amd64/kubelet', hex('a')],
      ...['kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kube-scheduler'].map((name) => [
        'image',
        `registry.example.test/${name}:v1.36.4`,
        undefined,
      ]),
      ['image', 'registry.example.test/pause:3.10', undefined],
    ]);
    expect(warnings).toHaveLength(2);
    expect(documents.map(({ title }) => title)).toEqual(['checksums.yml', 'files-amd64.list', 'images-amd64.list']);
  });

  it('obeys the inventory, down to the group variables of its control plane, and asks no node', async () => {
    const inventory = await writeTree('inventory', {
      // an address that leads nowhere: whoever connects to it waits
      'hosts.ini': 'node1 ansible_host=192.0.2.1 ansible_become=true\n[kube_control_plane]\nnode1\n',
      'group_vars/all/all.yml': 'dl_url: http://mirror.example.test:8080/dl\n',
      'group_vars/kube_control_plane.yml': 'kube_version: 1.35.0\n',
    });
    const { items } = await list({ inventory: [join(inventory, 'hosts.ini')] });
    const references = items.map(({ reference }) => reference);
    expect(references).toContain('http://mirror.example.test:8080/dl/release/v1.35.0/bin/linux/amd64/kubelet');
    expect(references).toContain('registry.example.test/pause:3.9');
    expect(references).toContain('registry.example.test/kube-proxy:v1.35.0');
    expect(items.find(({ name }) => name === 'kubelet')?.checksums).toEqual({ sha256: hex('b') });
  });

  it('is rendered for every architecture, and left as it was', async () => {
    await cp(join(folder, 'kubespray'), join(folder, 'before'), { recursive: true });
    const { items } = await list({ arch: ['amd64,arm64'] });
    const kubelets = items.filter(({ name }) => name === 'kubelet');
    expect(kubelets.map(({ platforms, checksums }) => [platforms, checksums?.sha256])).toEqual([
      [['linux/amd64'], hex('a')],
      [['linux/arm64'], hex('c')],
    ]);
    for (const path of Object.keys(checkout)) {
      const [before, after] = await Promise.all(
        ['before', 'kubespray'].map((name) => readFile(join(folder, name, path))),
      );
      expect(after).toEqual(before);
    }
  });

  it('that Ansible cannot render says what Ansible said', async () => {
    const inventory = await writeTree('inventory', {
      'hosts.ini': 'localhost ansible_connection=local\n',
      'group_vars/all.yml': 'kube_version: 1.34.0\n',
    });
    await expect(list({ inventory: [join(inventory, 'hosts.ini')] })).rejects.toMatchObject({
      type: 'ToolFailed',
      problem: { message: expect.stringContaining('1.34.0') },
    });
  });

  it.each([
    [{ venv: ['/nowhere'] }, 'ToolMissing', 'venv'],
    [{ checkout: ['/nowhere'] }, 'InvalidInput', 'checkout'],
    [{ checkout: ['relative'] }, 'InvalidInput', 'from /'],
    [{ arch: ['x86/64'] }, 'InvalidInput', 'amd64'],
  ])('with %j is refused with a remedy', async (options, type, remedy) => {
    await expect(list(options)).rejects.toMatchObject({ type, problem: { remedy: expect.stringContaining(remedy) } });
  });
});
