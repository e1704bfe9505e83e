import type { ClusterOperationResult } from '../../../contracts/clusters.ts';
import type { OperationResult, ParkedItem } from '../../../contracts/operations.ts';
import type { Problem } from '../../../contracts/errors.ts';
import type { ResultDocument } from '../../context.ts';
import { diagnosticsLines, problemLines } from '../errors.ts';
import { count, formatBytes } from '../format.ts';

/** Where an operation can be looked at and talked to. */
export interface OperationPlace {
  id: string;
  /** link into Temporal's UI */
  ui: string | undefined;
}

/** The result of a finished operation. */
export function operationResultDocument(place: OperationPlace, result: OperationResult): ResultDocument {
  const lines = [
    ...headline(result),
    ...skippedLines(result),
    ...result.warnings.map((warning) => `Warning: ${warning}`),
  ];
  if (place.ui !== undefined) lines.push(`Temporal UI: ${place.ui}`);
  if (result.kind === 'import' && result.registryMirrorConfiguration !== '') {
    lines.push('', 'For a cluster spec:', '', result.registryMirrorConfiguration.trimEnd());
  }
  return { text: `${lines.join('\n')}\n`, json: { ...result, operation: place.id, ui: place.ui ?? null } };
}

/** What waits for a decision, with the commands that give one. */
export function parkedDocument(place: OperationPlace, parked: ParkedItem[], parkedCount: number): ResultDocument {
  const lines = parked.map((item) => `${item.item}\n  ${problemLines(item).trimEnd()}\n`);
  const more = parkedCount > parked.length ? [`and ${parkedCount - parked.length} more\n`] : [];
  const text = [
    `${count(parkedCount, 'item')} of ${place.id} could not be done; all that can be done without is done. What is wrong:\n\n`,
    ...lines,
    ...more,
    diagnosticsLines(parked),
    `\nPut it right, then decide:\n`,
    decisionLines(place.id, parked),
    ...(place.ui === undefined ? [] : [`\nTemporal UI: ${place.ui}\n`]),
  ].join('');
  return { text, json: { kind: 'parked', operation: place.id, ui: place.ui ?? null, parkedCount, parked } };
}

/** The commands for a parked operation, a line each; `skip` where something can be left out. */
export function decisionLines(id: string, parked: readonly ParkedItem[]): string {
  const skippable = parked.some(({ needed }) => needed !== true);
  return [
    `  sealift retry ${id}                 go on; nothing is moved twice`,
    ...(skippable ? [`  sealift skip ${id} [--item ITEM]    go on without what is wrong`] : []),
    `  sealift abort ${id}                 give up`,
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** For programs that read stdout: an operation, or a whole command, that failed. People read the same on stderr. */
export function failureDocument(problems: readonly Problem[], exitCode: number): ResultDocument {
  return { text: '', json: { kind: 'failure', exitCode, problems } };
}

function headline(result: OperationResult): string[] {
  if (result.kind !== 'export' && result.kind !== 'import') return clusterLines(result);
  const contents = [count(result.images, 'image'), count(result.charts, 'chart'), count(result.files, 'file')].join(
    ', ',
  );
  if (result.kind === 'export') {
    return [
      `Exported ${contents} (${count(result.blobs, 'blob')}, ${formatBytes(result.size)}) to ${result.output}`,
      `Bundle: ${result.digest}`,
      `Fetched ${formatBytes(result.bytesFetched)}, reused ${formatBytes(result.bytesReused)}`,
    ];
  }
  const folders = (result.trees ?? []).map(
    ({ tree, folder, written, unchanged, bytesWritten }) =>
      `Wrote ${tree} to ${folder}: ${count(written, 'file')} (${formatBytes(bytesWritten)}) written, ${unchanged} unchanged`,
  );
  const bundle = `Bundle: ${result.bundle}`;
  if (result.registry === '') return [bundle, ...folders];
  return [
    `Imported ${contents} (${count(result.blobs, 'blob')}) into ${result.registry}`,
    bundle,
    `Sent ${formatBytes(result.bytesPushed)}, reused ${formatBytes(result.bytesReused)}; ${count(result.tagsWritten, 'tag')} written, ${result.tagsUnchanged} unchanged`,
    ...folders,
  ];
}

function clusterLines({
  kind,
  name,
  role,
  provider,
  kubernetesVersion,
  nodes,
  kubeconfig,
  wasThere,
  unchanged,
}: ClusterOperationResult): string[] {
  const cluster = `${role} cluster ${name} (${provider}, Kubernetes ${kubernetesVersion})`;
  if (kind === 'delete-cluster') {
    return [wasThere === false ? `There was nothing left of ${cluster} to delete` : `Deleted ${cluster}`];
  }
  const done = kind === 'create-cluster' ? 'Created' : unchanged === true ? 'Nothing to upgrade in' : 'Upgraded';
  return [
    `${done} ${cluster}`,
    ...nodes.map((node) => `  ${node.name}  ${node.role}  ${node.version}`),
    ...(kubeconfig === undefined ? [] : [`Kubeconfig: ${kubeconfig}`]),
  ];
}

function skippedLines(result: OperationResult): string[] {
  if (!('skipped' in result)) return [];
  return result.skipped.map(({ reference, reason }) => `Skipped: ${reference} (${reason})`);
}
