import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { ClusterWorkspace, knownWorkspaces, workspaceOf, type ClusterIdentity } from './workspace.ts';

describe('where operations on a cluster keep what they need', () => {
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await temporaryFolder('workspaces');
  });
  afterEach(() => folder.remove());

  const pathOf = (identity: ClusterIdentity): string =>
    workspaceOf(folder.path, identity).path.slice(folder.path.length + 1);
  const workload = (name: string, managementCluster: string): ClusterIdentity => ({
    ...{ name, role: 'workload', managementCluster },
  });
  /** As an operation leaves it. */
  const known = (path: string, { name, role, managementCluster }: ClusterIdentity): Promise<void> => {
    const spec = { name, role, ...(managementCluster === undefined ? {} : { managementCluster }) } as ClusterSpec;
    return new ClusterWorkspace(join(folder.path, path)).writeValidated({ spec, kubernetesVersion: 'v1.35.4' });
  };

  it('is one folder for each cluster, whatever other clusters have the same name', () => {
    const paths = [
      pathOf({ name: 'one', role: 'management' }),
      ...['one', 'a', 'b', '192.0.2.1_6443'].map((manager) => pathOf(workload('one', manager))),
    ];
    expect(paths).toEqual([
      'clusters/one',
      'workload-clusters/one/one',
      'workload-clusters/a/one',
      'workload-clusters/b/one',
      'workload-clusters/192.0.2.1_6443/one',
    ]);
  });

  it('is the folder that a workload cluster had before, as long as that is there and its', async () => {
    await known('clusters/one', workload('one', 'a'));
    expect(pathOf(workload('one', 'a'))).toBe('clusters/one');
    expect(pathOf(workload('one', 'b'))).toBe('workload-clusters/b/one');
    await known('clusters/two', workload('two', 'two'));
    // its specification left it to --kubeconfig
    expect(pathOf(workload('two', '192.0.2.1_6443'))).toBe('clusters/two');
    await known('clusters/three', { name: 'three', role: 'management', managementCluster: 'three' });
    expect(pathOf(workload('three', 'three'))).toBe('workload-clusters/three/three');
    await workspaceOf(folder.path, workload('one', 'a')).remove();
    expect(pathOf(workload('one', 'a'))).toBe('workload-clusters/a/one');
  });

  it('is known for every cluster of a name', async () => {
    expect(await knownWorkspaces(folder.path, 'one')).toEqual([]);
    await known('clusters/one', { name: 'one', role: 'management' });
    await known('workload-clusters/a/one', workload('one', 'a'));
    await known('workload-clusters/192.0.2.1_6443/one', { name: 'one', role: 'workload' });
    await known('workload-clusters/a/other', workload('other', 'a'));
    const found = await knownWorkspaces(folder.path, 'one');
    expect(found.map((one) => `${one.validated.spec.role} of ${one.managementCluster}`).sort()).toEqual([
      'management of one',
      'workload of 192.0.2.1_6443',
      'workload of a',
    ]);
  });
});
