import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostPaths } from '../contracts/host.ts';
import type { ClusterPlace, KnownCluster, ListedCluster } from '../contracts/clusters.ts';
import { refuseNewer } from '../core/clusters/layout.ts';
import { listClusters } from '../core/clusters/list-clusters.ts';
import { readKeptSpec } from '../core/clusters/read-kept-spec.ts';
import {
  knownWorkspaces,
  workspaceOf,
  type ClusterWorkspace,
  type KnownWorkspace,
  type ValidatedCluster,
} from '../core/clusters/workspace.ts';
import { SealiftError } from '../core/errors.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../core/kubernetes/cluster.ts';
import { providers } from '../plugins/providers/index.ts';

/** See `ClusterTools.find`. */
export async function findCluster(
  paths: HostPaths,
  name: string,
  kubeconfig: string | undefined,
  managementCluster?: string,
): Promise<KnownCluster | undefined> {
  const all = await knownWorkspaces(paths.state, name);
  const named = all.filter((one) => managementCluster === undefined || one.managementCluster === managementCluster);
  if (kubeconfig !== undefined) {
    await using management = await openCluster(kubeconfig);
    await refuseNewer(management, 'find cluster');
    const kept = await readKeptSpec(name, management, providers);
    const spec = kept ?? onlyOne(name, await belongingTo(paths, management, named))?.validated.spec;
    return spec === undefined ? undefined : { spec, kubeconfig };
  }
  const known = onlyOne(name, named);
  if (known === undefined) return undefined;
  const found = await findManagerKubeconfig(paths, known.managementCluster);
  return { spec: known.validated.spec, ...(found === undefined ? {} : { kubeconfig: found }) };
}

/** See `ClusterTools.managerOf`. */
export async function managerOf(kubeconfig: string): Promise<string> {
  await using cluster = await openCluster(kubeconfig);
  return managerAt(cluster.server);
}

function managerAt(server: string): string {
  return new URL(server).host.replace(/[^\w.-]+/g, '_');
}

/** Those of a management cluster; all where none is known to be its. */
async function belongingTo(
  paths: HostPaths,
  { server }: Cluster,
  known: readonly KnownWorkspace[],
): Promise<readonly KnownWorkspace[]> {
  const manager = managerAt(server);
  const names = [manager, ...(await managementsAt(paths, manager))];
  const own = known.filter(({ managementCluster }) => names.includes(managementCluster));
  return own.length > 0 ? own : known;
}

async function findManagerKubeconfig(paths: HostPaths, manager: string): Promise<string | undefined> {
  const [name = manager] = await managementsAt(paths, manager);
  return managementWorkspace(paths, name).findKubeconfig('self');
}

/** Names of the management clusters on this machine that are reached at an API server, which is as managerOf has it. */
async function managementsAt(paths: HostPaths, manager: string): Promise<string[]> {
  const names = await readdir(join(paths.state, 'clusters')).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const kubeconfig = await managementWorkspace(paths, name).findKubeconfig('self');
      return kubeconfig !== undefined && (await managerOf(kubeconfig)) === manager ? [name] : [];
    }),
  );
  return found.flat();
}

/** @throws SealiftError InvalidInput when there are several */
function onlyOne(name: string, known: readonly KnownWorkspace[]): KnownWorkspace | undefined {
  if (known.length > 1) throw ambiguous(name, known);
  return known[0];
}

function ambiguous(name: string, found: readonly KnownWorkspace[]): SealiftError {
  const described = found.map(({ validated: { spec }, managementCluster }) =>
    spec.role === 'management' ? 'a management cluster' : `a workload cluster of ${managementCluster}`,
  );
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'find cluster',
    subject: name,
    message: `this machine knows ${found.length} clusters of that name: ${described.join(', ')}`,
    remedy:
      'say which with --kubeconfig (of its management cluster; of a management cluster its own) or with its specification (-f)',
  });
}

/** See `ClusterTools.list`. */
export async function listKnownClusters(paths: HostPaths, kubeconfig: string | undefined): Promise<ListedCluster[]> {
  if (kubeconfig !== undefined) return listAt(kubeconfig);
  const names = await readdir(join(paths.state, 'clusters')).catch(() => []);
  const known = await Promise.all(names.map((name) => listManagedBy(managementWorkspace(paths, name))));
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

function managementWorkspace(paths: HostPaths, name: string): ClusterWorkspace {
  return workspaceOf(paths.state, { name, role: 'management' });
}
