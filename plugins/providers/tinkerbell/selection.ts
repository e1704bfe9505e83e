import type { ClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finder } from '../../../core/clusters/spec/findings.ts';
import { labelKeyFault, labelValueFault } from '../../../core/clusters/spec/syntax.ts';
import type { LabelSelector, TinkerbellMachineSpec } from './schema.ts';

export function tinkerbellMachines({ machines }: ClusterSpec): SpecObject<TinkerbellMachineSpec>[] {
  return Object.values(machines) as unknown as SpecObject<TinkerbellMachineSpec>[];
}

/** How a machine config chooses hardware: by one label, or by affinity. */
export function selectionRules(machine: TinkerbellMachineSpec, at: Finder): void {
  const { hardwareSelector = {}, hardwareAffinity } = machine;
  const pairs = Object.entries(hardwareSelector);
  const path = ['spec', 'hardwareSelector'];
  if (pairs.length > 0 && hardwareAffinity !== undefined) {
    const message = 'hardwareSelector and hardwareAffinity both say which hardware';
    at.problem('selector', path, message, 'leave one of them');
  }
  if (pairs.length === 0 && hardwareAffinity === undefined) {
    at.problem(
      'selector',
      path,
      'nothing says which hardware',
      'add hardwareSelector with a label of the hardware list',
    );
  }
  if (pairs.length > 1) {
    at.problem('selector', path, 'hardwareSelector has one label', 'leave one, or use hardwareAffinity');
  }
  for (const [key, value] of pairs) {
    const fault = labelKeyFault(key) ?? labelValueFault(value);
    if (fault !== undefined) at.problem('selector', [...path, key], fault, 'correct the label');
  }
  if (hardwareAffinity !== undefined) affinityRules(hardwareAffinity, at);
}

function affinityRules(affinity: NonNullable<TinkerbellMachineSpec['hardwareAffinity']>, at: Finder): void {
  const path = ['spec', 'hardwareAffinity'];
  if (affinity.required.length === 0) {
    at.problem('affinity', [...path, 'required'], 'it has no term', 'add one: hardware has to match one of them');
  }
  for (const [index, { labelSelector }] of affinity.required.entries()) {
    expressionRules(labelSelector, [...path, 'required', index, 'labelSelector'], at);
  }
  for (const [index, { weight, hardwareAffinityTerm }] of (affinity.preferred ?? []).entries()) {
    const term = [...path, 'preferred', index];
    if (weight < 1 || weight > 100) {
      at.problem('affinity', [...term, 'weight'], `${weight} is no weight`, 'use 1 to 100');
    }
    expressionRules(hardwareAffinityTerm.labelSelector, [...term, 'hardwareAffinityTerm', 'labelSelector'], at);
  }
}

function expressionRules(selector: LabelSelector, path: readonly (string | number)[], at: Finder): void {
  for (const [index, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const expression = [...path, 'matchExpressions', index];
    const needsValues = operator === 'In' || operator === 'NotIn';
    const fault = labelKeyFault(key);
    if (fault !== undefined) at.problem('affinity', [...expression, 'key'], fault, 'correct the key');
    if (needsValues === values.length > 0) continue;
    const message = needsValues ? `${operator} needs values` : `${operator} has no values`;
    at.problem('affinity', expression, message, needsValues ? 'add values' : 'take values out');
  }
}

/** Whether hardware with these labels can become a machine of the config. */
export function selects({ hardwareSelector, hardwareAffinity }: TinkerbellMachineSpec, labels: Labels): boolean {
  if (hardwareAffinity !== undefined) return hardwareAffinity.required.some((term) => fits(term.labelSelector, labels));
  const pairs = Object.entries(hardwareSelector ?? {});
  return pairs.length > 0 && pairs.every(([key, value]) => labels[key] === value);
}

type Labels = Readonly<Record<string, string>>;

/** Kubernetes' rules for label selectors. */
function fits({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = Object.hasOwn(labels, key) ? labels[key]! : undefined;
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
      }
    })
  );
}
