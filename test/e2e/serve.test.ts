import { hash } from 'bcryptjs';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildDeb, buildWheel } from '../../core/trees/testing.ts';
import { isolatedApt } from '../helpers/apt.ts';
import { generateCertificates, type Certificates } from '../helpers/certificates.ts';
import { startContainerd, type TestContainerd } from '../helpers/containerd.ts';
import { randomBuffer } from '../helpers/content.ts';
import { logIn } from '../helpers/docker-config.ts';
import { generateSigningKey, type SigningKey } from '../helpers/gpg.ts';
import {
  generateArtifact,
  generateChart,
  generateChartArchive,
  generateImage,
  generateTagAttachment,
} from '../helpers/images.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { findTool, requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { run, runOk, type Finished } from '../helpers/processes.ts';
import { createSealiftHome, startSealift, type RunningSealift, type SealiftHome } from '../helpers/sealift.ts';
import { writeBundle, type BundledFile } from '../helpers/write-bundle.ts';

// The clients that people have, against a bundle that nobody imported anywhere.

const app = generateImage({ seed: 'app', layers: [1000, 300_000], platforms: ['linux/amd64', 'linux/arm64'] });
const web = generateImage({ seed: 'web', layers: [5000], format: 'docker' });
const delta = generateImage({ seed: 'delta', layers: [100] });
const sbom = generateArtifact({
  artifactType: 'application/spdx+json',
  files: [{ title: 'sbom.json', mediaType: 'application/spdx+json', bytes: Buffer.from('{}') }],
  subject: app.root,
});
const signature = generateTagAttachment(app.root.digest, 'sig');
/** much more than the kernel buffers of a connection */
const kubectl = randomBuffer('kubectl', 40_000_000);
const credentials = { user: 'anna', password: 'far side' };

let home: SealiftHome;
let signer: SigningKey;
let folder: TemporaryFolder;
let inputs: string[];
let wheels: { name: string; bytes: Uint8Array }[];
let certificates: Certificates;
let htpasswd: string;
const servers: RunningSealift[] = [];

beforeAll(async () => {
  folder = await temporaryFolder('serve');
  signer = await generateSigningKey(join(folder.path, 'gnupg'));
  home = await createSealiftHome(signer.env);
  wheels = [
    await buildWheel(folder.path, { name: 'far_app', version: '3.0', requires: ['far_lib>=1'] }),
    await buildWheel(folder.path, { name: 'far_lib', version: '1.2' }),
  ];
  inputs = ['artifacts.tar', 'delta.tar'].map((name) => join(folder.path, name));
  await writeBundle(
    inputs[0]!,
    [
      {
        reference: 'registry.k8s.io/team/app:v1',
        image: app,
        attached: [{ image: sbom }, { image: signature.image, tag: signature.tag }],
      },
      { reference: 'docker.io/library/web:1.25', image: web },
      {
        reference: 'quay.io/charts/demo:1.0.0',
        kind: 'chart',
        image: generateChart({ name: 'demo', version: '1.0.0' }),
      },
    ],
    [
      { url: 'https://dl.example/release/v1/kubectl', bytes: kubectl },
      {
        url: 'https://charts.example/other-2.0.0.tgz',
        bytes: generateChartArchive({ name: 'other', version: '2.0.0' }),
        package: 'helm',
      },
    ],
  );
  const debs = [
    { Package: 'far-app', Version: '3.0+far~1', Architecture: 'all', Depends: 'far-lib (>= 1.0)' },
    { Package: 'far-lib', Version: '1.2', Architecture: 'all' },
  ];
  const packages: BundledFile[] = [];
  for (const fields of debs) {
    const bytes = await buildDeb(folder.path, fields);
    packages.push({ url: `https://deb.example/pool/${fields.Package}.deb`, bytes, package: 'deb' });
  }
  for (const { name, bytes } of wheels)
    packages.push({ url: `https://wheels.example/${name}`, bytes, package: 'python' });
  await writeBundle(inputs[1]!, [{ reference: 'quay.io/late/delta:v2', image: delta }], packages);
  await mkdir(join(folder.path, 'tls'));
  certificates = await generateCertificates(join(folder.path, 'tls'));
  htpasswd = join(folder.path, 'htpasswd');
  await writeFile(htpasswd, `${credentials.user}:${await hash(credentials.password, 5)}\n`);
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.kill();
    await server.done;
  }
});

afterAll(async () => {
  await signer?.stop();
  await home?.remove();
  await folder?.remove();
});

/** Serves both bundles. @returns the process and `127.0.0.1:PORT` */
async function serve(...options: string[]): Promise<{ running: RunningSealift; host: string; url: string }> {
  const given = inputs.flatMap((input) => ['--input', input]);
  const args = ['serve', ...given, '--listen', '127.0.0.1:0', '--output-format', 'json', ...options];
  const running = startSealift(args, { home });
  servers.push(running);
  let ended: Finished | undefined;
  void running.done.then((finished) => (ended = finished));
  while (!running.stdout().endsWith('}\n')) {
    if (ended !== undefined) throw new Error(`serve ended with ${ended.code}: ${ended.stderr}`);
    await sleep(20);
  }
  const { url } = parseOutput('serve', running.stdout()) as { url: string };
  return { running, url, host: new URL(url).host };
}

async function tool(name: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  return runOk(await requireTool(name), args, { env: { ...home.env, ...env }, cwd: folder.path });
}

function sha256(content: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** Writes hosts.toml for every registry. @returns the folder for `ctr --hosts-dir` */
async function hostsFolder(name: string, lines: string[]): Promise<string> {
  const hosts = join(folder.path, name);
  await mkdir(join(hosts, '_default'), { recursive: true });
  await writeFile(join(hosts, '_default', 'hosts.toml'), `${lines.join('\n')}\n`);
  return hosts;
}

describe('from a served bundle', () => {
  it('crane, skopeo, oras and regctl pull', async () => {
    const { host } = await serve();
    expect((await tool('crane', ['digest', '--insecure', `${host}/team/app:v1`])).trim()).toBe(app.root.digest);
    await tool('crane', ['pull', '--insecure', `${host}/team/app:v1`, 'crane.tar']);
    expect((await tool('crane', ['digest', '--insecure', `${host}/late/delta:v2`])).trim()).toBe(delta.root.digest);
    const copy = ['copy', '--all', '--preserve-digests', '--insecure-policy', '--src-tls-verify=false'];
    await tool('skopeo', [...copy, `docker://${host}/library/web:1.25`, 'dir:skopeo']);
    expect(sha256(await readFile(join(folder.path, 'skopeo', 'manifest.json')))).toBe(web.root.digest);
    const file = `${host}/sealift/files/dl.example/release/v1:kubectl`;
    await tool('oras', ['pull', '--plain-http', '-o', 'oras', file]);
    expect(sha256(await readFile(join(folder.path, 'oras', 'kubectl')))).toBe(sha256(kubectl));
    expect(await tool('oras', ['discover', '--plain-http', `${host}/team/app:v1`])).toContain(sbom.root.digest);
    await tool('regctl', [
      ...['--host', `reg=${host},tls=disabled`, 'image', 'copy', '--referrers', '--digest-tags'],
      ...[`${host}/team/app:v1`, 'ocidir://regctl:v1'],
    ]);
    const tags = await tool('regctl', ['tag', 'ls', 'ocidir://regctl']);
    expect(tags).toContain(signature.tag);
  });

  it('helm pulls, by registry and by repository', async () => {
    const { host, url } = await serve();
    await tool('helm', ['pull', `oci://${host}/charts/demo`, '--version', '1.0.0', '--plain-http']);
    await tool('helm', ['repo', 'add', 'far', `${url}/helm`]);
    for (const name of ['far/demo', 'far/other']) expect(await tool('helm', ['template', name])).toContain('ConfigMap');
    expect(await tool('helm', ['template', 'demo-1.0.0.tgz'])).toContain('ConfigMap');
  });

  it('apt and pip install, with what a package depends on', async () => {
    const { url } = await serve('--deb-signing-key', signer.name);
    const root = join(folder.path, 'root');
    const key = join(folder.path, 'key.asc');
    await writeFile(key, await (await fetch(`${url}/debian/sealift-archive-keyring.asc`)).text());
    const apt = await isolatedApt(root, `deb [signed-by=${key}] ${url}/debian ./`);
    await apt('--error-on=any', 'update');
    await apt('--yes', '--download-only', 'install', 'far-app');
    expect((await readdir(join(root, 'var/cache/apt/archives'))).sort()).toEqual([
      ...['far-app_3.0+far~1_all.deb', 'far-lib_1.2_all.deb', 'lock', 'partial'],
    ]);
    const index = ['--index-url', `${url}/pypi/simple/`, '--no-cache-dir', '--disable-pip-version-check'];
    await tool('python3', ['-m', 'pip', 'download', '-d', 'wheels', ...index, 'far_app==3.0']);
    expect((await readdir(join(folder.path, 'wheels'))).sort()).toEqual(wheels.map(({ name }) => name).sort());
  });

  it('curl goes on where it broke off', async () => {
    const { url } = await serve();
    const partial = join(folder.path, 'kubectl');
    await writeFile(partial, kubectl.subarray(0, 3_000_001));
    const address = `${url}/dl.example/release/v1/kubectl`;
    const got = await tool('curl', ['-sS', '-C', '-', '-o', partial, '-w', '%{http_code} %{size_download}', address]);
    expect(got).toBe(`206 ${kubectl.length - 3_000_001}`);
    expect(sha256(await readFile(partial))).toBe(sha256(kubectl));
  });

  it('every test of the OCI conformance suite for pulling passes', async ({ skip }) => {
    const suite = await findTool('oci-conformance');
    if (suite === undefined) {
      return skip('no oci-conformance on PATH: the Go proxy does not serve its module; build it from its repository');
    }
    const { host } = await serve();
    const env = {
      OCI_REGISTRY: host,
      OCI_TLS: 'disabled',
      OCI_REPO1: 'team/app',
      OCI_API_PUSH: 'false',
      OCI_API_BLOBS_DELETE: 'false',
      OCI_API_MANIFESTS_DELETE: 'false',
      OCI_API_TAGS_DELETE: 'false',
      OCI_RO_DATA_TAGS: `v1 ${signature.tag}`,
      OCI_RO_DATA_MANIFESTS: app.manifests.map(({ digest }) => digest).join(' '),
      OCI_RO_DATA_BLOBS: app.blobs.map(({ digest }) => digest).join(' '),
      OCI_RO_DATA_REFERRERS: app.root.digest,
    };
    // it crashes while it writes its report file after a read-only run, so what it says counts and not its exit code
    const { stdout } = await run(suite, [], { env: { ...home.env, ...env }, cwd: folder.path });
    expect(stdout).toMatch(/^OCI Conformance Result: Pass$/m);
    expect(stdout).toMatch(/^ {2}FAIL\.+: +0$/m);
  });
});

describe('containerd', () => {
  let containerd: TestContainerd | string;
  beforeAll(async () => {
    containerd = await startContainerd(folder.path);
  });
  afterAll(async () => {
    if (typeof containerd !== 'string') await containerd?.process.stop();
  });

  it('pulls under the original names', async ({ skip }) => {
    if (typeof containerd === 'string') return skip(containerd);
    const { url } = await serve();
    const hosts = await hostsFolder('plain', [`server = "${url}"`, `[host."${url}"]`, 'capabilities = ["pull"]']);
    const ctr = ['--address', containerd.address];
    const pull = ['images', 'pull', '--hosts-dir', hosts, '--snapshotter', 'native', '--platform', 'linux/amd64'];
    await tool('ctr', [...ctr, ...pull, 'registry.k8s.io/team/app:v1']);
    await tool('ctr', [...ctr, 'content', 'fetch', '--hosts-dir', hosts, 'docker.io/library/web:1.25']);
    const listed = await tool('ctr', [...ctr, 'images', 'list']);
    expect(listed).toContain(app.root.digest);
    expect(listed).toContain(web.root.digest);
    const absent = [...ctr, 'content', 'fetch', '--hosts-dir', hosts, 'ghcr.io/library/web:1.25'];
    const { code, stderr } = await run(await requireTool('ctr'), absent, { env: home.env });
    expect([code, stderr]).toEqual([1, expect.stringContaining('ghcr.io/library/web:1.25: not found')]);
  });

  it('pulls below a path, with a private authority and a password', async ({ skip }) => {
    if (typeof containerd === 'string') return skip(containerd);
    const { url } = await serve(...secured(), '--namespace', 'mirror/k8s');
    const place = `${url}/v2/mirror/k8s`;
    const common = ['override_path = true', `ca = "${certificates.ca}"`];
    const host = [`[host."${place}"]`, 'capabilities = ["pull", "resolve"]', ...common];
    const hosts = await hostsFolder('secured', [`server = "${place}"`, ...common, ...host]);
    const fetching = ['--address', containerd.address, 'content', 'fetch', '--hosts-dir', hosts];
    const login = ['--user', `${credentials.user}:${credentials.password}`];
    await tool('ctr', [...fetching, ...login, 'quay.io/late/delta:v2']);
    expect(await tool('ctr', ['--address', containerd.address, 'images', 'list'])).toContain(delta.root.digest);
  });
});

function secured(): string[] {
  const { certificate, key } = certificates;
  return ['--tls-cert', certificate, '--tls-key', key, '--htpasswd', htpasswd];
}

describe('with TLS and a password', () => {
  it('clients that have both get in, and no others', async () => {
    const { host, url } = await serve(...secured());
    const trust = { SSL_CERT_FILE: certificates.ca };
    const digest = ['digest', `${host}/team/app:v1`];
    const refused = await run(await requireTool('crane'), digest, { env: { ...home.env, ...trust } });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/UNAUTHORIZED|401/)]);
    await logIn(home, { [host]: credentials });
    expect((await tool('crane', digest, trust)).trim()).toBe(app.root.digest);
    const curl = ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', certificates.ca];
    expect(await tool('curl', [...curl, `${url}/dl.example/release/v1/kubectl`])).toBe('401');
    const user = `${credentials.user}:${credentials.password}`;
    expect(await tool('curl', [...curl, '-u', user, `${url}/dl.example/release/v1/kubectl`])).toBe('200');
    expect(await tool('curl', [...curl, '-u', `${user}x`, `${url}/metrics`])).toBe('401');
  });
});

describe('the command', () => {
  it('lets a download finish when it is told to stop, and ends with 0', async () => {
    const { running, url } = await serve('--access-log');
    const slow = tool('curl', ['-sS', '--limit-rate', '20M', '-o', 'slow', `${url}/dl.example/release/v1/kubectl`]);
    // the download, and the one that asks
    while (!(await metrics(url)).includes('sealift_serve_requests_in_flight 2\n')) await sleep(20);
    running.interrupt();
    await slow;
    const { code, stderr } = await running.done;
    expect([code, sha256(await readFile(join(folder.path, 'slow')))]).toEqual([0, sha256(kubectl)]);
    const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ path: '/dl.example/release/v1/kubectl', status: 200 });
  });

  it.each([
    ['no bundle', ['--input', 'none.tar'], 5, 'FileMissing'],
    ['a key alone', ['--tls-key', 'x'], 2, 'InvalidInput'],
    ['a certificate that is none', ['--tls-cert', 'bad.txt', '--tls-key', 'bad.txt'], 2, 'InvalidInput'],
    ['a password file that is none', ['--htpasswd', 'bad.txt'], 2, 'bad.txt:1'],
    ['an address that is none', ['--listen', '127.0.0.1'], 2, 'HOST:PORT'],
    ['an address of nobody here', ['--listen', '192.0.2.1:5000'], 2, 'listen 192.0.2.1:5000'],
  ])('refuses %s', async (_what, options, exitCode, text) => {
    await writeFile(join(folder.path, 'bad.txt'), 'nonsense\n');
    const args = ['serve', '--input', inputs[0]!, '--listen', '127.0.0.1:0', ...options];
    const { code, stderr } = await startSealift(args, { home, cwd: folder.path }).done;
    expect([code, stderr]).toEqual([exitCode, expect.stringContaining(text)]);
  });
});

async function metrics(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}
