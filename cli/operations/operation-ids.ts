import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Digest } from '../../contracts/descriptor.ts';

/** Workflow id of an export: one machine writes one file once at a time. `output` is absolute. */
export function exportOperationId(hostTaskQueue: string, output: string): string {
  const place = createHash('sha256')
    .update(hostTaskQueue + output)
    .digest('hex');
  return `export/${basename(output)}-${place.slice(0, 8)}`;
}

/** Workflow id of an import: one bundle goes into one registry namespace once at a time. */
export function importOperationId(bundle: Digest, host: string, namespace: string): string {
  const registry = namespace === '' ? host : `${host}/${namespace}`;
  return `import/${bundle.slice('sha256:'.length, 'sha256:'.length + 12)}/${registry}`;
}

/** Workflow id of an import into folders alone: one bundle goes into the same folders of one machine once at a time. */
export function layOutOperationId(bundle: Digest, hostTaskQueue: string, folders: readonly string[]): string {
  const place = createHash('sha256')
    .update([hostTaskQueue, ...folders].join('\n'))
    .digest('hex');
  return `import/${bundle.slice('sha256:'.length, 'sha256:'.length + 12)}/${basename(folders[0]!)}-${place.slice(0, 8)}`;
}

/** Workflow id of whatever changes a cluster: one thing is done to it at a time. */
export function clusterOperationId(managementCluster: string | undefined, name: string): string {
  return managementCluster === undefined || managementCluster === name
    ? `cluster/${name}`
    : `cluster/${managementCluster}/${name}`;
}
