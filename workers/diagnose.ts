import type { ClusterTools, HostPaths } from '../contracts/host.ts';
import { clustersAround } from '../core/diagnostics/operation-clusters.ts';
import { collectDiagnostics } from '../core/diagnostics/collect.ts';
import { knownWorkspaces, workspaceOf } from '../core/clusters/workspace.ts';
import { SealiftError } from '../core/errors.ts';
import { openCluster } from '../core/kubernetes/cluster-access.ts';
import { findCluster } from './cluster-catalogue.ts';
import { diagnosticsFolder } from './cluster-tools.ts';

/** See `ClusterTools.diagnose`. */
export async function diagnose(
  paths: HostPaths,
  env: NodeJS.ProcessEnv,
  { name, managementCluster, kubeconfig, output }: Parameters<ClusterTools['diagnose']>[0],
): ReturnType<ClusterTools['diagnose']> {
  // whoever names a file that is none is told; one that leads to a cluster that does not answer is good enough
  if (kubeconfig !== undefined) await (await openCluster(kubeconfig))[Symbol.asyncDispose]();
  // what this machine knows: a cluster that does not answer is no reason to collect nothing
  const found = await findCluster(paths, name, undefined, managementCluster);
  const reached = kubeconfig ?? found?.kubeconfig;
  const role = found?.spec.role ?? 'workload';
  const manager = managementCluster ?? found?.spec.managementCluster;
  const known = (await knownWorkspaces(paths.state, name)).find(
    (one) => managementCluster === undefined || one.managementCluster === managementCluster,
  );
  const identity = { name, role, ...(manager === undefined ? {} : { managementCluster: manager }) };
  const folder = known?.workspace ?? workspaceOf(paths.state, identity);
  const clusters = await clustersAround(folder, { role, ...(reached === undefined ? {} : { kubeconfig: reached }) });
  if (clusters.length === 0 && found === undefined) throw unknown(name);
  return collectDiagnostics({
    name,
    about: ['Asked for by hand.'],
    clusters,
    workspace: folder.path,
    env,
    output: output === undefined ? { folder: diagnosticsFolder(paths) } : { file: output },
    signal: new AbortController().signal,
  });
}

function unknown(name: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'generate diagnostics',
    subject: name,
    message: 'nothing on this machine says how the cluster or its management cluster is reached',
    remedy: 'give the kubeconfig of its management cluster with --kubeconfig; of a management cluster its own',
  });
}
