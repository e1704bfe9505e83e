import type { KubernetesObject } from '../../contracts/cluster-spec.ts';

export const CRD = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' } as const;

/** What others need comes first; what could refuse others, before its server runs, comes last. */
const first = [
  ['Namespace'],
  [CRD.kind],
  ['ServiceAccount', 'ClusterRole', 'Role'],
  ['ClusterRoleBinding', 'RoleBinding'],
  ['Secret', 'ConfigMap'],
];
const last = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration', 'ValidatingAdmissionPolicyBinding'];

/** The objects in an order in which they can be applied; otherwise as given. */
export function applyOrder(objects: readonly KubernetesObject[]): KubernetesObject[] {
  return [...objects].sort((a, b) => rankOf(a.kind) - rankOf(b.kind));
}

function rankOf(kind: string): number {
  if (last.includes(kind)) return first.length + 1;
  const rank = first.findIndex((kinds) => kinds.includes(kind));
  return rank === -1 ? first.length : rank;
}
