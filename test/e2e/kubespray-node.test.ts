import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDeb } from '../../core/trees/testing.ts';
import { hasAnsible } from '../helpers/ansible.ts';
import { generateCertificates } from '../helpers/certificates.ts';
import { logIn } from '../helpers/docker-config.ts';
import { generateImage } from '../helpers/images.ts';
import {
  encryptWithVault,
  kubesprayNode,
  variablesPlaybook,
  type KubesprayNode,
  type RegistryVariables,
} from '../helpers/kubespray-node.ts';
import {
  createNodeNetwork,
  farPorts,
  nodeNetworkUnavailable,
  registryName,
  type NodeNetwork,
  type TestNode,
} from '../helpers/node-network.ts';
import { findTool, projectRoot, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { run, startProcess, type RunningProcess } from '../helpers/processes.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';
import { writeBundle } from '../helpers/write-bundle.ts';

// A node in namespaces of its own, with one cable to the far side and no other way out. Real Ansible puts there what
// `generate node-config --for kubespray` wrote; containerd is asked for images as the kubelet asks, without credentials.

const images = {
  'registry.k8s.io/pause:3.10': generateImage({ seed: 'pause', layers: [500] }),
  'docker.io/library/nginx:1.30': generateImage({ seed: 'nginx', layers: [9_000, 100] }),
  'quay.io/calico/node:v3.31.7': generateImage({
    seed: 'calico',
    layers: [20_000],
    platforms: ['linux/amd64', 'linux/arm64'],
  }),
};
/** with what breaks templates, TOML strings and user:password pairs */
const credentials = { user: 'puller', password: `a"b\\c:{{ d }}' e` };
const registry = `${registryName}:${farPorts.registry}`;
const filesUrl = `http://${registryName}:8080`;

async function missing(): Promise<string | undefined> {
  const tools = await Promise.all(['containerd', 'ctr', 'containerd2', 'ctr2', 'cri-pull'].map(findTool));
  if (tools.includes(undefined)) return 'containerd, containerd2 and cri-pull are not all here: run `make setup`';
  return (await nodeNetworkUnavailable()) ?? (hasAnsible('a node of Kubespray') ? undefined : 'there is no Ansible');
}
const why = await missing();
if (why !== undefined) console.warn(`no node is set up as Kubespray does: ${why}`);

describe.skipIf(why !== undefined)('a node that Kubespray sets up', () => {
  let folder: TemporaryFolder;
  let temporal: TestTemporal;
  let home: SealiftHome;
  let near: TestRegistry;
  let network: NodeNetwork;
  let node: TestNode;
  let kubespray: KubesprayNode;
  let served: RunningProcess;
  let variables: RegistryVariables;
  const at = (...names: string[]): string => join(folder.path, ...names);

  beforeAll(async () => {
    folder = await temporaryFolder('kubespray-node');
    temporal = await startTemporal();
    home = await createSealiftHome(temporal.env);
    const tls = await generateCertificates(folder.path, 2, [registryName]);
    // two doors to one storage: what is imported here is what the far side shows to the node, with TLS
    near = await startRegistry({ kind: 'distribution', htpasswd: credentials });
    network = await createNodeNetwork(tls, { dir: near.dir, htpasswd: credentials });
    await writeBundle(
      at('artifacts.tar'),
      Object.entries(images).map(([reference, image]) => ({ reference, image })),
      [
        { url: 'https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet', bytes: Buffer.from('a kubelet') },
        {
          url: 'https://deb.example/pool/ipset.deb',
          bytes: await buildDeb(folder.path, { Package: 'far-ipset', Version: '1.0', Architecture: 'all' }),
          package: 'deb',
        },
      ],
    );
    await logIn(home, { [near.host]: credentials });
    const into = ['--registry', `${near.host}/airgap`, '--plain-http', '--map', 'quay.io=other/quay'];
    await sealiftJson(home, 'import', ['import', 'artifacts', '--input', at('artifacts.tar'), ...into]);
    await generateInventory(tls.ca);
    node = await network.node({ defaultRoute: false });
    served = await serve();
    await mkdir(at('node'));
    const places = { folder: at('node'), inventory: at('inventory/hosts.ini'), vaultPassword: at('vault-password') };
    kubespray = await kubesprayNode(node, places);
    await kubespray.play(at('inventory/prepare-nodes.yml'));
    await writeFile(
      at('variables.yml'),
      variablesPlaybook(at('variables.json'), ['containerd_registries_mirrors', 'containerd_registry_auth']),
    );
    await kubespray.play(at('variables.yml'));
    variables = JSON.parse(await readFile(at('variables.json'), 'utf8')) as RegistryVariables;
  });

  afterAll(async () => {
    await kubespray?.[Symbol.asyncDispose]();
    await served?.kill();
    await node?.[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
    await home?.remove();
    await Promise.all([temporal?.stop(), near?.stop()]);
    await folder?.remove();
  });

  async function generateInventory(ca: string): Promise<void> {
    await writeFile(at('registry-password'), `${credentials.password}\n`);
    await writeFile(at('vault-password'), 'of the vault\n');
    const options = [
      `files-url=${filesUrl}`,
      `registry-user=${credentials.user}`,
      `registry-password-file=${at('registry-password')}`,
    ].flatMap((option) => ['--option', option]);
    const command = ['generate', 'node-config', '--for', 'kubespray', '--input', at('artifacts.tar')];
    const from = ['--registry', `${registry}/airgap`, '--map', 'quay.io=other/quay', '--ca-file', ca];
    await sealiftJson(home, 'node-config', [...command, ...from, ...options, '--output', at('inventory')]);
    await encryptWithVault(at('inventory/group_vars/all/registry-credentials.yml'), at('vault-password'));
    await writeFile(at('inventory/hosts.ini'), 'node1\n');
  }

  /** `sealift serve` on the far side, ready when the node gets an answer. */
  function serve(): Promise<RunningProcess> {
    const sealift = join(projectRoot, 'bin', 'sealift');
    const args = ['serve', '--input', at('artifacts.tar'), '--listen', '0.0.0.0:8080'];
    const [command, all] = network.farSide(sealift, ...args);
    const asked = node.inside('curl', '--fail', '--silent', '--output', '/dev/null', `${filesUrl}/healthz`);
    const ready = async (): Promise<boolean> => (await run(...asked)).code === 0;
    return startProcess({ command, args: all, env: home.env, ready });
  }

  it('has no way to anything but the far side', async () => {
    const { code, stderr } = await kubespray.run('curl', '--silent', '--show-error', 'http://192.0.2.1/');
    expect([code, stderr]).toEqual([7, expect.stringMatching(/unreachable|connect/)]);
  });

  describe.each(['debian', 'pinned'] as const)('with what prepare-nodes.yml put there (containerd: %s)', (build) => {
    // as for containerd 2: Kubespray gives its configuration no credentials
    beforeAll(() => kubespray.configureContainerd(withoutAccounts(variables), build));

    it.each([
      ['as an image of the private registry', 'registry.k8s.io/pause:3.10', `${registry}/airgap/pause:3.10`],
      ['under a name of Docker Hub', 'docker.io/library/nginx:1.30', 'docker.io/library/nginx:1.30'],
      [
        'from a registry that lies in a project of its own',
        'quay.io/calico/node:v3.31.7',
        'quay.io/calico/node:v3.31.7',
      ],
    ] as const)('pulls %s', async (_what, reference, name) => {
      await expectPulled(name, reference);
    });

    it.each(['registry.k8s.io/absent:1', 'nobody.example.test/absent:1', `${registry}/airgap/absent:1`])(
      'is told that %s is not there, not that it has no way to the internet',
      async (name) => {
        const { code, stderr } = await kubespray.pull(name);
        expect([code, stderr]).toEqual([1, expect.stringMatching(/absent:1: not found$/m)]);
        expect(stderr).not.toMatch(/lookup|dial|x509/);
      },
    );

    it('lets nobody but root read the password', async () => {
      const { stdout } = await kubespray.run('find', '/etc/containerd/certs.d', '-name', 'hosts.toml', '-perm', '/077');
      // Kubespray's own is for root's group too
      expect(stdout.trim()).toBe(`/etc/containerd/certs.d/${registry}/hosts.toml`);
    });
  });

  describe("with Kubespray's variables alone", () => {
    beforeAll(() => kubespray.run('sh', '-c', 'rm -r /etc/containerd/certs.d/*/'));

    it.each(['debian', 'pinned'] as const)(
      'pulls images of the private registry with the header (containerd: %s)',
      async (build) => {
        await kubespray.configureContainerd(withoutAccounts(variables), build);
        await expectPulled(`${registry}/airgap/library/nginx:1.30`, 'docker.io/library/nginx:1.30');
      },
    );

    it('pulls images of the private registry with what containerd 1 has in config.toml', async () => {
      await kubespray.configureContainerd(withoutHeaders(variables));
      await expectPulled(`${registry}/other/quay/calico/node:v3.31.7`, 'quay.io/calico/node:v3.31.7');
    });

    it('is told when the password is not in either', async () => {
      await kubespray.configureContainerd(withoutHeaders(withoutAccounts(variables)));
      const { code, stderr } = await kubespray.pull(`${registry}/airgap/absent:1`);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/401|authorization/i)]);
    });
  });

  async function expectPulled(name: string, reference: keyof typeof images): Promise<void> {
    const { code, stdout, stderr } = await kubespray.pull(name);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`${name.replace(/:[^:/]+$/, '')}@${images[reference].root.digest}`);
  }

  it('downloads files and packages from the far side', async () => {
    const kubelet = `${filesUrl}/dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet`;
    expect(await kubespray.run('curl', '--fail', '--silent', kubelet)).toMatchObject({ code: 0, stdout: 'a kubelet' });
    // nothing of the machine's own apt counts: the folders of its state are the node's
    await kubespray.run('sh', '-c', 'mkdir -p /var/lib/apt/lists/partial /var/lib/dpkg && touch /var/lib/dpkg/status');
    const apt = ['apt-get', '-o', `Dir::Cache=${at('node/cache')}`, '-o', 'APT::Sandbox::User=root'];
    await mkdir(at('node/cache/archives/partial'), { recursive: true });
    const updated = await kubespray.run(...apt, '--error-on=any', 'update');
    expect(updated, updated.stderr).toMatchObject({ code: 0 });
    const got = await kubespray.run(...apt, '--yes', '--download-only', 'install', 'far-ipset');
    expect(got, got.stderr).toMatchObject({ code: 0 });
    expect(await readdir(at('node/cache/archives'))).toContain('far-ipset_1.0_all.deb');
  });
});

/** For a node whose configuration of containerd has no place for credentials. */
function withoutAccounts({ containerd_registries_mirrors }: RegistryVariables): RegistryVariables {
  return { containerd_registries_mirrors };
}

/** As a Kubespray sees them that does not know headers yet. */
function withoutHeaders(variables: RegistryVariables): RegistryVariables {
  const mirrors = variables.containerd_registries_mirrors.map((one) => ({
    ...one,
    mirrors: one.mirrors.map(({ header: _, ...mirror }) => mirror),
  }));
  return { ...variables, containerd_registries_mirrors: mirrors };
}
