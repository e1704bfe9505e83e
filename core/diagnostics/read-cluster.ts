import { z } from 'zod';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ClusterPlace } from '../../contracts/clusters.ts';
import { openApiServer, type ApiServer } from '../kubernetes/api-server.ts';
import { Limiter } from '../transfer/concurrency.ts';
import { chooseKinds, EVENTS, SECRETS, type CollectedKind } from './choose-kinds.ts';
import { readPodLogs } from './pod-logs.ts';
import { reasonOf, type RawText } from './raw-text.ts';
import type { SecretValues } from './secret-values.ts';
import { stripObject } from './strip-object.ts';

/** What one cluster says of itself. Objects are without what is secret by its place; all the rest is still to be redacted. */
export interface ClusterReading {
  place: ClusterPlace;
  /** URL of its API server; undefined when the kubeconfig could not be read */
  server?: string;
  answered: boolean;
  /** `<kind>.<group>` -> objects */
  objects: Map<string, KubernetesObject[]>;
  events: KubernetesObject[];
  logs: RawText[];
  /** what could not be read, and why */
  missing: string[];
}

/** Objects of a kind; a fleet has more machines than anybody reads through. */
const MAX_OBJECTS = 2000;
const PAGE = 250;
const CONNECTIONS = 6;
/** Helm keeps whole charts, values included, in Secrets of a megabyte each. */
const NO_HELM = 'type!=helm.sh/release.v1';

const pageSchema = z.looseObject({
  metadata: z.looseObject({ continue: z.string().optional() }).optional(),
  items: z.array(z.unknown()).nullable(),
});

/**
 * Reads what a cluster says of itself, as far as it answers before `signal`; never fails for what the cluster does. What its
 * Secrets hold is added to `secrets`.
 */
export async function readCluster(
  { place, kubeconfig }: { place: ClusterPlace; kubeconfig: string },
  secrets: SecretValues,
  signal: AbortSignal,
): Promise<ClusterReading> {
  const reading: ClusterReading = { place, answered: false, objects: new Map(), events: [], logs: [], missing: [] };
  try {
    await using server = await openApiServer(kubeconfig);
    reading.server = server.url;
    await readAll(server, reading, secrets, signal);
  } catch (error) {
    reading.missing.push(`the rest: ${reasonOf(error)}`);
  }
  return reading;
}

async function readAll(
  server: ApiServer,
  reading: ClusterReading,
  secrets: SecretValues,
  signal: AbortSignal,
): Promise<void> {
  const kinds = await chooseKinds(server, signal);
  reading.answered = true;
  const limiter = new Limiter(CONNECTIONS);
  const read = async (kind: CollectedKind, most?: number): Promise<boolean> => {
    try {
      const found = await limiter.run(() => list(server, kind, signal, most));
      if (found.isCut) reading.missing.push(`${kind.kind}: only ${found.objects.length} of them were read`);
      keep(
        reading,
        kind,
        found.objects.map((object) => stripObject(object, secrets)),
      );
      return true;
    } catch (error) {
      reading.missing.push(`${kind.kind} (${kind.apiVersion}): ${reasonOf(error)}`);
      return false;
    }
  };
  const knowsSecrets = await read(SECRETS, Infinity);
  await Promise.all(kinds.map((kind) => read(kind)));
  if (!knowsSecrets) {
    reading.missing.push('events and logs: its Secrets are not known, so nothing can be kept out of them');
    return;
  }
  await read(EVENTS);
  const pods = reading.objects.get('Pod') ?? [];
  await readPodLogs(server, pods, { limiter, signal, logs: reading.logs, missing: reading.missing });
}

function keep(reading: ClusterReading, { apiVersion, kind }: CollectedKind, objects: KubernetesObject[]): void {
  if (objects.length === 0) return;
  if (kind === EVENTS.kind) reading.events = objects;
  else reading.objects.set(apiVersion.includes('/') ? `${kind}.${apiVersion.split('/')[0]}` : kind, objects);
}

async function list(
  server: ApiServer,
  { apiVersion, kind, path }: CollectedKind,
  signal: AbortSignal,
  most = MAX_OBJECTS,
): Promise<{ objects: KubernetesObject[]; isCut: boolean }> {
  const objects: KubernetesObject[] = [];
  for (let next = ''; ;) {
    const query = {
      limit: String(PAGE),
      ...(kind === SECRETS.kind ? { fieldSelector: NO_HELM } : {}),
      ...(next === '' ? {} : { continue: next }),
    };
    const { body } = await server.ask({ method: 'GET', path, query, operation: 'list', subject: kind, signal });
    const page = pageSchema.parse(body);
    // items of a list do not say what they are
    objects.push(...(page.items ?? []).map((item) => ({ ...(item as KubernetesObject), apiVersion, kind })));
    next = page.metadata?.continue ?? '';
    if (next === '' || objects.length >= most) return { objects, isCut: next !== '' };
  }
}
