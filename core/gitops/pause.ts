import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ClusterAccess, ObjectKey } from '../../contracts/provider-plugin.ts';
import { isErrorType } from '../errors.ts';
import { undefinedIfUnknown } from '../kubernetes/unknown-kind.ts';

/**
 * How something is kept from being reconciled.
 * - flux-suspend: `spec.suspend` of a Kustomization, GitRepository... of Flux
 * - flux-ignore: annotation on an object that a Kustomization of Flux would otherwise write over
 * - eks-anywhere: annotation on Cluster and its datacenter and machine configurations
 * - cluster-api: `spec.paused` of a Cluster of Cluster API
 */
export type PauseMeans = 'flux-suspend' | 'flux-ignore' | 'eks-anywhere' | 'cluster-api';

export interface Pausable {
  object: ObjectKey;
  means: PauseMeans;
}

/** Says which operation paused an object, and how: written in the same patch as the pause, so that no crash can part the two. */
const mark = (means: PauseMeans): string => `sealift.dev/paused-${means}`;

/** fluxcd.io, "Kustomization", "Force reconciliation", "Suspend"; annotation values as each documents them. */
const annotations = {
  'flux-ignore': ['kustomize.toolkit.fluxcd.io/reconcile', 'disabled'],
  'eks-anywhere': ['anywhere.eks.amazonaws.com/paused', 'true'],
} as const;
const fields = { 'flux-suspend': 'suspend', 'cluster-api': 'paused' } as const;
const REQUESTED_AT = 'reconcile.fluxcd.io/requestedAt';

const MAX_TRIES = 5;
const FLUX = ['kustomize.toolkit.fluxcd.io', 'source.toolkit.fluxcd.io'] as const;
const fluxKinds = { [FLUX[0]]: 'Kustomization', [FLUX[1]]: 'GitRepository' } as const;

/**
 * Pauses what is not paused yet. What somebody else paused is left to them; what an earlier operation of Sealift paused and
 * never resumed is taken over. May be repeated; what is not there is left out.
 * @param operation id of the operation that pauses
 * @throws SealiftError of side `cluster`
 */
export async function pauseAll(cluster: ClusterAccess, targets: readonly Pausable[], operation: string): Promise<void> {
  for (const { object, means } of targets) {
    await change(cluster, object, (found) => {
      const markedBy = found.metadata.annotations?.[mark(means)];
      const isLeft = markedBy === undefined || markedBy === operation;
      return isLeft && isPaused(found, means) ? undefined : pauseChange(means, true, operation);
    });
  }
}

/** Resumes what this operation paused, and nothing else. May be repeated; what is not there is left out. */
export async function resumeAll(
  cluster: ClusterAccess,
  targets: readonly Pausable[],
  operation: string,
): Promise<void> {
  for (const { object, means } of targets) {
    await change(cluster, object, (found) =>
      found.metadata.annotations?.[mark(means)] === operation ? pauseChange(means, false, null) : undefined,
    );
  }
}

/** The operation that paused an object and never resumed it; undefined when none did. */
export function pausedBy({ metadata }: KubernetesObject, means: PauseMeans): string | undefined {
  return metadata.annotations?.[mark(means)];
}

/** The Kustomizations and GitRepositories of Flux in a namespace; none when Flux is not there. */
export async function fluxObjects(cluster: ClusterAccess, namespace: string): Promise<Pausable[]> {
  const found = await Promise.all(FLUX.map((group) => listFlux(cluster, group, namespace)));
  return found.flat().map((object) => ({ object, means: 'flux-suspend' }));
}

/** Lets Flux look at an object now. @param at what was not asked with before, e.g. the time, as Flux's own tool does */
export async function requestReconcile(cluster: ClusterAccess, object: ObjectKey, at: string): Promise<void> {
  await change(cluster, object, () => ({ metadata: { annotations: { [REQUESTED_AT]: at } } }));
}

async function listFlux(
  cluster: ClusterAccess,
  group: (typeof FLUX)[number],
  namespace: string,
): Promise<KubernetesObject[]> {
  // v1 since Flux 2.0 and 2.1; the EKS Anywhere releases before had the other one
  for (const version of ['v1', 'v1beta2']) {
    try {
      return await cluster.list({ apiVersion: `${group}/${version}`, kind: fluxKinds[group] }, { namespace });
    } catch (error) {
      if (!isErrorType(error, 'KindUnknown')) throw error;
    }
  }
  return [];
}

function isPaused(object: KubernetesObject, means: PauseMeans): boolean {
  if (means === 'flux-ignore' || means === 'eks-anywhere') {
    const [name, value] = annotations[means];
    return object.metadata.annotations?.[name] === value;
  }
  return (object['spec'] as Record<string, unknown> | undefined)?.[fields[means]] === true;
}

function pauseChange(means: PauseMeans, paused: boolean, operation: string | null): Change {
  const marked = { [mark(means)]: operation };
  if (means === 'flux-ignore' || means === 'eks-anywhere') {
    const [name, value] = annotations[means];
    return { metadata: { annotations: { ...marked, [name]: paused ? value : null } } };
  }
  return { metadata: { annotations: marked }, spec: { [fields[means]]: paused ? true : null } };
}

interface Change {
  metadata: { annotations: Record<string, string | null> };
  spec?: object;
}

/** Changes an object as it is now: what somebody else changes in between is looked at again. */
async function change(
  cluster: ClusterAccess,
  object: ObjectKey,
  decide: (found: KubernetesObject) => Change | undefined,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const found = await cluster.get(object).catch(undefinedIfUnknown);
    if (found === undefined) return;
    const wanted = decide(found);
    if (wanted === undefined) return;
    const { resourceVersion } = found.metadata;
    try {
      await cluster.patch(object, { ...wanted, metadata: { ...wanted.metadata, resourceVersion } });
      return;
    } catch (error) {
      if (!isErrorType(error, 'ObjectConflict') || tries === MAX_TRIES) throw error;
    }
  }
}
