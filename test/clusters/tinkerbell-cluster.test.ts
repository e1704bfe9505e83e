import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { hasBmcEmulators } from '../lab/bmc-emulators.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { managedBy, ofVersion } from '../lab/cluster-ground.ts';
import { labUnavailable } from '../lab/lab.ts';
import { whyNotLong } from '../lab/long.ts';
import { onRack, startTinkerbellGround, type TinkerbellGround } from '../lab/tinkerbell-ground.ts';

const unavailable = await labUnavailable('tinkerbell');
const whyNot =
  whyNotLong ?? unavailable ?? (hasBmcEmulators('clusters on bare metal') ? undefined : 'no BMC emulators');
const minutes = 60_000;
const namespace = 'eksa-system';
const endpoint = '127.0.91.10';
const hardwareKind = { apiVersion: 'tinkerbell.org/v1alpha1', kind: 'Hardware' };
const clusterKind = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster' };
const ownerLabel = 'v1alpha1.tinkerbell.org/ownerName';

/** Neither is on this machine: endpoints on loopback always answer, and there is no server with images. */
const skipped = ['--skip-validations', 'tinkerbell-addresses,tinkerbell-images'];

describe.skipIf(whyNot !== undefined)(`clusters on bare metal ${whyNot ?? ''}`, () => {
  let ground: TinkerbellGround;
  let at: string[];

  beforeAll(async () => {
    ground = await startTinkerbellGround([
      { hostname: 'cp-a', labels: 'type=cp', protocol: 'Redfish' },
      { hostname: 'cp-b', labels: 'type=cp', protocol: 'Redfish' },
      { hostname: 'worker-a', labels: 'type=worker', protocol: 'Redfish' },
      { hostname: 'worker-b', labels: 'type=worker', protocol: 'IPMI' },
    ]);
    at = ['--kubeconfig', ground.management.kubeconfig, '--hardware-csv', ground.hardware, ...skipped];
  }, 5 * minutes);
  afterAll(() => ground?.[Symbol.asyncDispose]());

  const specification = (minor: string): Promise<string> =>
    ground.specification('one', [
      ...onRack(endpoint),
      managedBy('mgmt'),
      ofVersion(minor),
      [/ubuntu-2204-kube-[\d.]+/g, `ubuntu-2204-kube-${minor}`],
    ]);
  const hardware = async (): Promise<KubernetesObject[]> => {
    await using cluster = await openCluster(ground.management.kubeconfig);
    return await cluster.list(hardwareKind, { namespace });
  };
  const owned = async (): Promise<string[]> =>
    (await hardware())
      .filter(({ metadata }) => metadata.labels?.[ownerLabel] !== undefined)
      .map(nameOf)
      .sort();
  const powered = async (): Promise<string[]> => {
    const names = ['cp-a', 'cp-b', 'worker-a', 'worker-b'];
    const power = await Promise.all(names.map((name) => ground.rack.power(name)));
    return names.filter((_, index) => power[index] === 'on');
  };

  it('is refused for a BMC that does not let us in, and for too few machines', { timeout: 2 * minutes }, async () => {
    const wrong = join(ground.home.path, 'wrong.csv');
    const [heading, first, second] = ground.rack.csv.split('\n');
    await writeFile(wrong, [heading, first?.replace('correct horse', 'battery staple'), second].join('\n'));
    const file = await ground.specification('few', [['192.0.2.10', endpoint], managedBy('mgmt')]);
    const { code, stdout } = await ground.sealift(
      ...['create', 'cluster', '-f', file, '--bundle', ground.bundle, '--on-failure', 'fail'],
      ...['--kubeconfig', ground.management.kubeconfig, '--hardware-csv', wrong, ...skipped],
    );
    expect(code).toBe(5);
    expect(stdout).toContain('wrong.csv:2');
    expect(stdout).toContain('cp-a: Redfish: it answers 401 to this user and password');
    expect(stdout).toContain('it takes 3 machines (control plane), and its selection finds 2');
    await using cluster = await openCluster(ground.management.kubeconfig);
    expect(await cluster.get({ ...clusterKind, metadata: { name: 'few', namespace } })).toBeUndefined();
  });

  async function create(): Promise<void> {
    const file = await specification('1.34');
    const created = await ground.sealift('create', 'cluster', '-f', file, '--bundle', ground.bundle, ...at);
    expect(created, ground.log().slice(-4000)).toMatchObject({ code: 0 });
    const { nodes } = parseOutput('create-cluster', created.stdout) as { nodes: { role: string; version: string }[] };
    expect(nodes.map(({ role, version }) => `${role} ${version}`)).toEqual(['control-plane v1.34.6', 'worker v1.34.6']);
    expect(await owned()).toEqual(['cp-a', 'worker-a']);
    expect(await powered()).toEqual(['cp-a', 'worker-a']);
    expect(ground.rack.ran('cp-a').map(({ name }) => name)).toEqual([
      'stream image to disk',
      'write network config',
      'disable cloud-init network capabilities',
      'add cloud-init config',
      'add cloud-init ds config',
      'reboot',
    ]);
    const [, network] = ground.rack.ran('worker-a');
    expect(network?.environment.join('\n')).toContain('192.0.2.102/24');
    expect(ground.rack.ran('cp-b')).toEqual([]);
  }

  async function upgrade(): Promise<void> {
    const file = await specification('1.35');
    const upgraded = await ground.sealift('upgrade', 'cluster', '-f', file, '--bundle', ground.bundle, ...at);
    expect(upgraded, ground.log().slice(-4000)).toMatchObject({ code: 0 });
    const { nodes } = parseOutput('upgrade-cluster', upgraded.stdout) as { nodes: { version: string }[] };
    expect(nodes.map(({ version }) => version)).toEqual(['v1.35.4', 'v1.35.4']);
    expect(await owned()).toEqual(['cp-b', 'worker-b']);
    expect(await powered()).toEqual(['cp-b', 'worker-b']);
    const [image] = ground.rack.ran('cp-b');
    expect(image?.environment.join('\n')).toContain('ubuntu-2204-kube-1.35');
  }

  async function remove(): Promise<void> {
    const deleted = await ground.sealift('delete', 'cluster', 'one', '--kubeconfig', ground.management.kubeconfig);
    expect(deleted, ground.log().slice(-4000)).toMatchObject({ code: 0 });
    expect(await owned()).toEqual([]);
    expect(await powered()).toEqual([]);
  }

  it(
    'makes a cluster of machines that are installed over the network, upgrades it by spare ones, and gives all back, off',
    { timeout: 35 * minutes },
    async () => {
      await create();
      await upgrade();
      await remove();
    },
  );
});

function nameOf({ metadata }: KubernetesObject): string {
  return metadata.name;
}
