import type { KubernetesObject } from '../../contracts/cluster-spec.ts';

/** The kinds of Flux that clusters in git have, without Flux. */
export function fluxDefinitions(): KubernetesObject[] {
  return [definition('kustomize', 'Kustomization'), definition('source', 'GitRepository')];
}

function definition(part: string, kind: string): KubernetesObject {
  const group = `${part}.toolkit.fluxcd.io`;
  const singular = kind.toLowerCase();
  const plural = singular.endsWith('y') ? `${singular.slice(0, -1)}ies` : `${singular}s`;
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, singular, plural, listKind: `${kind}List` },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}
