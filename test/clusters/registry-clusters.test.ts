import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateCertificates, type Certificates } from '../helpers/certificates.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { runSealift } from '../helpers/sealift.ts';
import { managedBy, ofVersion, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { serveClusterRelease } from '../lab/cluster-release.ts';
import { imagesInCluster } from '../lab/images-in-cluster.ts';
import { whyNotLong } from '../lab/long.ts';

const minutes = 60_000;
const credentials = { user: 'nodes', password: 'only-for-the-mirror' };
const namespaces = { 'public.ecr.aws': 'mirror/ecr', 'registry.k8s.io': 'mirror/k8s' };

/** A proxy that lets nothing through, and tells what it was asked for. */
interface ClosedProxy extends AsyncDisposable {
  url: string;
  asked: string[];
}

describe.skipIf(whyNotLong !== undefined)(`clusters out of a private registry alone ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let registry: TestRegistry;
  let proxy: ClosedProxy;
  let certificates: Certificates;
  let folder: TemporaryFolder;

  beforeAll(async () => {
    folder = await temporaryFolder('registry-clusters');
    certificates = await generateCertificates(folder.path);
    [registry, proxy] = await Promise.all([
      startRegistry({ kind: 'distribution', tls: certificates, htpasswd: credentials, accessLog: true }),
      closedProxy(),
    ]);
    ground = await startClusterGround({
      release: () => serveClusterRelease({ withPrograms: true }),
      env: {
        ...{ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1,localhost' },
        ...{ REGISTRY_USERNAME: credentials.user, REGISTRY_PASSWORD: credentials.password },
      },
    });
  }, 5 * minutes);
  afterAll(async () => {
    await ground[Symbol.asyncDispose]();
    await Promise.all([registry.stop(), proxy[Symbol.asyncDispose]()]);
    await folder.remove();
  });

  const succeed = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await ground.sealift(...args, '--ca-file', certificates.ca);
    expect({ code, said: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, said: '' });
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const specification = async (name: string, minor: string): Promise<string> => {
    const ca = (await readFile(certificates.ca, 'utf8')).trim().replaceAll('\n', '\n      ');
    const mirrors = Object.entries(namespaces).map(
      ([origin, namespace]) => `\n      - registry: ${origin}\n        namespace: ${namespace}`,
    );
    const mirror = `registryMirrorConfiguration:
    endpoint: 127.0.0.1
    port: "${registry.port}"
    authenticate: true
    ociNamespaces:${mirrors.join('')}
    caCertContent: |
      ${ca}
  datacenterRef:`;
    return ground.specification(name, [managedBy('admin'), ofVersion(minor), ['datacenterRef:', mirror]]);
  };
  const from = (): string[] => ['--registry', `${registry.host}/mirror`];

  it('refuses to begin while the mirror lacks images, and names them all', { timeout: 2 * minutes }, async () => {
    const file = await specification('admin', '1.34');
    const { code, stdout } = await runSealift(
      [
        ...['create', 'cluster', '-f', file, '--bundle', ground.bundle, '--on-failure', 'fail'],
        ...['--output-format', 'json', '--ca-file', certificates.ca],
      ],
      { home: ground.home },
    );
    expect(code).toBe(5);
    const { problems } = JSON.parse(stdout) as { problems: { message: string; remedy: string }[] };
    const missing = problems.filter(({ message }) => message.includes('the registry mirror lacks'));
    // the EKS Distro's four, kind's node, Cluster API's four, the tools
    expect(missing.length).toBe(10);
    for (const { remedy } of missing) expect(remedy).toContain('sealift import artifacts');
  });

  it(
    'creates, upgrades and deletes a management and a workload cluster, and asks nobody but the mirror',
    { timeout: 20 * minutes },
    async () => {
      const maps = Object.entries(namespaces).flatMap((pair) => ['--map', pair.join('=')]);
      await succeed('import', 'artifacts', '--input', ground.bundle, ...from(), ...maps);
      await rm(ground.bundle);
      const imported = registry.log().length;
      const inMirror = (images: { kind: string; image: string }[]): void => {
        expect(images).not.toEqual([]);
        expect(images.filter(({ image }) => !image.startsWith(`${registry.host}/mirror/`))).toEqual([]);
      };
      const workspace = join(ground.home.state, 'clusters', 'admin');

      await ground.lab.expectManagementCluster({ namespace: 'eksa-system', name: 'admin' });
      const bootstrap = watchBootstrap(workspace, join(ground.home.env['XDG_CACHE_HOME']!, 'sealift', 'programs'));
      const created = await succeed('create', 'cluster', '-f', await specification('admin', '1.34'), ...from());
      const seen = await bootstrap.stop();
      inMirror(seen.images);
      expect(seen.images.filter(({ kind }) => kind === 'Deployment')).toHaveLength(4);
      expect([...seen.programs].sort()).toEqual(['capi-core', 'clusterctl', 'etcd']);
      const { kubeconfig } = parseOutput('create-cluster', JSON.stringify(created)) as { kubeconfig: string };
      const byAdmin = ['--kubeconfig', kubeconfig];
      const shop = await specification('shop', '1.34');
      await succeed('create', 'cluster', '-f', shop, ...byAdmin, ...from());
      const before = await imagesInCluster(kubeconfig);
      inMirror(before);
      const kinds = new Set(before.map(({ kind }) => kind));
      expect([...kinds]).toEqual(expect.arrayContaining(['Deployment', 'KubeadmControlPlane', 'KubeadmConfig']));

      await succeed('upgrade', 'cluster', '-f', await specification('shop', '1.35'), ...byAdmin, ...from());
      await succeed('upgrade', 'cluster', '-f', await specification('admin', '1.35'), ...from());
      inMirror(await imagesInCluster(kubeconfig));

      await succeed('delete', 'cluster', 'shop', ...byAdmin);
      await succeed('delete', 'cluster', 'admin', ...from());
      expect(await ground.home.processes()).toEqual([]);
      expect(proxy.asked).toEqual([]);
      // what was taken out of it: bills, manifests, programs; and that its images are there
      const asked = registry.log().slice(imported);
      for (const part of ['sealift/bundles/tags', 'sealift/eks-anywhere/bundles/', 'mirror/k8s/cluster-api/']) {
        expect(asked).toContain(part);
      }
    },
  );
});

/** Looks again and again at a bootstrap cluster as long as there is one: what it names, and which programs of images run. */
function watchBootstrap(
  workspace: string,
  programs: string,
): { stop(): Promise<{ images: { kind: string; image: string }[]; programs: Set<string> }> } {
  const images = new Map<string, { kind: string; image: string }>();
  const running = new Set<string>();
  let isWanted = true;
  const look = async (): Promise<void> => {
    while (isWanted) {
      for (const found of await imagesInCluster(join(workspace, 'bootstrap.kubeconfig')).catch(() => [])) {
        images.set(`${found.kind} ${found.image}`, found);
      }
      for (const pid of await readdir('/proc')) {
        const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
        if (program.startsWith(`${programs}/`)) running.add(program.split('/').at(-1)!);
      }
      await sleep(500);
    }
  };
  const looking = look();
  return {
    async stop() {
      isWanted = false;
      await looking;
      return { images: [...images.values()], programs: running };
    },
  };
}

async function closedProxy(): Promise<ClosedProxy> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(502).end();
  });
  server.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
