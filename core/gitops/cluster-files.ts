import type { ClusterRole, FluxConfigSpec } from '../../contracts/cluster-spec.ts';
import { SealiftError } from '../errors.ts';
import type { GitBranch } from './publish.ts';

/** EKS Anywhere's default. */
const DEFAULT_BRANCH = 'main';

/**
 * The branch that a FluxConfig names.
 * @throws SealiftError InvalidInput when it names no repository
 */
export function gitBranchOf(flux: FluxConfigSpec): GitBranch {
  const branch = flux.branch ?? DEFAULT_BRANCH;
  if (flux.git !== undefined) return { url: flux.git.repositoryUrl, branch };
  if (flux.github !== undefined) {
    return { url: `https://github.com/${flux.github.owner}/${flux.github.repository}.git`, branch };
  }
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read FluxConfig',
    subject: 'spec',
    message: 'it names no repository',
    remedy: 'set spec.git.repositoryUrl, or spec.github with owner and repository',
  });
}

/**
 * The folder of a repository that belongs to one cluster, and goes with it: `clusters/<management>/<management>` for a
 * management cluster, `clusters/<management>/workload-clusters/<name>` for a workload cluster, where
 * `clusters/<management>` is spec.clusterConfigPath.
 */
export function clusterFolder(
  flux: FluxConfigSpec,
  { name, role, managementCluster }: { name: string; role: ClusterRole; managementCluster: string },
): string {
  const root = (flux.clusterConfigPath ?? `clusters/${managementCluster}`).replace(/^\/+|\/+$/g, '');
  return role === 'management' ? `${root}/${name}` : `${root}/workload-clusters/${name}`;
}

/** The files of a cluster, by path: its specification, and the kustomization that Flux applies it by. */
export function clusterFiles(folder: string, specification: string): Record<string, string> {
  const kustomization =
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- eksa-cluster.yaml\n';
  return {
    [`${folder}/eksa-system/eksa-cluster.yaml`]: specification,
    [`${folder}/eksa-system/kustomization.yaml`]: kustomization,
  };
}
