import { createHash } from 'node:crypto';
import type { KubernetesObject } from '../../../contracts/cluster-spec.ts';
import { canonicalJson } from '../../canonical-json.ts';

/** Where Cluster API's objects of every cluster live on a management cluster, as with EKS Anywhere. */
export const CLUSTER_NAMESPACE = 'eksa-system';

export const capiVersions = {
  cluster: 'cluster.x-k8s.io/v1beta2',
  bootstrap: 'bootstrap.cluster.x-k8s.io/v1beta2',
  controlPlane: 'controlplane.cluster.x-k8s.io/v1beta2',
} as const;

/** The label by which Cluster API knows what belongs to a cluster. */
export const CLUSTER_NAME_LABEL = 'cluster.x-k8s.io/cluster-name';

const HASH_LENGTH = 8;
/** Cluster API adds up to eleven characters to make machine names, which are host names. */
const MAX_NAME = 63 - 11;

/**
 * A template may never be changed, only replaced. A name that carries a digest of the content makes a new one when, and
 * only when, something in it changed.
 */
export function templateObject(apiVersion: string, kind: string, base: string, spec: object): KubernetesObject {
  const hash = createHash('sha256')
    .update(canonicalJson({ apiVersion, kind, spec }))
    .digest('hex')
    .slice(0, HASH_LENGTH);
  const name = `${base.slice(0, MAX_NAME - HASH_LENGTH - 1).replace(/-+$/, '')}-${hash}`;
  return { apiVersion, kind, metadata: { name, namespace: CLUSTER_NAMESPACE }, spec: { template: { spec } } };
}

/** How Cluster API v1beta2 names an object of the same namespace. */
export function contractReference({ apiVersion, kind, metadata }: KubernetesObject): object {
  return { apiGroup: apiVersion.split('/')[0], kind, name: metadata.name };
}
