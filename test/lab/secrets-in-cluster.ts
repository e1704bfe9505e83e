import { expect } from 'vitest';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import type { DiagnosticsArchive } from '../helpers/diagnostics-archive.ts';

/** A Secret of a cluster. */
export interface FoundSecret {
  /** `<namespace>/<name>` */
  name: string;
  /** decoded, by their keys */
  values: Record<string, string>;
}

/** All Secrets of a cluster, each of which an archive of diagnostics has by its name. @param place of the cluster in the archive */
export async function collectedSecrets(
  { file }: DiagnosticsArchive,
  place: string,
  kubeconfig: string,
): Promise<FoundSecret[]> {
  await using cluster = await openCluster(kubeconfig);
  const found = (await cluster.list({ apiVersion: 'v1', kind: 'Secret' })).map((secret) => ({
    name: nameOf(secret),
    values: Object.fromEntries(
      Object.entries((secret['data'] ?? {}) as Record<string, string>).map(([key, value]) => [
        key,
        Buffer.from(value, 'base64').toString('utf8'),
      ]),
    ),
  }));
  const collected = JSON.parse(await file(`${place}/objects/Secret.json`)) as KubernetesObject[];
  expect(collected.map(nameOf)).toEqual(expect.arrayContaining(found.map(({ name }) => name)));
  return found;
}

function nameOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
