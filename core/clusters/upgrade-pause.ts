import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { isErrorType } from '../errors.ts';
import { fluxObjects, pauseAll, requestReconcile, resumeAll, type Pausable } from '../gitops/pause.ts';
import type { Cluster, Kind } from '../kubernetes/cluster.ts';
import { specObjects } from './definitions.ts';
import { specApiVersion } from './spec/common-schema.ts';

/** EKS Anywhere's default. */
const FLUX_NAMESPACE = 'flux-system';

export interface PauseRequest {
  spec: ClusterSpec;
  /** what the cluster was made from */
  previous?: ClusterSpec;
  provider: ProviderPlugin;
  /** id of the operation that pauses */
  operation: string;
}

/**
 * Keeps Flux and EKS Anywhere's own controller from changing a cluster while it is upgraded: Flux's objects, when the cluster
 * is in git, and the documents that are kept. Of a management cluster also those of its workload clusters.
 * @param keeper the cluster that keeps the specification
 * @throws SealiftError of side `cluster`
 */
export async function pauseReconcilers(keeper: Cluster, request: PauseRequest): Promise<void> {
  const { spec, previous = spec, operation } = request;
  const kept = await keptDocuments(keeper, request);
  const own = new Set(specObjects(previous).map(keyOf));
  const paused = spec.role === 'management' ? kept : kept.filter((object) => own.has(keyOf(object)));
  await pauseAll(keeper, [...(await fluxTargets(keeper, request)), ...paused.map(asPausable)], operation);
}

/**
 * Resumes what this operation paused and nothing else, wherever it is by now, and lets Flux look at git at once.
 * @param options.isAway a bootstrap cluster has the cluster: EKS Anywhere's controller on the keeper would take it for missing
 * and make it anew, and so stays paused until the cluster is back
 * @throws SealiftError of side `cluster`
 */
export async function resumeReconcilers(
  keeper: Cluster,
  request: PauseRequest,
  { isAway = false } = {},
): Promise<void> {
  const flux = await fluxTargets(keeper, request);
  const kept = isAway ? [] : await keptDocuments(keeper, request);
  await resumeAll(keeper, [...kept.map(asPausable), ...flux], request.operation);
  const now = new Date().toISOString();
  for (const { object } of flux) await requestReconcile(keeper, object, now);
}

async function fluxTargets(keeper: Cluster, { spec, previous }: PauseRequest): Promise<Pausable[]> {
  const namespaces = [spec, previous].flatMap((one) =>
    one?.gitOps === undefined ? [] : [one.gitOps.spec.systemNamespace ?? FLUX_NAMESPACE],
  );
  const found = await Promise.all([...new Set(namespaces)].map((namespace) => fluxObjects(keeper, namespace)));
  return found.flat();
}

/** The documents of all clusters that are kept there, of the kinds that EKS Anywhere's controller looks at. */
async function keptDocuments(keeper: Cluster, { provider }: PauseRequest): Promise<KubernetesObject[]> {
  const kinds = ['Cluster', provider.kinds.datacenter, provider.kinds.machine];
  const found = await Promise.all(kinds.map((kind) => listOrNone(keeper, { apiVersion: specApiVersion, kind })));
  return found.flat();
}

async function listOrNone(keeper: Cluster, kind: Kind): Promise<KubernetesObject[]> {
  try {
    return (await keeper.list(kind)).map((object) => ({ ...object, ...kind }));
  } catch (error) {
    if (!isErrorType(error, 'KindUnknown')) throw error;
    return [];
  }
}

function asPausable(object: KubernetesObject): Pausable {
  return { object, means: 'eks-anywhere' };
}

function keyOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}
