import type { BillItem, PackageFormat } from '../../../contracts/bill-of-materials.ts';
import type {
  GeneratedFile,
  NodeConfigGenerator,
  NodeConfigRequest,
  SourceContext,
  SourceOption,
} from '../../../contracts/source-plugin.ts';
import { mirrorHosts, type TextFile } from '../../../core/node-config/hosts-toml.ts';
import { requestError } from '../../../core/node-config/request-error.ts';
import { parseReference } from '../../../core/oci/reference.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { offlineInventory, PASSWORD_HEADER } from './offline-inventory.ts';
import { prepareNodes } from './prepare-nodes.ts';

const options = [
  { name: 'files-url', summary: 'where `sealift serve` answers, or any server with files as HOST/PATH' },
  { name: 'debian-url', summary: 'apt repository of the nodes (default: debian/ below files-url)' },
  { name: 'debian-key', path: true, summary: 'ASCII-armored key that signs it; without one it is trusted unsigned' },
  { name: 'pip-url', summary: 'index that pip asks (default: pypi/simple/ below files-url)' },
  { name: 'helm-url', summary: 'Helm repository that has the charts (default: helm below files-url)' },
  { name: 'registry-user', summary: 'user of the registry; its password is referred to as registry_pass' },
  {
    name: 'registry-password-file',
    path: true,
    summary: 'file with that password, to be written into a file of its own',
  },
] as const satisfies readonly SourceOption[];

type OptionName = (typeof options)[number]['name'];
type Context = Pick<SourceContext, 'read' | 'warn'>;

const CERTS_ON_NODE = '/etc/containerd/certs.d';
const CA_ON_NODE = `${CERTS_ON_NODE}/sealift-ca.crt`;
const KEY_ON_NODE = '/etc/apt/keyrings/sealift.asc';

/** Inventory variables, and the files that nodes and the Ansible machine need beside them. */
export const nodeConfig: NodeConfigGenerator = {
  summary: 'inventory variables (offline.yml), registry configuration, apt and pip sources',
  modes: [],
  options,
  generate,
};

async function generate(request: NodeConfigRequest, context: Context): Promise<GeneratedFile[]> {
  refuseUnknown(request);
  const filesUrl = urlOption(request, 'files-url');
  if (request.registry === undefined && filesUrl === undefined) {
    throw requestError(
      '--option files-url',
      'neither it nor --registry is given: there is nothing to point at',
      'give one of them',
    );
  }
  const user = oneValue(request, 'registry-user');
  const debianUrl = packageUrl(request, 'deb', 'debian-url', filesUrl, 'debian');
  const pipUrl = packageUrl(request, 'python', 'pip-url', filesUrl, 'pypi/simple/');
  const helmUrl = packageUrl(request, 'helm', 'helm-url', filesUrl, 'helm');
  const { registry } = request;
  const inventory = offlineInventory({
    ...(registry === undefined ? {} : { registry }),
    ...(filesUrl === undefined ? {} : { filesUrl }),
    ...(debianUrl === undefined ? {} : { debianUrl }),
    ...(helmUrl !== undefined && hasCilium(request) ? { ciliumCharts: helmUrl } : {}),
    ...(registry?.ca === undefined ? {} : { caOnNode: CA_ON_NODE }),
    ...(user === undefined ? {} : { user }),
  });
  const mirrors = mirrorFiles(request, user);
  const nodes = [...caFile(request), ...mirrors.nodes, ...(await aptFiles(request, debianUrl, context))];
  const files: GeneratedFile[] = [
    { path: 'group_vars/all/offline.yml', content: inventory },
    ...(await passwordFile(request, user, context)),
    ...(pipUrl === undefined ? [] : [{ path: 'pip.conf', content: pipConfiguration(pipUrl) }]),
    ...nodes,
    ...mirrors.templates,
    ...prepareNodes(nodes, mirrors.templates),
  ];
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * containerd's hosts.toml for every registry that the images name. Kubespray's own template of that file says too little
 * for containerd 1.x, which then hides "not found" behind another error; it leaves these alone. With a password they are
 * templates, so that Ansible puts it in on its way to the nodes.
 */
function mirrorFiles(
  request: NodeConfigRequest,
  user: string | undefined,
): { nodes: TextFile[]; templates: TextFile[] } {
  const { registry, images } = request;
  if (registry === undefined) return { nodes: [], templates: [] };
  const origins = [...new Set(images.map((image) => parseReference(image).host))].sort();
  const authorization = user === undefined ? {} : { authorization: PASSWORD_HEADER };
  const files = mirrorHosts({ origins, registry, folder: CERTS_ON_NODE, ...authorization });
  const isTemplate = ({ path }: TextFile): boolean => user !== undefined && path.endsWith('.toml');
  return {
    nodes: files.filter((file) => !isTemplate(file)).map(({ path, content }) => ({ path: `nodes/${path}`, content })),
    templates: files.filter(isTemplate).map(({ path, content }) => ({ path: `templates/${path}.j2`, content })),
  };
}

function caFile({ registry }: NodeConfigRequest): TextFile[] {
  return registry?.ca === undefined ? [] : [{ path: `nodes${CA_ON_NODE}`, content: registry.ca }];
}

async function aptFiles(request: NodeConfigRequest, url: string | undefined, context: Context): Promise<TextFile[]> {
  if (url === undefined) return [];
  const keyFile = oneValue(request, 'debian-key');
  const trust = keyFile === undefined ? 'trusted=yes' : `signed-by=${KEY_ON_NODE}`;
  const source = { path: 'nodes/etc/apt/sources.list.d/sealift.list', content: `deb [${trust}] ${url} ./\n` };
  if (keyFile === undefined) return [source];
  const key = decodeText(keyFile, await context.read(keyFile));
  if (!key.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) {
    throw requestError(
      '--option debian-key',
      `${keyFile} is no ASCII-armored public key`,
      'write one with gpg --armor --export',
    );
  }
  return [{ path: `nodes${KEY_ON_NODE}`, content: key }, source];
}

async function passwordFile(
  request: NodeConfigRequest,
  user: string | undefined,
  context: Context,
): Promise<GeneratedFile[]> {
  const file = oneValue(request, 'registry-password-file');
  if (file === undefined) return [];
  if (user === undefined) {
    throw requestError(
      '--option registry-password-file',
      'there is no user that it is the password of',
      'give registry-user too',
    );
  }
  const password = decodeText(file, await context.read(file)).replace(/\r?\n$/, '');
  const path = 'group_vars/all/registry-credentials.yml';
  context.warn(`${path} holds the password of the registry: encrypt it with ansible-vault encrypt`);
  // !unsafe keeps Ansible from taking braces in a password for a template
  return [{ path, content: `registry_pass: !unsafe ${JSON.stringify(password)}\n`, secret: true }];
}

function pipConfiguration(url: string): string {
  const { protocol, hostname } = new URL(url);
  const trusted = protocol === 'http:' ? `trusted-host = ${hostname}\n` : '';
  return `# Name this file in PIP_CONFIG_FILE where Ansible and its requirements are installed.\n[global]\nindex-url = ${url}\n${trusted}`;
}

// `sealift serve` has a folder for each format; it is only pointed at when the bundle has such packages.
function packageUrl(
  request: NodeConfigRequest,
  format: PackageFormat,
  option: OptionName,
  filesUrl: string | undefined,
  folder: string,
): string | undefined {
  const given = urlOption(request, option);
  if (given !== undefined) return given;
  return filesUrl === undefined || packagesOf(request, format).length === 0 ? undefined : `${filesUrl}/${folder}`;
}

function packagesOf({ billOfMaterials }: NodeConfigRequest, format: PackageFormat): BillItem[] {
  return (billOfMaterials?.items ?? []).filter((item) => item.package === format);
}

function hasCilium(request: NodeConfigRequest): boolean {
  return packagesOf(request, 'helm').some(({ name }) => /^cilium-v?\d.*[.]tgz$/.test(name));
}

function refuseUnknown(request: NodeConfigRequest): void {
  const known: string[] = options.map(({ name }) => name);
  for (const name of Object.keys(request.options)) {
    if (!known.includes(name))
      throw requestError(`--option ${name}`, 'there is no such option', `use one of: ${known.join(', ')}`);
  }
}

function oneValue({ options: given }: NodeConfigRequest, name: OptionName): string | undefined {
  const values = [...new Set(given[name] ?? [])];
  if (values.length > 1) throw requestError(`--option ${name}`, 'it was given more than once', 'choose one');
  if (values[0] === '') throw requestError(`--option ${name}`, 'it is empty', 'give a value, or leave it out');
  return values[0];
}

function urlOption(request: NodeConfigRequest, name: OptionName): string | undefined {
  const text = oneValue(request, name);
  if (text === undefined) return undefined;
  const refuse = (message: string): Error =>
    requestError(`--option ${name}`, message, 'write it as https://HOST[:PORT][/PATH]');
  if (!URL.canParse(text) || !/^https?:\/\/[^\s"'{}]+$/.test(text)) throw refuse(`"${text}" is no http or https URL`);
  const { username, password, search, hash } = new URL(text);
  if (username !== '' || password !== '') throw refuse('it holds credentials');
  if (search !== '' || hash !== '') throw refuse('it has a query or a fragment');
  return name === 'pip-url' ? text : text.replace(/\/+$/, '');
}
