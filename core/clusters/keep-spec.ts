import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { describeObject } from '../kubernetes/cluster-access.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { specDefinitions, specObjects } from './definitions.ts';
import { layoutMarks } from './layout.ts';

export interface Keeping {
  providers: readonly ProviderPlugin[];
  /** of Sealift */
  version: string;
  signal: AbortSignal;
}

/**
 * Keeps a specification on a management cluster, in the present layout whatever layout there was: definitions with the rules of
 * what may not change, and the documents as they are said, without what another tool has left in them. May be repeated.
 * @throws SealiftError those of Cluster.applyAll
 */
export async function keepSpec(spec: ClusterSpec, on: Cluster, { providers, version, signal }: Keeping): Promise<void> {
  await on.applyAll(specDefinitions(providers, version), { signal });
  const wanted = specObjects(spec).map((object) => marked(object, version));
  const kept = await on.applyAll(wanted, { signal });
  for (const object of wanted) {
    const found = kept.find((one) => describeObject({ ...one, kind: object.kind }) === describeObject(object));
    // server-side apply leaves fields alone that others have written
    const change = removal(found?.['spec'], object['spec']);
    if (change !== undefined) await on.patch(object, { spec: change });
  }
}

function marked(object: KubernetesObject, version: string): KubernetesObject {
  const annotations = { ...object.metadata.annotations, ...layoutMarks(version) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The merge patch (RFC 7396) that takes out what is found beyond what is wanted; undefined when there is nothing. Lists are whole. */
function removal(found: unknown, wanted: unknown): Record<string, unknown> | undefined {
  if (!isMap(found) || !isMap(wanted)) return undefined;
  const changes = Object.entries(found)
    .map(([field, value]): [string, unknown] => [field, field in wanted ? removal(value, wanted[field]) : null])
    .filter(([, change]) => change !== undefined);
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
