import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ClusterRole, ClusterSpec } from '../contracts/cluster-spec.ts';
import type { HostPaths } from '../contracts/host.ts';
import { workspaceOf, type ClusterWorkspace } from '../core/clusters/workspace.ts';
import { writeFileAtomically } from '../core/host/atomic-file.ts';
import { temporaryFolder, type TemporaryFolder } from '../test/helpers/paths.ts';
import { findCluster, managerOf } from './cluster-catalogue.ts';

describe('clusters that this machine knows by name', () => {
  let folder: TemporaryFolder;
  let paths: HostPaths;
  beforeEach(async () => {
    folder = await temporaryFolder('catalogue');
    paths = { config: folder.path, cache: folder.path, state: folder.path };
  });
  afterEach(() => folder.remove());

  const kubeconfigText = (server: string): string =>
    stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'a' },
      clusters: [{ name: 'a', cluster: { server } }],
      users: [{ name: 'a', user: { token: 'none' } }],
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    });
  const made = async (name: string, role: ClusterRole, managementCluster: string): Promise<ClusterWorkspace> => {
    const workspace = workspaceOf(folder.path, { name, role, managementCluster });
    const spec = { name, role, managementCluster, provider: 'in-memory' } as ClusterSpec;
    await workspace.writeValidated({ spec, kubernetesVersion: 'v1.35.4' });
    return workspace;
  };

  it('are found with the kubeconfig of their management cluster', async () => {
    const mgmt = await made('mgmt', 'management', 'mgmt');
    await mgmt.writeKubeconfig('self', kubeconfigText('https://192.0.2.1:6443'));
    await made('one', 'workload', 'mgmt');
    // its specification left it to --kubeconfig
    await made('two', 'workload', '192.0.2.1_6443');
    await made('three', 'workload', 'elsewhere');
    const kubeconfig = mgmt.kubeconfig('self');
    expect(await findCluster(paths, 'one', undefined)).toMatchObject({ kubeconfig, spec: { name: 'one' } });
    expect(await findCluster(paths, 'two', undefined)).toMatchObject({ kubeconfig, spec: { name: 'two' } });
    expect(await findCluster(paths, 'three', undefined)).toEqual({
      spec: expect.objectContaining({ name: 'three' }) as unknown,
    });
    expect(await findCluster(paths, 'four', undefined)).toBeUndefined();
  });

  it('are asked about when there are several', async () => {
    await made('one', 'workload', 'a');
    await made('one', 'workload', 'b');
    await made('one', 'management', 'one');
    await expect(findCluster(paths, 'one', undefined)).rejects.toThrow(
      /3 clusters of that name: a management cluster, a workload cluster of [ab], a workload cluster of [ab]\n.*--kubeconfig/,
    );
    expect(await findCluster(paths, 'one', undefined, 'b')).toMatchObject({ spec: { managementCluster: 'b' } });
    expect(await findCluster(paths, 'one', undefined, 'one')).toMatchObject({ spec: { role: 'management' } });
    expect(await findCluster(paths, 'one', undefined, 'c')).toBeUndefined();
  });

  it('belong to an API server where nothing names their management cluster', async () => {
    const file = join(folder.path, 'kubeconfig');
    const servers = {
      'https://192.0.2.1:6443': '192.0.2.1_6443',
      'https://[2001:db8::1]:6443/k8s': '_2001_db8_1_6443',
    };
    for (const [server, manager] of Object.entries(servers)) {
      await writeFileAtomically(file, kubeconfigText(server));
      expect(await managerOf(file)).toBe(manager);
    }
    await expect(managerOf(join(folder.path, 'none'))).rejects.toThrow('none');
  });
});
