import { readdir, readlink, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../../core/kubernetes/cluster.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runSealift } from '../helpers/sealift.ts';
import { managedBy, ofVersion, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { serveClusterRelease } from '../lab/cluster-release.ts';
import { imagesInCluster } from '../lab/images-in-cluster.ts';
import { whyNotLong } from '../lab/long.ts';
import { startPrivateMirror, type PrivateMirror } from '../lab/private-mirror.ts';
import { smallCilium } from '../lab/small-cilium.ts';

const minutes = 60_000;
const credentials = { user: 'nodes', password: 'only-for-the-mirror' };
const namespace = 'eksa-system';
/** A release that everything is made of at first, and one that it is upgraded to. */
const releases = [
  { number: 1, cilium: '1.19.4', withPrograms: true },
  { number: 2, cilium: '1.20.0', withPrograms: true },
] as const;

/** A proxy that lets nothing through, and tells what it was asked for. */
interface ClosedProxy extends AsyncDisposable {
  url: string;
  asked: string[];
}

describe.skipIf(whyNotLong !== undefined)(`clusters out of a private registry alone ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let mirror: PrivateMirror;
  let proxy: ClosedProxy;

  beforeAll(async () => {
    [mirror, proxy] = await Promise.all([startPrivateMirror(credentials), closedProxy()]);
    ground = await startClusterGround({
      release: () => serveClusterRelease(releases[0]),
      env: {
        ...{ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1,localhost' },
        ...{ REGISTRY_USERNAME: credentials.user, REGISTRY_PASSWORD: credentials.password },
      },
    });
  }, 5 * minutes);
  afterAll(async () => {
    await ground[Symbol.asyncDispose]();
    await Promise.all([mirror[Symbol.asyncDispose](), proxy[Symbol.asyncDispose]()]);
  });

  const succeed = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await ground.sealift(...args, ...mirror.trust);
    expect({ code, said: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, said: '' });
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  /** @returns kubeconfig of the new cluster */
  const create = async (file: string, ...options: string[]): Promise<string> => {
    const created = JSON.stringify(await succeed('create', 'cluster', '-f', file, ...mirror.from, ...options));
    return (parseOutput('create-cluster', created) as { kubeconfig: string }).kubeconfig;
  };
  const specification = (name: string, minor: string): Promise<string> =>
    ground.specification(name, [managedBy('admin'), ofVersion(minor), mirror.change]);
  /** Imports a bundle, which is gone then. */
  const imported = async (bundle: string): Promise<void> => {
    await succeed('import', 'artifacts', '--input', bundle, ...mirror.from, ...mirror.into);
    await rm(bundle);
  };
  const inMirror = (images: { kind: string; image: string }[]): void => {
    expect(images).not.toEqual([]);
    expect(images.filter(({ image }) => !image.startsWith(`${mirror.registry.host}/mirror/`))).toEqual([]);
  };
  /** The images of a Cilium as nodes of the mirror have them. */
  const mirroredCilium = (version: string): string[] => {
    const { agent, operator } = smallCilium(version);
    return [agent, operator].map((image) => image.replace('public.ecr.aws', `${mirror.registry.host}/mirror/ecr`));
  };

  it('refuses to begin while the mirror lacks images, and names them all', { timeout: 2 * minutes }, async () => {
    const file = await specification('admin', '1.34');
    const { code, stdout } = await runSealift(
      [
        ...['create', 'cluster', '-f', file, '--bundle', ground.bundle, '--on-failure', 'fail'],
        ...['--output-format', 'json', ...mirror.trust],
      ],
      { home: ground.home },
    );
    expect(code).toBe(5);
    const { problems } = JSON.parse(stdout) as { problems: { message: string; remedy: string }[] };
    const missing = problems.filter(({ message }) => message.includes('the registry mirror lacks'));
    // the EKS Distro's four, kind's node, Cluster API's four, the tools, Cilium's two
    expect(missing.length).toBe(12);
    for (const { remedy } of missing) expect(remedy).toContain('sealift import artifacts');
  });

  it(
    'creates, upgrades and deletes a management and a workload cluster with their network, and asks nobody but the mirror',
    { timeout: 20 * minutes },
    async () => {
      await imported(ground.bundle);
      const { registry } = mirror;
      const before = registry.log().length;
      const workspace = join(ground.home.state, 'clusters', 'admin');

      for (const name of ['admin', 'shop']) await ground.lab.expectManagementCluster({ namespace, name });
      const bootstrap = watchBootstrap(workspace, join(ground.home.env['XDG_CACHE_HOME']!, 'sealift', 'programs'));
      const kubeconfig = await create(await specification('admin', '1.34'));
      const seen = await bootstrap.stop();
      inMirror(seen.images);
      expect(seen.images.filter(({ kind }) => kind === 'Deployment')).toHaveLength(4);
      expect([...seen.programs].sort()).toEqual(['capi-core', 'clusterctl', 'etcd']);
      const byAdmin = ['--kubeconfig', kubeconfig];
      const ofShop = await create(await specification('shop', '1.34'), ...byAdmin);
      // what was taken out of it: bills, manifests, programs, charts; and that its images are there
      const asked = registry.log().slice(before);
      const parts = ['sealift/bundles/tags', 'sealift/eks-anywhere/bundles/', 'mirror/k8s/cluster-api/'];
      for (const part of [...parts, 'mirror/ecr/eks/cilium/']) expect(asked).toContain(part);
      const found = await imagesInCluster(kubeconfig);
      inMirror(found);
      const kinds = new Set(found.map(({ kind }) => kind));
      expect([...kinds]).toEqual(expect.arrayContaining(['Deployment', 'KubeadmControlPlane', 'KubeadmConfig']));
      await using admin = await openCluster(kubeconfig);
      await using shop = await openCluster(ofShop);
      for (const cluster of [admin, shop]) {
        expect((await networkOf(cluster)).images).toEqual(mirroredCilium(releases[0].cilium));
      }

      await imported(await ground.exportBundle('newer.tar', () => serveClusterRelease(releases[1])));
      await upgradeKilled(await specification('shop', '1.35'), shop, ...byAdmin);
      // a release that brings nothing else than another chart
      const machines = await machinesOf(admin);
      const upgraded = await succeed('upgrade', 'cluster', '-f', await specification('admin', '1.34'), ...mirror.from);
      expect(upgraded).not.toHaveProperty('unchanged');
      expect((await networkOf(admin)).images).toEqual(mirroredCilium(releases[1].cilium));
      expect(await machinesOf(admin)).toEqual(machines);
      await succeed('upgrade', 'cluster', '-f', await specification('admin', '1.35'), ...mirror.from);
      for (const [cluster, ...options] of [[admin], [shop, ...byAdmin]] as const) {
        const network = await networkOf(cluster);
        expect(network.images).toEqual(mirroredCilium(releases[1].cilium));
        expect(network.config).toMatchObject({ kubernetes: 'v1.35.4' });
        const name = cluster === admin ? 'admin' : 'shop';
        await succeed('upgrade', 'cluster', '-f', await specification(name, '1.35'), ...mirror.from, ...options);
        expect(await networkOf(cluster), `${name} again`).toEqual(network);
      }
      inMirror(await imagesInCluster(kubeconfig));

      await succeed('delete', 'cluster', 'shop', ...byAdmin);
      await succeed('delete', 'cluster', 'admin', ...mirror.from);
      expect(await ground.home.processes()).toEqual([]);
      expect(proxy.asked).toEqual([]);
    },
  );

  /** Upgrades a cluster; command and worker are killed with -9 between the settings of its network and the agents. */
  async function upgradeKilled(file: string, cluster: Cluster, ...options: string[]): Promise<void> {
    const args = ['upgrade', 'cluster', '-f', file, ...mirror.from, ...options];
    const isBegun = async (): Promise<boolean> => (await networkOf(cluster)).config['upgrade-compatibility'] !== 'none';
    const { killed } = await runSealift([...args, ...mirror.trust], { home: ground.home, kill: { when: isBegun } });
    expect(killed).toBe(true);
    await succeed(...args);
  }
});

async function machinesOf(cluster: Cluster): Promise<string[]> {
  const machines = await cluster.list({ apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Machine' }, { namespace });
  return machines.map(({ metadata }) => `${metadata.name} ${metadata.uid}`).sort();
}

/** What Cilium's chart has brought: images, settings, and what changes whenever somebody writes to any of it. */
async function networkOf(
  cluster: Cluster,
): Promise<{ images: string[]; config: Record<string, string>; versions: (string | undefined)[] }> {
  const at = (apiVersion: string, kind: string, name: string): Promise<KubernetesObject | undefined> =>
    cluster.get({ apiVersion, kind, metadata: { name, namespace: 'kube-system' } });
  const [agent, operator, config] = await Promise.all([
    at('apps/v1', 'DaemonSet', 'cilium'),
    at('apps/v1', 'Deployment', 'cilium-operator'),
    at('v1', 'ConfigMap', 'cilium-config'),
  ]);
  interface Workload {
    template: { spec: { containers: { image: string }[] } };
  }
  return {
    images: [agent, operator].flatMap((workload) =>
      ((workload?.['spec'] as Workload | undefined)?.template.spec.containers ?? []).map(({ image }) => image),
    ),
    config: (config?.['data'] ?? {}) as Record<string, string>,
    versions: [agent, operator, config].map((object) => object?.metadata.resourceVersion),
  };
}

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
