import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import { SealiftError } from '../errors.ts';
import { clusterFolder, gitBranchOf } from '../gitops/cluster-files.ts';
import { publish, type PublishContext } from '../gitops/publish.ts';
import { describeObject } from '../kubernetes/cluster-access.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { readLocal } from '../sources/read-local.ts';
import { author } from './git-resources.ts';
import { keptClusters, keptDocuments } from './read-kept-spec.ts';
import { isProblem } from './spec/findings.ts';
import type { SpecProvider } from './spec/read-documents.ts';
import { readClusterSpec } from './spec/read-spec.ts';

/**
 * Reads a specification as far as a delete needs it: values that are not allowed any more are no reason to keep a cluster.
 * @throws SealiftError those of readLocal; InvalidInput when it cannot be understood
 */
export async function readSpecToDelete(file: string, providers: readonly SpecProvider[]): Promise<ClusterSpec> {
  const bytes = await readLocal(file, 'local');
  const { spec, findings } = readClusterSpec(file, bytes, providers);
  if (spec !== undefined) return spec;
  const [first] = findings.filter(isProblem);
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read specification',
    subject: first?.position === undefined ? file : `${file}:${first.position.line}`,
    message: `${first?.subject}: ${first?.message}`,
    remedy: `${first?.remedy}; or delete the cluster by its name`,
  });
}

/** Removes a cluster's files from the git repository that its specification names, if any. May be repeated. @throws SealiftError those of publish */
export async function withdrawSpec(spec: ClusterSpec, context: PublishContext): Promise<void> {
  if (spec.gitOps === undefined) return;
  const flux = spec.gitOps.spec;
  const { name, role, managementCluster = name } = spec;
  const change = {
    write: {},
    remove: [clusterFolder(flux, { name, role, managementCluster })],
    message: `Delete ${role} cluster ${name}`,
    author,
  };
  await publish(gitBranchOf(flux), change, context);
}

/**
 * Removes a specification from the management cluster that keeps it, but for documents that other clusters there refer to.
 * The Cluster goes last: as long as it is there, the rest is found again. May be repeated.
 * @throws SealiftError ClusterNotReady when somebody's finalizer keeps the Cluster; those of a Cluster
 */
export async function removeKeptSpec(name: string, on: Cluster): Promise<void> {
  const all = await keptClusters(on);
  const isOwn = ({ metadata }: KubernetesObject): boolean => metadata.name === name;
  const documentsOf = async (clusters: typeof all): Promise<KubernetesObject[]> =>
    (await Promise.all(clusters.map((cluster) => keptDocuments(cluster, on)))).flat();
  const own = await documentsOf(all.filter(isOwn));
  const needed = (await documentsOf(all.filter((cluster) => !isOwn(cluster)))).map(describeObject);
  for (const object of own.toReversed()) {
    if (!needed.includes(describeObject(object))) await on.delete(object);
  }
  const left = (await keptClusters(on)).find(isOwn);
  if (left === undefined) return;
  throw new SealiftError('ClusterNotReady', {
    side: 'cluster',
    operation: 'remove specification',
    subject: `${describeObject(left)} at ${on.server}`,
    message: `it waits for ${(left.metadata.finalizers ?? []).join(', ') || 'something'}`,
    remedy: 'let whoever put the finalizer there finish, or take it out, then retry',
  });
}
