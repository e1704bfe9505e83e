import { isDeepStrictEqual } from 'node:util';
import { valueAt } from '../../sources/yaml-documents.ts';
import type { Finder } from './findings.ts';

/** A field that may not change once its object exists. */
export interface ImmutableField {
  path: readonly string[];
  /** why it cannot change: the rest of a sentence that begins with the field */
  reason: string;
  /** may change for workload clusters: their machines are rolled from outside, by a management cluster that stays as it is */
  relaxedForWorkload: boolean;
  /** only whether the field is there may not change */
  presence: boolean;
  /** the same as a rule of x-kubernetes-validations at the root of the object (transition rule: `oldSelf` is the object before) */
  celRule: string;
}

/** @param path as `spec.clusterNetwork.pods` */
export function immutableField(
  path: string,
  reason: string,
  options: Partial<Pick<ImmutableField, 'relaxedForWorkload' | 'presence'>> = {},
): ImmutableField {
  const { relaxedForWorkload = false, presence = false } = options;
  const [now, before] = [present('self', path), present('oldSelf', path)];
  const same = presence
    ? `(${now}) == (${before})`
    : `(${now}) == (${before}) && (!(${now}) || self.${path} == oldSelf.${path})`;
  return {
    path: path.split('.'),
    reason,
    relaxedForWorkload,
    presence,
    celRule: relaxedForWorkload ? `(${isWorkload}) || (${same})` : same,
  };
}

/** That the object was a workload cluster: as `roleOf` reads it. */
const isWorkload =
  'has(oldSelf.spec.management) ? !oldSelf.spec.management : ' +
  'has(oldSelf.spec.managementCluster) && has(oldSelf.spec.managementCluster.name) && ' +
  "oldSelf.spec.managementCluster.name != '' && oldSelf.spec.managementCluster.name != oldSelf.metadata.name";

/** CEL has no null for fields that are not there: every step of the path is asked for. */
function present(root: string, path: string): string {
  const steps = path.split('.');
  return steps.map((_, index) => `has(${[root, ...steps.slice(0, index + 1)].join('.')})`).join(' && ');
}

/** Finds the fields of the table that differ. @param relaxed the object belongs to a workload cluster */
export function immutableRules(
  table: readonly ImmutableField[],
  [previous, next]: readonly [object, object],
  relaxed: boolean,
  at: Finder,
): void {
  for (const { path, reason, relaxedForWorkload, presence } of table) {
    if (relaxed && relaxedForWorkload) continue;
    const [before, after] = [valueAt(previous, path), valueAt(next, path)];
    const same = presence ? (before === undefined) === (after === undefined) : isDeepStrictEqual(before, after);
    if (same) continue;
    at.problem('immutable', path, reason, 'put the former value back, or make a new cluster');
  }
}
