import type { KubernetesObject } from '../../contracts/cluster-spec.ts';

/** A CustomResourceDefinition that lets everything pass, for a kind whose controllers do not run here. */
export function looseDefinition(
  { apiVersion, kind }: { apiVersion: string; kind: string },
  plural: string,
): KubernetesObject {
  const [group, name] = apiVersion.split('/');
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{ name, served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}
