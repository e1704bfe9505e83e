import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { isErrorType } from '../errors.ts';
import { applyOrder, CRD } from './apply-order.ts';
import type { Cluster } from './cluster.ts';
import { waitFor } from './wait.ts';

/** How long a kind of a new CustomResourceDefinition may be unknown after that says it is established. */
const KIND_PATIENCE_MS = 15_000;
const CRD_PATIENCE_MS = 60_000;

type Appliable = Pick<Cluster, 'apply' | 'read' | 'watch' | 'server'>;

/** Applies objects in an order that works; see `Cluster.applyAll`. */
export async function applyAll(
  cluster: Appliable,
  objects: readonly KubernetesObject[],
  signal: AbortSignal | undefined,
): Promise<KubernetesObject[]> {
  const applied: KubernetesObject[] = [];
  const definitions = objects.filter(({ kind }) => kind === CRD.kind);
  let awaited = definitions.length === 0;
  for (const object of applyOrder(objects)) {
    signal?.throwIfAborted();
    if (!awaited && object.kind !== CRD.kind && object.kind !== 'Namespace') {
      await untilEstablished(cluster, definitions, signal);
      awaited = true;
    }
    applied.push(await applyWhenKnown(cluster, object, definitions, signal));
  }
  if (!awaited) await untilEstablished(cluster, definitions, signal);
  return applied;
}

async function untilEstablished(
  cluster: Appliable,
  definitions: readonly KubernetesObject[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const wanted = new Set(definitions.map(({ metadata }) => metadata.name));
  await waitFor(cluster, {
    subject: 'CustomResourceDefinitions',
    watched: [CRD],
    timeoutMs: CRD_PATIENCE_MS,
    ...(signal === undefined ? {} : { signal }),
    decide(found) {
      const ready = found.filter((object) => wanted.has(object.metadata.name) && isEstablished(object));
      const missing = [...wanted].filter((name) => !ready.some(({ metadata }) => metadata.name === name));
      return { done: missing.length === 0, detail: `not established: ${missing.join(', ')}` };
    },
  });
}

function isEstablished(definition: KubernetesObject): boolean {
  // null while the API server looks at a new definition
  const { conditions } = (definition['status'] ?? {}) as { conditions?: { type: string; status: string }[] | null };
  return conditions?.some(({ type, status }) => type === 'Established' && status === 'True') ?? false;
}

/** A kind that was defined a moment ago is not served by every part of the API server yet. */
async function applyWhenKnown(
  cluster: Appliable,
  object: KubernetesObject,
  definitions: readonly KubernetesObject[],
  signal: AbortSignal | undefined,
): Promise<KubernetesObject> {
  const isNew = definitions.some(({ spec }) => (spec as { names?: { kind?: string } }).names?.kind === object.kind);
  const deadline = performance.now() + KIND_PATIENCE_MS;
  for (;;) {
    try {
      return await cluster.apply(object);
    } catch (error) {
      if (!isNew || !isErrorType(error, 'KindUnknown') || performance.now() > deadline) throw error;
      await pause(200, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}
