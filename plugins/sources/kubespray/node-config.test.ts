import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { BillItem } from '../../../contracts/bill-of-materials.ts';
import type { GeneratedFile, NodeConfigRequest } from '../../../contracts/source-plugin.ts';
import { memoryContext, type MemoryContext } from '../../../test/contract/memory-context.ts';
import { nodeConfig } from './node-config.ts';

const registry = { host: 'r.test:5000', prefix: 'airgap', plainHttp: false, map: {} };
const request: NodeConfigRequest = { images: ['registry.k8s.io/pause:3.10', 'quay.io/a/b:1'], registry, options: {} };

function packageItem(format: 'deb' | 'python' | 'helm', name: string): BillItem {
  return {
    ...{ kind: 'file', name, reference: `https://h.test/${name}`, digest: `sha256:${'a'.repeat(64)}` },
    ...{ destination: 'f:1', origin: 'h.test', size: 1, source: 'kubespray', package: format },
  };
}

async function generate(
  fields: Partial<NodeConfigRequest>,
  context: MemoryContext = memoryContext({}),
): Promise<Map<string, string>> {
  const files: GeneratedFile[] = await nodeConfig.generate({ ...request, ...fields }, context);
  expect(files.map(({ path }) => path)).toEqual(files.map(({ path }) => path).sort());
  return new Map(files.map((file) => [file.path, 'content' in file ? file.content : '']));
}

async function variables(fields: Partial<NodeConfigRequest>): Promise<Record<string, unknown>> {
  return parse((await generate(fields)).get('group_vars/all/offline.yml') ?? '') as Record<string, unknown>;
}

describe('offline.yml', () => {
  it('points every image repository at the registry, where import puts the images', async () => {
    expect(await variables({ registry: { ...registry, map: { 'quay.io': 'other/quay' } } })).toMatchObject({
      registry_addr: 'r.test:5000',
      registry_host: 'r.test:5000/airgap',
      kube_image_repo: '{{ registry_host }}',
      quay_image_repo: '{{ registry_addr }}/other/quay',
      containerd_registries_mirrors: [
        { prefix: 'r.test:5000', server: 'https://r.test:5000', mirrors: [{ host: 'https://r.test:5000' }] },
      ],
    });
  });

  it('has what Kubespray writes for containerd when the registry wants a password', async () => {
    expect(await variables({ options: { 'registry-user': ['puller'] } })).toMatchObject({
      registry_user: 'puller',
      containerd_registry_auth: [{ registry: '{{ registry_addr }}', auth: expect.stringContaining('registry_pass') }],
      containerd_registries_mirrors: [
        { prefix: 'r.test:5000', mirrors: [{ header: { Authorization: [expect.stringContaining('registry_pass')] } }] },
      ],
    });
  });

  it('needs no path below the registry', async () => {
    expect(await variables({ registry: { ...registry, prefix: '', plainHttp: true } })).toMatchObject({
      registry_host: 'r.test:5000',
      kube_image_repo: '{{ registry_host }}',
      containerd_registries_mirrors: [{ server: 'http://r.test:5000' }],
    });
  });

  it('points every file host below one URL', async () => {
    const { registry: _, ...withoutRegistry } = request;
    const [file] = await nodeConfig.generate(
      { ...withoutRegistry, options: { 'files-url': ['http://f.test:8080/x/'] } },
      memoryContext({}),
    );
    const offline = parse((file as { content: string }).content) as Record<string, string>;
    expect(offline).toMatchObject({
      files_repo: 'http://f.test:8080/x',
      github_url: '{{ files_repo }}/github.com',
      dl_k8s_io_url: '{{ files_repo }}/dl.k8s.io',
      storage_googleapis_url: '{{ files_repo }}/storage.googleapis.com',
      get_helm_url: '{{ files_repo }}/get.helm.sh',
    });
    expect(Object.keys(offline)).not.toContain('registry_host');
  });

  it('refers to the password of the registry and never holds it', async () => {
    const context = memoryContext({ '/in/password': 's3cr{{t\n' });
    const options = { 'registry-user': ['puller'], 'registry-password-file': ['/in/password'] };
    const files = await generate({ options }, context);
    const offline = files.get('group_vars/all/offline.yml') ?? '';
    expect(offline).not.toContain('s3cr');
    expect(files.get('group_vars/all/registry-credentials.yml')).toBe('registry_pass: !unsafe "s3cr{{t"\n');
    expect(context.warnings).toEqual([expect.stringContaining('ansible-vault')]);
    expect([...(await generate({ options: { 'registry-user': ['puller'] } })).keys()]).not.toContain(
      'group_vars/all/registry-credentials.yml',
    );
  });
});

describe('what nodes need beside it', () => {
  const bill = { schemaVersion: 1, sources: [], platforms: [], skipped: [] } as const;
  const items = [packageItem('deb', 'a.deb'), packageItem('python', 'a.whl'), packageItem('helm', 'cilium-1.20.1.tgz')];

  it('follows from what the bundle holds', async () => {
    const fields = { billOfMaterials: { ...bill, sources: [], platforms: [], skipped: [], items } };
    const options = { 'files-url': ['http://f.test:8080'] };
    const files = await generate({ ...fields, registry: { ...registry, ca: 'PEM\n' }, options });
    expect([...files.keys()]).toEqual([
      'group_vars/all/offline.yml',
      'nodes/etc/apt/sources.list.d/sealift.list',
      ...['_default', 'quay.io', 'r.test_5000_', 'registry.k8s.io'].flatMap((name) => [
        `nodes/etc/containerd/certs.d/${name}/ca.crt`,
        `nodes/etc/containerd/certs.d/${name}/hosts.toml`,
      ]),
      'nodes/etc/containerd/certs.d/sealift-ca.crt',
      'pip.conf',
      'prepare-nodes.yml',
    ]);
    expect(files.get('nodes/etc/apt/sources.list.d/sealift.list')).toBe(
      'deb [trusted=yes] http://f.test:8080/debian ./\n',
    );
    expect(files.get('pip.conf')).toContain('index-url = http://f.test:8080/pypi/simple/\ntrusted-host = f.test\n');
    const offline = parse(files.get('group_vars/all/offline.yml') ?? '') as Record<string, unknown>;
    expect(offline).toMatchObject({
      debian_repo: 'http://f.test:8080/debian',
      cilium_install_extra_flags: '--repository http://f.test:8080/helm',
    });
    expect(JSON.stringify(offline['containerd_registries_mirrors'])).toContain(
      '"ca":["/etc/containerd/certs.d/sealift-ca.crt"]',
    );
    expect([...(await generate({ options })).keys()].filter((path) => !path.includes('certs.d'))).toEqual([
      'group_vars/all/offline.yml',
      'prepare-nodes.yml',
    ]);
  });

  it('lets Ansible put the password of the registry into what containerd is told of every registry', async () => {
    const mapped = { ...registry, ca: 'PEM\n', map: { 'quay.io': 'other/quay' } };
    const files = await generate({ registry: mapped, options: { 'registry-user': ['puller'] } });
    const certs = 'etc/containerd/certs.d';
    const hosts = ['_default', 'quay.io', 'r.test_5000_', 'registry.k8s.io'].map(
      (name) => `${certs}/${name}/hosts.toml`,
    );
    expect([...files.keys()].filter((path) => path.startsWith('templates/'))).toEqual(
      hosts.map((path) => `templates/${path}.j2`),
    );
    expect([...files.keys()].filter((path) => path.endsWith('.toml'))).toEqual([]);
    const quay = files.get(`templates/${certs}/quay.io/hosts.toml.j2`);
    expect(quay).toContain('[host."https://r.test:5000/v2/other/quay".header]');
    expect(quay).toContain(`Authorization = ["Basic {{ (registry_user ~ ':' ~ registry_pass) | b64encode }}"]`);
    expect(files.has(`nodes/${certs}/quay.io/ca.crt`)).toBe(true);
    const [play] = parse(files.get('prepare-nodes.yml') ?? '') as { tasks: Record<string, unknown>[] }[];
    expect(play?.tasks).toMatchObject([
      { 'ansible.builtin.copy': { src: 'nodes/' } },
      { 'ansible.builtin.file': { state: 'directory' }, loop: hosts },
      { 'ansible.builtin.template': { mode: '0600' }, diff: false, loop: hosts },
    ]);
  });

  it('trusts a signed repository by its key alone', async () => {
    const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n';
    const options = { 'debian-url': ['https://d.test'], 'debian-key': ['/in/key.asc'] };
    const files = await generate({ options }, memoryContext({ '/in/key.asc': key }));
    expect(files.get('nodes/etc/apt/sources.list.d/sealift.list')).toBe(
      'deb [signed-by=/etc/apt/keyrings/sealift.asc] https://d.test ./\n',
    );
    expect(files.get('nodes/etc/apt/keyrings/sealift.asc')).toBe(key);
    await expect(generate({ options }, memoryContext({ '/in/key.asc': 'binary' }))).rejects.toMatchObject({
      problem: { subject: '--option debian-key' },
    });
  });
});

describe('options', () => {
  it.each([
    ['files-url', ['ftp://f.test']],
    ['files-url', ['f.test:8080']],
    ['files-url', ['https://user:pass@f.test']],
    ['files-url', ['https://f.test/?a=b']],
    ['files-url', ['https://f.test', 'https://g.test']],
    ['files-url', ['']],
    ['registry-password-file', ['/in/password']],
    ['no-such', ['x']],
  ])('%s=%j is refused', async (name, values) => {
    await expect(generate({ options: { [name]: values } })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: `--option ${name}`, remedy: expect.stringMatching(/./) },
    });
  });

  it('must leave something to point at', async () => {
    const { registry: _, ...withoutRegistry } = request;
    await expect(nodeConfig.generate(withoutRegistry, memoryContext({}))).rejects.toMatchObject({
      type: 'InvalidInput',
    });
  });
});
