import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { daemonPid } from '../../core/bootstrap/daemon.ts';
import { nodesOf } from '../../core/clusters/nodes.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { runSealift, type SealiftResult } from '../helpers/sealift.ts';
import { managedBy, ofVersion, startClusterGround, type ClusterGround } from '../lab/cluster-ground.ts';
import { whyNotLong } from '../lab/long.ts';
import { controlPlaneFolder, type ManagementCluster } from '../lab/management-cluster.ts';

interface Parked {
  operation: string;
  parked: { message: string; remedy: string }[];
}

const minutes = 60_000;
const away = /the management cluster mgmt (cannot be reached|has not answered for \d+ s)[^]*start it again/;

// EKS Anywhere's design, "What happens if the management cluster becomes unavailable?"
describe.skipIf(whyNotLong !== undefined)(`a management cluster that is away ${whyNotLong ?? ''}`, () => {
  let ground: ClusterGround;
  let management: ManagementCluster;
  /** of the workload cluster that is there */
  let kubeconfig: string;

  beforeAll(async () => {
    ground = await startClusterGround();
    management = await ground.lab.startManagementCluster('mgmt');
    const file = await ground.specification('one', [ofVersion('1.34'), managedBy('mgmt')]);
    const { code, stdout } = await run('create', file);
    expect(`${code} ${stdout}`).toMatch(/^0 /);
    ({ kubeconfig } = parseOutput('create-cluster', stdout) as { kubeconfig: string });
  }, 8 * minutes);
  afterAll(() => ground[Symbol.asyncDispose]());

  const run = (verb: 'create' | 'upgrade', file: string): Promise<SealiftResult> =>
    ground.sealift(verb, 'cluster', '-f', file, '--bundle', ground.bundle, '--kubeconfig', management.kubeconfig);
  const succeed = async (running: Promise<SealiftResult>): Promise<void> => {
    const { code, stdout, stderr } = await running;
    expect(`${code} ${code === 0 ? '' : stderr + stdout}`).toBe('0 ');
  };
  /** Every problem says which cluster is away, and what to do. */
  const parks = async (running: Promise<SealiftResult>, id: string): Promise<void> => {
    const { code, stdout, stderr } = await running;
    expect(code, stderr + stdout).toBe(5);
    const { operation, parked } = parseOutput('parked', stdout) as unknown as Parked;
    expect(operation).toBe(id);
    expect(parked.length).toBeGreaterThan(0);
    for (const { message, remedy } of parked) expect(`${message}; ${remedy}`).toMatch(away);
    const { stdout: described } = await runSealift(['describe', id], { home: ground.home });
    expect(described).toMatch(away);
  };

  /** Ends all of it at once, as when its machine loses its power. */
  async function killManagement(): Promise<void> {
    const folder = controlPlaneFolder(management.folder);
    const programs = ['kube-controller-manager', 'kube-apiserver', 'etcd'].map((name) => daemonPid({ name, folder }));
    const pids = [...management.providers.map(({ pid }) => pid), ...(await Promise.all(programs))];
    for (const pid of pids) process.kill(pid!, 'SIGKILL');
  }

  async function bringBack(): Promise<void> {
    management = await ground.lab.startManagementCluster('mgmt');
  }

  async function nodes(): Promise<string[]> {
    await using workload = await openCluster(kubeconfig);
    return (await nodesOf(workload)).map(({ name, version }) => `${name} ${version}`).sort();
  }

  it(
    'leaves its workload clusters as they are, and a create and an upgrade wait for it',
    { timeout: 14 * minutes },
    async () => {
      const before = await nodes();
      expect(before).toHaveLength(2);
      await killManagement();
      const [one, two] = [
        await ground.specification('one', [ofVersion('1.35'), managedBy('mgmt')]),
        await ground.specification('two', [managedBy('mgmt')]),
      ];
      await Promise.all([
        parks(run('upgrade', one), 'cluster/mgmt/one'),
        parks(run('create', two), 'cluster/mgmt/two'),
      ]);
      expect(await nodes()).toEqual(before);
      await bringBack();
      await Promise.all(['one', 'two'].map((name) => succeed(ground.sealift('retry', `cluster/mgmt/${name}`))));
      expect((await nodes()).map((node) => node.split(' ')[1])).toEqual(['v1.35.4', 'v1.35.4']);
    },
  );

  it('is waited for in the middle of CreateWorkloadCluster, too', { timeout: 10 * minutes }, async () => {
    const before = await nodes();
    const creating = run('create', await ground.specification('three', [managedBy('mgmt')]));
    await expect.poll(() => machinesOf('three'), { timeout: 3 * minutes, interval: 100 }).toBeGreaterThan(0);
    await killManagement();
    await parks(creating, 'cluster/mgmt/three');
    expect(await nodes()).toEqual(before);
    await bringBack();
    await succeed(ground.sealift('retry', 'cluster/mgmt/three'));
    expect(await machinesOf('three')).toBe(2);
  });

  async function machinesOf(name: string): Promise<number> {
    await using cluster = await openCluster(management.kubeconfig);
    const machine = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Machine' };
    const labelSelector = `cluster.x-k8s.io/cluster-name=${name}`;
    return (await cluster.list(machine, { namespace: 'eksa-system', labelSelector })).length;
  }
});
