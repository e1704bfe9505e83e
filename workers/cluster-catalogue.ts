import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostPaths } from '../contracts/host.ts';
import type { ClusterPlace, KnownCluster, ListedCluster } from '../contracts/clusters.ts';
import { refuseNewer } from '../core/clusters/layout.ts';
import { listClusters } from '../core/clusters/list-clusters.ts';
import { readKeptSpec } from '../core/clusters/read-kept-spec.ts';
import { ClusterWorkspace, type ValidatedCluster } from '../core/clusters/workspace.ts';
import { SealiftError } from '../core/errors.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import { providers } from '../plugins/providers/index.ts';

/** See `ClusterTools.find`. */
export async function findCluster(
  paths: HostPaths,
  name: string,
  kubeconfig: string | undefined,
): Promise<KnownCluster | undefined> {
  const known = (await workspaceOf(paths, name).findValidated())?.spec;
  if (kubeconfig !== undefined) {
    await using management = await openCluster(kubeconfig);
    await refuseNewer(management, 'find cluster');
    const spec = (await readKeptSpec(name, management, providers)) ?? known;
    return spec === undefined ? undefined : { spec, kubeconfig };
  }
  if (known === undefined) return undefined;
  const manager = known.role === 'management' ? name : known.managementCluster;
  const found = manager === undefined ? undefined : await workspaceOf(paths, manager).findKubeconfig('self');
  return { spec: known, ...(found === undefined ? {} : { kubeconfig: found }) };
}

/** See `ClusterTools.list`. */
export async function listKnownClusters(paths: HostPaths, kubeconfig: string | undefined): Promise<ListedCluster[]> {
  if (kubeconfig !== undefined) return listAt(kubeconfig);
  const names = await readdir(join(paths.state, 'clusters')).catch(() => []);
  const known = await Promise.all(names.map((name) => listManagedBy(workspaceOf(paths, name))));
  return known.flat();
}

/** A management cluster and those that it looks after; its bootstrap cluster answers for it as long as that owns it. */
async function listManagedBy(workspace: ClusterWorkspace): Promise<ListedCluster[]> {
  const validated = await workspace.findValidated();
  if (validated?.spec.role !== 'management') return [];
  let answer = [remembered(validated, 'nothing of it is made')];
  for (const place of ['bootstrap', 'self'] satisfies ClusterPlace[]) {
    const kubeconfig = await workspace.findKubeconfig(place);
    if (kubeconfig === undefined) continue;
    const listed = await listOrTell(kubeconfig, validated);
    if (listed.length > 0)
      answer = listed.map((one) => (one.name === validated.spec.name ? withMemory(one, validated) : one));
    if (listed.some(({ name, paused }) => name === validated.spec.name && !paused)) break;
  }
  return answer;
}

async function listOrTell(kubeconfig: string, validated: ValidatedCluster): Promise<ListedCluster[]> {
  try {
    return await listAt(kubeconfig);
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    return [remembered(validated, error.message)];
  }
}

async function listAt(kubeconfig: string): Promise<ListedCluster[]> {
  await using cluster = await openCluster(kubeconfig);
  return await listClusters(cluster, providers);
}

function remembered(validated: ValidatedCluster, problem: string): ListedCluster {
  return withMemory(
    { name: validated.spec.name, machines: { ready: 0, desired: 0 }, paused: false, problem },
    validated,
  );
}

/** A bootstrap cluster keeps no specifications. */
function withMemory(listed: ListedCluster, { spec, kubernetesVersion }: ValidatedCluster): ListedCluster {
  return { role: spec.role, provider: spec.provider, kubernetesVersion, ...listed };
}

function workspaceOf(paths: HostPaths, name: string): ClusterWorkspace {
  return new ClusterWorkspace(join(paths.state, 'clusters', name));
}
