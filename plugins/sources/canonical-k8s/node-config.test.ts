import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BillItem, BillOfMaterials } from '../../../contracts/bill-of-materials.ts';
import type { GeneratedFile, NodeConfigRequest } from '../../../contracts/source-plugin.ts';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { temporaryFolder, type TemporaryFolder } from '../../../test/helpers/paths.ts';
import { run, type Finished } from '../../../test/helpers/processes.ts';
import { generateNodeConfig } from './node-config.ts';

const coredns = 'ghcr.io/canonical/coredns:1.12.0-ck1';
const registry = { host: 'r.test:5000', prefix: 'my/own', plainHttp: false, map: {} };

function request(fields: Partial<NodeConfigRequest>): NodeConfigRequest {
  return { images: [coredns], options: {}, ...fields };
}

function bill(...names: string[]): BillOfMaterials {
  const items = names.map((name): BillItem => ({
    ...{ kind: 'file', name, reference: `file:///snaps/${name}`, digest: `sha256:${'0'.repeat(64)}` },
    ...{ destination: `sealift/files/snaps:${name}`, origin: '', size: 1, source: 'canonical-k8s', package: 'snap' },
  }));
  return { schemaVersion: 1, sources: [], platforms: [], items, skipped: [] };
}

const allSnaps = bill('core22.assert', 'core22.snap', 'k8s.assert', 'k8s.snap');

async function generated(fields: Partial<NodeConfigRequest>, files: Record<string, string> = {}) {
  const context = memoryContext(files);
  const tree = await generateNodeConfig(request(fields), context);
  return { tree, warnings: context.warnings, paths: tree.map(({ path }) => path) };
}

function contentOf(tree: GeneratedFile[], path: string): string {
  const file = tree.find((one) => one.path === path);
  if (file === undefined || !('content' in file)) throw new Error(`${path} is not there`);
  return file.content;
}

describe('mode proxy', () => {
  const path = 'root/etc/systemd/system/snap.k8s.containerd.service.d/http-proxy.conf';

  it('writes the documented drop-in, in both spellings', async () => {
    const { tree, warnings } = await generated({
      mode: 'proxy',
      options: { 'https-proxy': ['http://p.test:3128/%41'] },
    });
    const lines = contentOf(tree, path).split('\n');
    expect(lines[0]).toBe('[Service]');
    expect(lines).toContain('Environment="HTTPS_PROXY=http://p.test:3128/%%41"');
    expect(lines).toContain('Environment="http_proxy=http://p.test:3128/%%41"');
    expect(lines.find((line) => line.includes('NO_PROXY'))).toMatch(/10\.1\.0\.0\/16,10\.152\.183\.0\/24/);
    expect(warnings).toEqual([expect.stringContaining('no k8s snap')]);
  });

  it.each([
    [{}, 'https-proxy'],
    [{ 'https-proxy': ['p.test:3128'] }, 'https-proxy'],
    [{ 'https-proxy': ['http://p.test:1"\nEnvironment="X=1'] }, 'https-proxy'],
    [{ 'https-proxy': ['http://a', 'http://b'] }, 'several times'],
    [{ 'https-proxy': ['http://p.test:1'], 'no-proxy': ['a b'] }, 'no-proxy'],
    [{ 'https-proxy': ['http://p.test:1'], platform: ['linux/amd64'] }, 'mode sideload'],
  ])('refuses %j', async (options: Record<string, string[]>, said) => {
    await expect(generated({ mode: 'proxy', options })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining(said),
    });
  });

  it('refuses a password without telling it', async () => {
    const error: unknown = await generated({
      mode: 'proxy',
      options: { 'https-proxy': ['http://me:secret@p.test'] },
    }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'InvalidInput' });
    expect(String(error)).not.toContain('secret');
  });
});

describe('mode mirror', () => {
  it('needs a registry, and says when it knows no image', async () => {
    await expect(generated({ mode: 'mirror' })).rejects.toMatchObject({
      problem: { remedy: expect.stringContaining('--registry') },
    });
    const { warnings } = await generated({ mode: 'mirror', images: [], registry });
    expect(warnings).toContainEqual(expect.stringContaining('no image is known'));
  });

  it('has a folder for every origin, the registry and all others, below the base directory', async () => {
    const images = [coredns, 'nginx', 'r2.test:99/a:1'];
    const { paths, tree } = await generated({
      ...{ mode: 'mirror', images, registry: { ...registry, ca: 'PEM' } },
      options: { 'containerd-base-dir': ['/ck8s/'] },
    });
    const hosts = ['_default', 'docker.io', 'ghcr.io', 'r.test_5000_', 'r2.test_99_'];
    expect(paths).toEqual([
      ...['cluster-config.yaml', 'install.sh', 'join-config.yaml', 'regsync.yaml'],
      ...hosts.flatMap((host) =>
        ['ca.crt', 'hosts.toml'].map((name) => `root/ck8s/etc/containerd/hosts.d/${host}/${name}`),
      ),
    ]);
    expect(contentOf(tree, 'root/ck8s/etc/containerd/hosts.d/ghcr.io/hosts.toml')).toContain(
      'ca = "/ck8s/etc/containerd/hosts.d/ghcr.io/ca.crt"',
    );
    expect(contentOf(tree, 'cluster-config.yaml')).toMatch(/^containerd-base-dir: \/ck8s$/m);
  });

  it.each(['ck8s', '/a/../b', '/a b', "/a'"])('refuses the base directory %s', async (folder) => {
    const options = { 'containerd-base-dir': [folder] };
    await expect(generated({ mode: 'mirror', registry, options })).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it('adds an Authorization header from a file, for its owner only, and never tells it', async () => {
    const options = { 'auth-header': ['/auth'] };
    const { tree } = await generated({ mode: 'mirror', registry, options }, { '/auth': 'Basic c2VjcmV0\n' });
    const file = tree.find(({ path }) => path.endsWith('ghcr.io/hosts.toml'));
    expect(file).toMatchObject({
      secret: true,
      content: expect.stringContaining('Authorization = ["Basic c2VjcmV0"]'),
    });
    const refused: unknown = await generated(
      { mode: 'mirror', registry, options },
      { '/auth': 'c2VjcmV0\nX: y' },
    ).catch((error: unknown) => error);
    expect(refused).toMatchObject({ type: 'InvalidInput' });
    expect(String(refused)).not.toContain('c2VjcmV0');
  });

  it('says the same to regsync', async () => {
    const { tree } = await generated({ mode: 'mirror', registry: { ...registry, plainHttp: true } });
    expect(contentOf(tree, 'regsync.yaml')).toContain(
      `source: ${coredns}\n    target: r.test:5000/my/own/canonical/coredns:1.12.0-ck1\n    type: image`,
    );
    expect(contentOf(tree, 'regsync.yaml')).toContain('tls: disabled');
  });
});

describe('mode sideload', () => {
  it('has one tar an image, each under a name of its own, and the snaps', async () => {
    const images = ['r.test/a/b:1', 'r.test/a_b:1'];
    const { tree, warnings } = await generated({ mode: 'sideload', images, billOfMaterials: allSnaps });
    const folder = 'root/var/snap/k8s/common/images';
    expect(tree.filter((file) => 'image' in file)).toEqual([
      { path: `${folder}/r.test_a_b_1.tar`, image: 'r.test/a/b:1' },
      { path: `${folder}/r.test_a_b_1_2.tar`, image: 'r.test/a_b:1' },
    ]);
    expect(tree).toContainEqual({ path: 'snaps/k8s.snap', file: 'file:///snaps/k8s.snap' });
    expect(warnings).toEqual([]);
  });

  it('needs a bundle, and a platform that is one', async () => {
    await expect(generated({ mode: 'sideload' })).rejects.toMatchObject({
      problem: { remedy: expect.stringContaining('--input') },
    });
    const options = { platform: ['amd64'] };
    await expect(generated({ mode: 'sideload', billOfMaterials: allSnaps, options })).rejects.toMatchObject({
      type: 'InvalidInput',
    });
  });
});

// snapd can't run here: `snap`, `k8s` and `systemctl` are stand-ins that remember what they were asked, and what it changed.
describe('install.sh', () => {
  let folder: TemporaryFolder;
  const at = (name: string): string => join(folder.path, name);

  beforeEach(async () => {
    folder = await temporaryFolder('install');
    await mkdir(at('bin'));
    const log = `echo "$(basename "$0") $*" >>'${at('log')}'`;
    await tool('snap', [
      log,
      `name=$(basename "$2" .snap) files='${at('node/var/lib/snapd/snaps')}'`,
      'revision=$(sed -n "s/^snap-revision: //p" "${2%.snap}.assert" 2>/dev/null) || true',
      'case "$*" in',
      `"list "*) cd '${at('installed')}' 2>/dev/null && test -e "$2" || exit 1`,
      '  printf "Name Version Rev Tracking Publisher Notes\\n%s 1 %s - - -\\n" "$2" "$(cat "$2")" ;;',
      '*--dangerous) revision=x$(($(ls "$files" 2>/dev/null | wc -l) + 1)) ;;&',
      `"install "*) mkdir -p "$files" '${at('installed')}'`,
      '  cp "$2" "$files/${name}_$revision.snap"',
      `  echo "$revision" >'${at('installed')}'/"$name" ;;`,
      'esac',
    ]);
    await tool('k8s', [
      `if [ "$1" = local-node-status ]; then test -e '${at('member')}'; exit; fi`,
      log,
      `test ! -e '${at('broken')}' || exit 1`,
      `: >'${at('member')}'`,
    ]);
    await tool('systemctl', [log, `test ! -e '${at('broken')}'`]);
  });

  afterEach(() => folder.remove());

  async function tool(name: string, lines: string[]): Promise<void> {
    await writeFile(at(`bin/${name}`), `#!/bin/bash\n${lines.join('\n')}\n`, { mode: 0o755 });
  }

  /** @param revision of the snaps, which differ from those of every other */
  async function lay(tree: GeneratedFile[], revision = 7): Promise<void> {
    await rm(at('tree'), { recursive: true, force: true });
    for (const file of tree) {
      const path = at(`tree/${file.path}`);
      await mkdir(dirname(path), { recursive: true });
      const assertion = `type: snap-revision\nsnap-revision: ${revision}\n`;
      const carried = file.path.endsWith('.assert') ? assertion : `${file.path} ${revision}`;
      await writeFile(path, 'content' in file ? file.content : carried);
      await chmod(path, file.executable === true ? 0o755 : file.secret === true ? 0o600 : 0o644);
    }
  }

  function install(...args: string[]): Promise<Finished> {
    const env = { PATH: `${at('bin')}:/usr/sbin:/usr/bin:/sbin:/bin` };
    return run(at('tree/install.sh'), ['--root', at('node'), ...args], { env });
  }

  /** what changed anything since the last time it was asked */
  async function done(): Promise<string[]> {
    const lines = (await readFile(at('log'), 'utf8').catch(() => '')).split('\n');
    await rm(at('log'), { force: true });
    return lines
      .filter((line) => line !== '' && !line.startsWith('snap list'))
      .map((line) => line.replaceAll(folder.path, ''));
  }

  const images = 'var/snap/k8s/common/images';

  it('acknowledges, installs, places and bootstraps; a second run changes nothing', async () => {
    await lay((await generated({ mode: 'sideload', billOfMaterials: allSnaps })).tree);
    expect(await install('--address', '10.0.0.5')).toMatchObject({ code: 0, stderr: '' });
    expect(await done()).toEqual([
      ...['snap ack /tree/snaps/core22.assert', 'snap install /tree/snaps/core22.snap'],
      ...['snap ack /tree/snaps/k8s.assert', 'snap install /tree/snaps/k8s.snap --classic'],
      ...['systemctl daemon-reload', 'k8s bootstrap --address 10.0.0.5'],
    ]);
    const placed = at(`node/${images}/ghcr.io_canonical_coredns_1.12.0-ck1.tar`);
    const before = await stat(placed);
    // as containerd does with what it has read
    await rm(placed);
    await writeFile(
      `${placed}.loaded`,
      await readFile(at(`tree/root/${images}/ghcr.io_canonical_coredns_1.12.0-ck1.tar`)),
    );
    expect(before.mode & 0o777).toBe(0o644);
    const again = await install('--address', '10.0.0.5');
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).not.toContain('placed');
    expect(await done()).toEqual([]);
    await expect(stat(placed)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('refreshes snaps with newer ones, and leaves newer ones than its own alone', async () => {
    const { tree } = await generated({ mode: 'mirror', registry, billOfMaterials: allSnaps });
    await lay(tree, 7);
    await install('--no-cluster');
    await done();
    await lay(tree, 8);
    expect(await install('--no-cluster')).toMatchObject({ code: 0, stderr: '' });
    expect(await done()).toEqual([
      ...['snap ack /tree/snaps/core22.assert', 'snap install /tree/snaps/core22.snap'],
      ...['snap ack /tree/snaps/k8s.assert', 'snap install /tree/snaps/k8s.snap --classic'],
    ]);
    await lay(tree, 7);
    expect((await install('--no-cluster')).stdout).toContain('snap k8s is installed, revision 8\n');
    expect(await done()).toEqual([]);
    await lay((await generated({ mode: 'mirror', registry })).tree);
    expect(await install('--no-cluster')).toMatchObject({ code: 0, stderr: '' });
    expect(await done()).toEqual([]);
  });

  it('joins with a token out of a file, with the configuration of the base directory', async () => {
    const options = { 'containerd-base-dir': ['/ck8s'] };
    await lay((await generated({ mode: 'mirror', registry, billOfMaterials: allSnaps, options })).tree);
    await writeFile(at('token'), 'token-of-the-node\n');
    expect(await install('--join', at('token'))).toMatchObject({ code: 0, stderr: '' });
    expect((await done()).at(-1)).toBe('k8s join-cluster --file /tree/join-config.yaml token-of-the-node');
    expect(await readFile(at('node/ck8s/etc/containerd/hosts.d/ghcr.io/hosts.toml'), 'utf8')).toContain('my/own');
  });

  it('goes on where it failed, and restarts containerd of a node that is in its cluster', async () => {
    const proxy = (port: number) => ({ mode: 'proxy', options: { 'https-proxy': [`http://p.test:${port}`] } });
    await lay((await generated({ ...proxy(1), billOfMaterials: allSnaps })).tree);
    await writeFile(at('broken'), '');
    expect((await install()).code).not.toBe(0);
    expect((await done()).at(-1)).toBe('systemctl daemon-reload');
    await rm(at('broken'));
    expect((await install()).code).toBe(0);
    expect(await done()).toEqual(['systemctl daemon-reload', 'k8s bootstrap']);
    await lay((await generated({ ...proxy(2), billOfMaterials: allSnaps })).tree);
    expect((await install()).code).toBe(0);
    expect(await done()).toEqual(['systemctl daemon-reload', 'snap restart k8s.containerd']);
  });

  it('installs a snap without assertions as dangerous, and names a snap that is missing', async () => {
    await lay((await generated({ mode: 'mirror', registry, billOfMaterials: bill('k8s.snap') })).tree);
    expect((await install('--no-cluster')).code).toBe(0);
    const installed = ['snap install /tree/snaps/k8s.snap --classic --dangerous'];
    expect(await done()).toEqual(installed);
    expect((await install('--no-cluster')).stdout).toContain('snap k8s is installed, revision x1\n');
    expect(await done()).toEqual([]);
    await lay((await generated({ mode: 'mirror', registry, billOfMaterials: bill('k8s.snap') })).tree, 8);
    expect((await install('--no-cluster')).code).toBe(0);
    expect(await done()).toEqual(installed);
    await rm(at('installed'), { recursive: true });
    await lay((await generated({ mode: 'mirror', registry })).tree);
    expect(await install()).toMatchObject({ code: 1, stderr: expect.stringContaining('snaps/k8s.snap is missing') });
  });

  it('keeps a credential for its owner, and refuses what it does not know', async () => {
    const options = { 'auth-header': ['/auth'] };
    const fields = { mode: 'mirror', registry, billOfMaterials: allSnaps, options };
    await lay((await generated(fields, { '/auth': 'Basic c2VjcmV0' })).tree);
    expect((await install('--no-cluster')).code).toBe(0);
    expect((await stat(at('node/etc/containerd/hosts.d/ghcr.io/hosts.toml'))).mode & 0o777).toBe(0o600);
    expect(await install('--adress', 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('--adress') });
    expect(await install('--address')).toMatchObject({ code: 1, stderr: expect.stringContaining('needs a value') });
  });
});
