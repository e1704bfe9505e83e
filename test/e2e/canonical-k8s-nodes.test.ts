import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillCanonicalUpstream, type CanonicalUpstream } from '../helpers/canonical-upstream.ts';
import { generateCertificates, type Certificates } from '../helpers/certificates.ts';
import { startContainerd, type ContainerdBuild } from '../helpers/containerd.ts';
import { locationOf } from '../helpers/kubeflow-upstream.ts';
import {
  createNodeNetwork,
  farPorts,
  nodeNetworkUnavailable,
  registryName,
  type NodeNetwork,
} from '../helpers/node-network.ts';
import { findTool, requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { run, runOk, startProcess, type RunningProcess } from '../helpers/processes.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

// Nodes that reach nothing but the private registry pull what an import has put there, through the hosts.toml made for them.

const unavailable =
  (await findTool('mksquashfs')) === undefined ? 'apt-get install squashfs-tools' : await nodeNetworkUnavailable();
const plainPort = 5080;

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let certificates: Certificates;
let upstream: TestRegistry;
let made: CanonicalUpstream;
let network: NodeNetwork;
let plainRegistry: RunningProcess;
let tar: string;
const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  if (unavailable !== undefined) return;
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('canonical-nodes');
  certificates = await generateCertificates(folder.path, 2, [registryName]);
  upstream = await startRegistry({ kind: 'distribution' });
  made = await fillCanonicalUpstream(folder.path, upstream.url);
  tar = at('artifacts.tar');
  const hosts = new Set([...made.digests.keys()].map((reference) => locationOf(reference).host));
  const pullFrom = [...hosts].flatMap((host) => ['--pull-from', `${host}=${upstream.url}`]);
  await sealiftJson(home, 'export', ['export', 'artifacts', '--output', tar, '-f', made.list, ...pullFrom]);
  // one storage with a door for Sealift here, which has Temporal at hand, and doors for nodes on the far side
  await using registry = await startRegistry({ kind: 'distribution', tls: certificates, dir: at('storage') });
  for (const [namespace, ...map] of [[''], ['/my/own', '--map', 'ghcr.io=my/own/ghcr.io']]) {
    const target = ['--registry', `${registry.host}${namespace}`, '--ca-file', certificates.ca, ...map];
    await sealiftJson(home, 'import', ['import', 'artifacts', '--input', tar, ...target]);
  }
  network = await createNodeNetwork(certificates, { dir: at('storage') });
  plainRegistry = await startPlainRegistry();
});

afterAll(async () => {
  await plainRegistry?.stop();
  await network?.[Symbol.asyncDispose]();
  await home?.remove();
  await Promise.all([temporal?.stop(), upstream?.stop()]);
  await folder?.remove();
});

/** The same storage over HTTP, on the far side. */
async function startPlainRegistry(): Promise<RunningProcess> {
  const config = at('plain.json');
  const storage = { filesystem: { rootdirectory: at('storage') } };
  await writeFile(config, JSON.stringify({ version: '0.1', storage, http: { addr: `0.0.0.0:${plainPort}` } }));
  const [command, args] = network.farSide(await requireTool('registry'), 'serve', config);
  const asked = network.farSide('curl', '--silent', '--fail', `http://127.0.0.1:${plainPort}/v2/`);
  return startProcess({ command, args, ready: async () => (await run(...asked)).code === 0 });
}

interface Form {
  form: string;
  registry: string;
  options: () => string[];
}

const trusting = (): string[] => ['--ca-file', certificates.ca];
const forms: Form[] = [
  { form: 'HTTP', registry: `${registryName}:${plainPort}`, options: () => ['--plain-http'] },
  { form: 'HTTPS with a private CA', registry: `${registryName}:${farPorts.registry}`, options: trusting },
  {
    form: 'a nested path',
    registry: `${registryName}:${farPorts.registry}/my/own`,
    options: () => [...trusting(), '--map', 'ghcr.io=my/own/ghcr.io'],
  },
];
const cases = (['debian', 'pinned'] as const).flatMap((build: ContainerdBuild) =>
  forms.map((form) => ({ build, ...form })),
);

describe.skipIf(unavailable !== undefined)(`nodes of Canonical Kubernetes (${unavailable ?? 'in namespaces'})`, () => {
  it.for(cases)('pull with containerd ($build): $form', async ({ build, form, registry, options }, { skip }) => {
    const base = at(`${build}-${form.replaceAll(' ', '-')}`);
    // what containerd reads lies below a base directory, so that its absolute paths are true on this machine
    const tree = ['--output', `${base}-tree`, '--option', `containerd-base-dir=${base}`, '--registry', registry];
    const generate = ['generate', 'node-config', '--for', 'canonical-k8s', '--mode', 'mirror', '--input', tar];
    await sealiftJson(home, 'node-config', [...generate, ...tree, ...options()]);
    await runOk('cp', ['-rT', join(`${base}-tree`, 'root', base), base]);
    const hostsDir = join(base, 'etc/containerd/hosts.d');
    await using node = await network.node();
    const started = await startContainerd(base, { build, hostsDir, inside: node.inside });
    if (typeof started === 'string') return skip(started);
    await using containerd = started;
    const fetching = ['-n', 'fetched', 'content', 'fetch', '--hosts-dir', hostsDir];

    expect((await run(...node.inside('curl', '--silent', `${upstream.url}/v2/`))).code).not.toBe(0);
    for (const [reference, digest] of made.digests) {
      const { host, repository } = locationOf(reference);
      const pulled = await containerd.criPull(reference);
      expect(pulled, reference).toMatchObject({ code: 0 });
      expect(pulled.stdout).toContain(`${host}/${repository}@${digest}`);
      const fetched = await containerd.ctr(...fetching, reference);
      expect(fetched, reference).toMatchObject({ code: 0 });
      expect(fetched.stdout).toContain(digest);
    }
    // in an origin that is mirrored, and in one that only _default speaks of: what the registry says, and nothing of an origin
    for (const absent of ['ghcr.io/canonical/absent:1', 'quay.example.test/absent/other:1']) {
      for (const { code, stderr } of [await containerd.criPull(absent), await containerd.ctr(...fetching, absent)]) {
        expect(code).toBe(1);
        expect(stderr).toMatch(new RegExp(`${absent}: not found$`, 'm'));
        expect(stderr).not.toMatch(/lookup|dial|x509/);
      }
    }
  });
});
