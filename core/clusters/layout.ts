import type { ClusterRole, KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ClusterOperation } from '../../contracts/provider-plugin.ts';
import { version } from '../../contracts/version.ts';
import { SealiftError } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { noneIfUnknown } from '../kubernetes/unknown-kind.ts';
import { specApiVersion, specGroup } from './spec/common-schema.ts';
import { isProblem } from './spec/findings.ts';
import { byVersion } from './spec/syntax.ts';

/**
 * How specifications are kept on a management cluster: kinds, fields, rules, annotations. Raised when an older Sealift would
 * misread or damage what a newer one keeps. 0 is what EKS Anywhere kept before it told management clusters from workload
 * clusters (v0.5): no marks, no rules, a GitOpsConfig as it is, worker groups without names.
 */
export const LAYOUT = 1;

const LAYOUT_ANNOTATION = 'sealift.dev/layout';
const VERSION_ANNOTATION = 'sealift.dev/version';
const NEWER = 'management.newer-sealift';
const OLDER = 'management.older-layout';

/** What is kept there, as its marks say it. */
export interface KeptLayout {
  /** of the definitions; Infinity where it is no number */
  layout: number;
  /** the newest of definitions and documents: who wrote the newest may have replaced older ones only in part */
  newest: number;
  /** the newest Sealift that wrote any of it; undefined where none did */
  version?: string;
}

/** Annotations of everything that is kept. @param writer version of Sealift */
export function layoutMarks(writer: string): Record<string, string> {
  return { [LAYOUT_ANNOTATION]: String(LAYOUT), [VERSION_ANNOTATION]: writer };
}

/** @returns undefined where no specifications are kept. @throws SealiftError those of a Cluster */
export async function readLayout(on: Cluster): Promise<KeptLayout | undefined> {
  const metadata = { name: `clusters.${specGroup}` };
  const definition = await on.get({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata,
  });
  if (definition === undefined) return undefined;
  const documents = await on.list({ apiVersion: specApiVersion, kind: 'Cluster' }).catch(noneIfUnknown);
  const all = [definition, ...documents];
  const versions = all.flatMap((object) => object.metadata.annotations?.[VERSION_ANNOTATION] ?? []).sort(byVersion);
  const newestVersion = versions.at(-1);
  return {
    layout: layoutOf(definition),
    newest: Math.max(...all.map(layoutOf)),
    ...(newestVersion === undefined ? {} : { version: newestVersion }),
  };
}

/** The first Sealift wrote its version alone. */
function layoutOf({ metadata: { annotations = {} } }: KubernetesObject): number {
  const mark = annotations[LAYOUT_ANNOTATION];
  if (mark === undefined) return annotations[VERSION_ANNOTATION] === undefined ? 0 : 1;
  return /^\d+$/.test(mark) ? Number(mark) : Infinity;
}

/**
 * What forbids an operation because another Sealift keeps the specifications. A newer one forbids everything. An older layout is
 * brought to the present one by an upgrade of the management cluster; until then no workload cluster is made or upgraded there:
 * who makes those need not have the right to change what all clusters rely on (EKS Anywhere's own order of upgrades).
 * @throws SealiftError those of a Cluster
 */
export async function layoutFindings(
  on: Cluster,
  { operation, role }: { operation: ClusterOperation; role: ClusterRole },
): Promise<Finding[]> {
  const kept = await readLayout(on);
  if (kept === undefined) return [];
  const newer = newerThanThis(kept);
  if (newer !== undefined) return [{ id: NEWER, status: 'problem', subject: on.server, ...newer }];
  if (kept.layout >= LAYOUT || operation === 'delete') return [];
  const said = `specifications are kept there as an older ${kept.version === undefined ? 'tool' : 'Sealift'} did (layout ${kept.layout}; this is ${LAYOUT})`;
  if (role === 'workload') {
    const remedy = 'upgrade the management cluster first: sealift upgrade cluster -f ... --bundle ...; then retry';
    return [{ id: OLDER, status: 'problem', subject: on.server, message: said, remedy }];
  }
  if (operation === 'create') return [];
  return [{ id: OLDER, status: 'warning', subject: on.server, message: `${said}, and brought up to it`, remedy: '' }];
}

/** Whether findings say that what is kept cannot be relied on to be understood. */
export function isBeyondThis(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.id === NEWER && isProblem(finding));
}

/** Whether findings say that an upgrade brings what is kept to the present layout. */
export function bringsLayoutUp(findings: readonly Finding[]): boolean {
  return findings.some(({ id, status }) => id === OLDER && status === 'warning');
}

/** For what reads what is kept without being a validation. @throws SealiftError ValidationFailed when a newer Sealift keeps it */
export async function refuseNewer(on: Cluster, operation: string): Promise<void> {
  const kept = await readLayout(on);
  const newer = kept === undefined ? undefined : newerThanThis(kept);
  if (newer === undefined) return;
  throw new SealiftError('ValidationFailed', { side: 'cluster', operation, subject: on.server, ...newer });
}

/** @returns undefined when this Sealift understands it */
export function newerThanThis(kept: KeptLayout): Pick<Finding, 'message' | 'remedy'> | undefined {
  const { newest, version: writer } = kept;
  if (writer !== undefined && byVersion(writer, version) > 0) {
    return {
      message: `a newer Sealift (${writer}) keeps specifications there; this one is ${version}`,
      remedy: `use Sealift ${writer} or newer`,
    };
  }
  if (newest <= LAYOUT) return undefined;
  const found = newest === Infinity ? 'a layout that is no number' : `layout ${newest}`;
  return {
    message: `specifications are kept there in ${found}, and this Sealift (${version}) knows those up to ${LAYOUT}`,
    remedy: 'use the Sealift that keeps them, or a newer one',
  };
}
