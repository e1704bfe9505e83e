import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { looseDefinition } from '../helpers/loose-definition.ts';

/** The kinds of Flux that clusters in git have, without Flux. */
export function fluxDefinitions(): KubernetesObject[] {
  return [
    looseDefinition({ apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' }, 'kustomizations'),
    looseDefinition({ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'GitRepository' }, 'gitrepositories'),
  ];
}
