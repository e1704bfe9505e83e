import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceContext, SourceSelection } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { parseYamlDocuments, readShape } from '../../../core/sources/yaml-documents.ts';
import { optionError, optionValues, pathOption } from './options.ts';
import { listPlaybook } from './playbook.ts';
import { downloadsShape, renderedShape } from './schema.ts';

/** A file that was given, is part of a checkout, or was rendered from one. */
export interface InputFile {
  file: string;
  bytes: Uint8Array;
}

/** Where releases keep what is downloaded, newest first. */
const DOWNLOADS = [
  'roles/kubespray_defaults/defaults/main/download.yml',
  'roles/kubespray-defaults/defaults/main/download.yml',
  'roles/download/defaults/main/main.yml',
  'roles/download/defaults/main.yml',
];
const CHECKSUMS = [
  'roles/kubespray_defaults/vars/main/checksums.yml',
  'roles/kubespray-defaults/defaults/main/checksums.yml',
  'roles/download/defaults/main/checksums.yml',
];
const SYSTEM_PACKAGES = ['roles/system_packages/vars/main.yml'];
const REQUIREMENTS = ['requirements.txt'];

/** Those of every control plane node: kubeadm pulls them, so that no list of Kubespray's names them. */
const KUBEADM_IMAGES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'];

/**
 * The lists that Kubespray's contrib/offline/generate_list.sh makes of a checkout, rendered by the real Ansible for each
 * architecture with the variables of the inventory, and the checkout's own checksums; what it says of OS packages and
 * Python when that is asked for. The checkout is not written to.
 * @throws SealiftError InvalidInput, FileMissing, ToolMissing, ToolFailed
 */
export async function readCheckout(
  checkout: string,
  selection: SourceSelection,
  context: SourceContext,
): Promise<InputFile[]> {
  const downloads = await firstOf(checkout, DOWNLOADS, context);
  if (downloads === undefined) {
    throw optionError(
      selection,
      'checkout',
      `names ${checkout}, which has no ${DOWNLOADS[0] ?? ''}`,
      'name the top folder of a Kubespray checkout or release archive',
    );
  }
  const templates = templatesOf(downloads);
  const files: InputFile[] = [];
  for (const arch of architectures(selection)) {
    const { images, files: urls } = await render(
      { checkout, downloads: downloads.file, templates, arch },
      selection,
      context,
    );
    files.push(textFile(`${checkout}/images-${arch}.list`, images), textFile(`${checkout}/files-${arch}.list`, urls));
  }
  const others = [
    CHECKSUMS,
    ...(optionValues(selection, 'deb-release').length === 0 ? [] : [SYSTEM_PACKAGES]),
    ...(optionValues(selection, 'python-version').length === 0 ? [] : [REQUIREMENTS]),
  ];
  for (const paths of others) {
    const found = await firstOf(checkout, paths, context);
    if (found !== undefined) files.push(found);
  }
  return files;
}

/** What was asked for by `arch`, as Go names architectures. @throws SealiftError InvalidInput */
export function architectures(selection: SourceSelection): string[] {
  const asked = optionValues(selection, 'arch');
  for (const arch of asked) {
    if (/^[a-z0-9]+$/.test(arch)) continue;
    throw optionError(selection, 'arch', `"${arch}" is no architecture`, 'write it as amd64 or arm64');
  }
  return asked.length === 0 ? ['amd64'] : asked;
}

interface Templates {
  images: string[];
  files: string[];
}

function templatesOf({ file, bytes }: InputFile): Templates {
  const templates: Templates = { images: [], files: [] };
  for (const document of parseYamlDocuments(file, bytes)) {
    const content = readShape(document, downloadsShape);
    for (const [name, value] of Object.entries(content)) {
      if (name.endsWith('_download_url') && typeof value === 'string') templates.files.push(value);
    }
    for (const { repo, tag, url } of Object.values(content.downloads)) {
      if (typeof repo === 'string' && typeof tag === 'string') templates.images.push(`${repo}:${tag}`);
      if (typeof url === 'string') templates.files.push(url);
    }
  }
  templates.images.push(...KUBEADM_IMAGES.map((name) => `{{ kube_image_repo }}/${name}:v{{ kube_version }}`));
  return templates;
}

async function render(
  what: { checkout: string; downloads: string; templates: Templates; arch: string },
  selection: SourceSelection,
  context: SourceContext,
): Promise<{ images: string[]; files: string[] }> {
  const { checkout, arch } = what;
  const folder = await context.scratch();
  const [playbook, output] = [join(folder, `list-${arch}.yml`), join(folder, `list-${arch}.json`)];
  const inventory = pathOption(selection, 'inventory');
  const role = what.downloads.slice(checkout.length).split('/')[2] ?? '';
  await writeFile(
    playbook,
    listPlaybook({ ...what.templates, arch, role, output, hasInventory: inventory !== undefined }),
  );
  const given = inventory === undefined ? ['--inventory', 'localhost,'] : ['--inventory', inventory];
  const command = inVenv(selection, 'ansible-playbook');
  // The checkout's own ansible.cfg caches facts in /tmp, where those of another architecture would be found.
  const configuration = join(folder, 'ansible.cfg');
  await writeFile(configuration, '[defaults]\nforce_valid_group_names = ignore\n');
  const env = {
    ANSIBLE_CONFIG: configuration,
    ANSIBLE_ROLES_PATH: `${checkout}/roles`,
    ANSIBLE_LIBRARY: `${checkout}/library`,
    ANSIBLE_LOCAL_TEMP: folder,
    ANSIBLE_REMOTE_TEMP: folder,
    ANSIBLE_NOCOLOR: '1',
    // what fails is then told with the error
    ANSIBLE_DISPLAY_FAILED_STDERR: '1',
    ANSIBLE_RETRY_FILES_ENABLED: '0',
  };
  if ((await context.run(command, [...given, playbook], { cwd: folder, env })) === undefined) {
    throw toolMissing(command, 'Ansible renders what a checkout downloads');
  }
  const [document] = parseYamlDocuments(output, await context.read(output));
  if (document === undefined) throw optionError(selection, 'checkout', 'was rendered to nothing', 'see the inventory');
  return readShape(document, renderedShape);
}

/** A program of the virtual environment that was named, or of PATH. @throws SealiftError InvalidInput */
export function inVenv(selection: SourceSelection, program: string): string {
  const venv = pathOption(selection, 'venv');
  return venv === undefined ? program : join(venv, 'bin', program);
}

/** Returned, not thrown. */
export function toolMissing(command: string, message: string): SealiftError {
  return new SealiftError('ToolMissing', {
    side: 'source',
    operation: 'run',
    subject: command,
    message: `${message}, and there is no such program`,
    remedy:
      "install Kubespray's requirements.txt into a virtual environment (python3 -m venv DIR; DIR/bin/pip install -r requirements.txt) and give --source-option venv=DIR",
  });
}

async function firstOf(
  checkout: string,
  paths: readonly string[],
  context: SourceContext,
): Promise<InputFile | undefined> {
  for (const path of paths) {
    const file = `${checkout}/${path}`;
    try {
      return { file, bytes: await context.read(file) };
    } catch (error) {
      if (!(error instanceof SealiftError) || error.type !== 'FileMissing') throw error;
    }
  }
  return undefined;
}

function textFile(file: string, lines: readonly string[]): InputFile {
  return { file, bytes: new TextEncoder().encode(`${[...new Set(lines)].join('\n')}\n`) };
}
