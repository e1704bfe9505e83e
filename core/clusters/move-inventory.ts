import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ObjectKey } from '../../contracts/provider-plugin.ts';
import type { Cluster, Kind } from '../kubernetes/cluster.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE } from './render/names.ts';

/** An object that a move takes along. */
export interface MovedObject extends ObjectKey {
  metadata: { name: string; namespace: string };
  uid: string;
  /** deletion was asked for: the sign that a move is past its last return */
  deleting: boolean;
}

const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
/** On every definition that `clusterctl init` brought; clusterctl finds by it what it moves. */
const CLUSTERCTL_LABEL = 'clusterctl.cluster.x-k8s.io';
/** Pauses one object, whatever is with its cluster. */
const PAUSED_ANNOTATION = 'cluster.x-k8s.io/paused';
const MOVE_LABEL = 'clusterctl.cluster.x-k8s.io/move';
/** clusterctl's own bookkeeping stays where it is. */
const INVENTORY_GROUP = 'clusterctl.cluster.x-k8s.io';

interface DefinitionSpec {
  group: string;
  scope: string;
  names: { kind: string };
  versions: { name: string; storage: boolean }[];
}

/**
 * Everything in the namespace of clusters that `clusterctl move` takes along: objects of Cluster API's kinds, and the
 * secrets of clusters.
 * @returns in an order in which they can be deleted: what is owned before its owner
 * @throws SealiftError those of Cluster.list
 */
export async function movedObjects(cluster: Cluster): Promise<MovedObject[]> {
  const kinds = await clusterApiKinds(cluster);
  const namespace = CLUSTER_NAMESPACE;
  const found = await Promise.all(kinds.map((kind) => cluster.list(kind, { namespace })));
  const secrets = await cluster.list({ apiVersion: 'v1', kind: 'Secret' }, { namespace });
  return ownedFirst([...found.flat(), ...secrets.filter(isOfCluster)]).map(moved);
}

/**
 * Objects of clusters whose controllers say that they have not seen yet that it is paused, or is not any more. What is paused by itself
 * says nothing of its cluster.
 * @param kinds as clusterApiKinds has them
 * @throws SealiftError those of Cluster.list
 */
export async function unawareOfPause(
  paused: boolean,
  cluster: Cluster,
  kinds: readonly Kind[],
): Promise<KubernetesObject[]> {
  const options = { namespace: CLUSTER_NAMESPACE, labelSelector: CLUSTER_NAME_LABEL };
  const found = await Promise.all(kinds.map((kind) => cluster.list(kind, options)));
  const before = paused ? 'False' : 'True';
  return found.flat().filter((object) => {
    const { conditions = [] } =
      (object as { status?: { conditions?: { type: string; status: string }[] } }).status ?? {};
    if (PAUSED_ANNOTATION in (object.metadata.annotations ?? {})) return false;
    return conditions.some(({ type, status }) => type === 'Paused' && status === before);
  });
}

/** The kinds that Cluster API and its providers have brought; none where they are not installed. @throws SealiftError those of Cluster.list */
export async function clusterApiKinds(cluster: Cluster): Promise<Kind[]> {
  const definitions = await cluster.list(definition, { labelSelector: CLUSTERCTL_LABEL });
  return definitions.map(({ spec }) => spec as DefinitionSpec).flatMap(kindOf);
}

/** Kind, namespace and name: the same on both sides of a move. */
export function nameOf({ apiVersion, kind, metadata }: ObjectKey): string {
  // the version may differ between two API servers
  return `${apiVersion.split('/')[0]} ${kind} ${metadata.namespace}/${metadata.name}`;
}

function kindOf({ group, scope, names, versions }: DefinitionSpec): Kind[] {
  const version = versions.find(({ storage }) => storage)?.name;
  if (group === INVENTORY_GROUP || scope !== 'Namespaced' || version === undefined) return [];
  return [{ apiVersion: `${group}/${version}`, kind: names.kind }];
}

function isOfCluster({ metadata: { labels = {}, ownerReferences = [] } }: KubernetesObject): boolean {
  return (
    CLUSTER_NAME_LABEL in labels ||
    MOVE_LABEL in labels ||
    ownerReferences.some(({ apiVersion }) => apiVersion.includes('cluster.x-k8s.io/'))
  );
}

function ownedFirst(objects: readonly KubernetesObject[]): KubernetesObject[] {
  const byUid = new Map(objects.map((object) => [object.metadata.uid, object]));
  const depth = (object: KubernetesObject, seen: readonly string[] = []): number => {
    const owners = (object.metadata.ownerReferences ?? []).flatMap(({ uid }) => byUid.get(uid) ?? []);
    const above = owners.filter(({ metadata }) => !seen.includes(metadata.uid ?? ''));
    return above.length === 0
      ? 0
      : 1 + Math.max(...above.map((owner) => depth(owner, [...seen, object.metadata.uid ?? ''])));
  };
  // the Cluster itself comes last whatever owns it: as long as it is there, and paused, nobody touches the others
  const rank = (object: KubernetesObject): number => (object.kind === 'Cluster' ? -1 : depth(object));
  return [...objects].sort((a, b) => rank(b) - rank(a));
}

function moved({ apiVersion, kind, metadata }: KubernetesObject): MovedObject {
  const { name, namespace = CLUSTER_NAMESPACE, uid = '', deletionTimestamp } = metadata;
  return { apiVersion, kind, metadata: { name, namespace }, uid, deleting: deletionTimestamp !== undefined };
}
