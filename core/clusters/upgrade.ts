import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { Cluster, Kind } from '../kubernetes/cluster.ts';
import { applyCluster, renderedObjects, type ClusterMaking } from './apply.ts';
import { specObjects } from './definitions.ts';
import { healthCheckOf } from './render/health-checks.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';

const deploymentKind: Kind = { apiVersion: capiVersions.cluster, kind: 'MachineDeployment' };
const machineSetKind: Kind = { ...deploymentKind, kind: 'MachineSet' };
const bootstrapTemplateKind: Kind = { apiVersion: capiVersions.bootstrap, kind: 'KubeadmConfigTemplate' };

/**
 * Whether a specification says anything else than the one a cluster was made from. Pure.
 * @see upgradeNeeded for what an earlier upgrade has not finished, and what others have changed
 */
export function isChanged(previous: ClusterSpec, next: ClusterSpec): boolean {
  const [before, after] = [previous, next].map((spec) => canonicalJson(specObjects(spec).map(said).sort(byKey)));
  return before !== after;
}

/** A GitOpsConfig is kept as the FluxConfig that says the same; fields of metadata are of no concern. */
function said({ kind, metadata, spec = {} }: KubernetesObject): { key: string; spec: unknown } {
  const { gitOpsRef, ...rest } = spec as { gitOpsRef?: { name: string } };
  return { key: keyOf({ kind, metadata }), spec: { ...rest, gitOps: gitOpsRef?.name ?? '' } };
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : 1;
}

/**
 * Whether Cluster API has anything to do to a cluster: an object that is not there, that says something else than it would be
 * made with, or a worker group too many. What others add to the objects does not count.
 * @param on the cluster whose Cluster API has the machines
 */
export async function upgradeNeeded(making: ClusterMaking, on: Cluster): Promise<boolean> {
  const rendered = renderedObjects(making);
  for (const object of rendered) {
    const found = await on.get(object);
    if (found === undefined || !isWithin(wantedPart(object), found)) return true;
  }
  return (await surplusGroups(making, rendered, on)).length > 0;
}

/**
 * Says what a cluster is to be from now on. Its machines are replaced by Cluster API: control planes one by one, and workers
 * once all control planes have the new version, which its preflight checks see to. May be repeated.
 * @throws SealiftError as applyCluster
 */
export async function applyUpgrade(making: ClusterMaking, on: Cluster, signal: AbortSignal): Promise<void> {
  await applyCluster(making, on, signal);
  for (const group of await surplusGroups(making, renderedObjects(making), on)) {
    await on.delete(healthCheckOf(group));
    await on.delete(group);
  }
}

/**
 * Removes the templates of a cluster that nothing refers to any more. To be called when all machines are up to date: one that
 * was made from an older template is replaced when it is gone.
 * @returns how many there were
 */
export async function removeOldTemplates(making: ClusterMaking, on: Cluster): Promise<number> {
  const rendered = renderedObjects(making);
  const kinds = new Map(
    [bootstrapTemplateKind, ...rendered.filter(({ kind }) => kind.endsWith('Template'))].map((kind) => [
      `${kind.apiVersion} ${kind.kind}`,
      { apiVersion: kind.apiVersion, kind: kind.kind },
    ]),
  );
  const options = { namespace: CLUSTER_NAMESPACE };
  const users = await Promise.all([deploymentKind, machineSetKind].map((kind) => on.list(kind, options)));
  const used = new Set([...rendered, ...users.flat()].flatMap((object) => referencesIn(object['spec'])));
  const made = rendered.map(keyOf);
  let removed = 0;
  for (const kind of kinds.values()) {
    for (const { metadata } of await on.list(kind, options)) {
      const template = { ...kind, metadata };
      const isOurs = isOwnedBy(template, making.spec.name);
      if (!isOurs || made.includes(keyOf(template)) || used.has(keyOf(template))) continue;
      await on.delete(template);
      removed += 1;
    }
  }
  return removed;
}

async function surplusGroups(
  { spec }: ClusterMaking,
  rendered: readonly KubernetesObject[],
  on: Cluster,
): Promise<KubernetesObject[]> {
  const labelSelector = `${CLUSTER_NAME_LABEL}=${spec.name}`;
  const there = await on.list(deploymentKind, { namespace: CLUSTER_NAMESPACE, labelSelector });
  const wanted = rendered.map(keyOf);
  return there
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map((group) => ({ ...group, ...deploymentKind }))
    .filter((group) => !wanted.includes(keyOf(group)));
}

function keyOf({ kind, metadata }: Pick<KubernetesObject, 'kind' | 'metadata'>): string {
  return `${kind} ${metadata.name}`;
}

function wantedPart({ metadata, spec }: KubernetesObject): object {
  const { labels = {}, annotations = {} } = metadata;
  return { metadata: { labels, annotations }, spec };
}

/** Whether everything that is wanted is found; what is found beyond it, defaults and other people's fields, may be there. */
function isWithin(wanted: unknown, found: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(found) &&
      wanted.length === found.length &&
      wanted.every((entry, index) => isWithin(entry, found[index]))
    );
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === found;
  return Object.entries(wanted).every(([field, value]) => {
    const there = (found as Record<string, unknown> | null | undefined)?.[field];
    // an API server drops empty objects
    return isWithin(value, there) || (isEmpty(value) && there === undefined);
  });
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Kind and name of every `{kind, name}`: how Cluster API refers to templates. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { kind, name } = value as { kind?: unknown; name?: unknown };
  const own = typeof kind === 'string' && typeof name === 'string' ? [`${kind} ${name}`] : [];
  return [...own, ...Object.values(value).flatMap(referencesIn)];
}

/** Cluster API makes the Cluster an owner of every template that it uses. */
function isOwnedBy({ metadata }: KubernetesObject, cluster: string): boolean {
  return metadata.ownerReferences?.some(({ kind, name }) => kind === 'Cluster' && name === cluster) ?? false;
}
