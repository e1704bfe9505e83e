import { stringify } from 'yaml';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import { clusterFiles, clusterFolder, gitBranchOf } from '../gitops/cluster-files.ts';
import { publish, type PublishContext } from '../gitops/publish.ts';
import { specObjects } from './definitions.ts';

/** Of every commit of Sealift. */
export const author = { name: 'Sealift', email: 'sealift@localhost' };

/**
 * Writes a cluster's specification into the git repository that it names; does nothing when it names none. May be repeated.
 * @param verb for the commit's message, e.g. `Create`
 * @throws SealiftError those of publish
 */
export async function publishSpec(spec: ClusterSpec, verb: string, context: PublishContext): Promise<void> {
  if (spec.gitOps === undefined) return;
  const flux = spec.gitOps.spec;
  const { name, role, managementCluster = name } = spec;
  const specification = specObjects(spec)
    .map((object) => stringify(object, { lineWidth: 0 }))
    .join('---\n');
  await publish(
    gitBranchOf(flux),
    {
      write: clusterFiles(clusterFolder(flux, { name, role, managementCluster }), specification),
      message: `${verb} ${role} cluster ${name} (Kubernetes ${spec.cluster.spec.kubernetesVersion})`,
      author,
    },
    context,
  );
}
