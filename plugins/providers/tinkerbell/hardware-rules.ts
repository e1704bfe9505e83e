import { isDeepStrictEqual } from 'node:util';
import { count } from '../../../contracts/format.ts';
import type { ClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { finder, subjectOf } from '../../../core/clusters/spec/findings.ts';
import { machineUses, type MachineUse } from '../../../core/clusters/spec/machine-uses.ts';
import type { Hardware } from './hardware-csv.ts';
import type { TinkerbellMachineSpec } from './schema.ts';
import { selects } from './selection.ts';

/**
 * Whether the hardware is enough, and every machine of it for one purpose only.
 * @param hardware all that there is for the cluster, what it has already included
 * @param rolling machines are about to be exchanged one by one, which takes spare ones
 */
export function hardwareRules(
  spec: ClusterSpec,
  hardware: readonly Pick<Hardware, 'hostname' | 'labels'>[],
  rolling: boolean,
): Finding[] {
  const findings: Finding[] = [];
  const selections = selectionsOf(spec);
  for (const { machine, uses } of selections) {
    const matching = hardware.filter(({ labels }) => selects(machine.spec, labels)).length;
    const needed = uses.reduce((sum, use) => sum + use.count + (rolling ? spareOf(use, spec) : 0), 0);
    if (matching >= needed) continue;
    const roles = uses.map(({ role }) => role).join(', ');
    const spare = rolling ? ', the spare ones of a rolling upgrade included' : '';
    const message = `it takes ${count(needed, 'machine')} (${roles}${spare}), and its selection finds ${matching}`;
    const at = finder(findings, subjectOf(machine), 'tinkerbell');
    at.problem(
      'hardware',
      ['spec', selectorField(machine)],
      message,
      'add hardware with these labels to the list, or ask for fewer machines',
    );
  }
  for (const one of hardware) {
    const chosen = selections.filter(({ machine }) => selects(machine.spec, one.labels));
    if (chosen.length < 2) continue;
    const names = chosen.map(({ machine }) => machine.metadata.name).join(' and ');
    const at = finder(findings, one.hostname, 'tinkerbell');
    const message = `it is selected by ${names}: which of them gets it would be left to chance`;
    at.problem('hardware', ['labels'], message, 'let selectors differ, and give hardware the label of one');
  }
  return findings;
}

interface Selection {
  machine: SpecObject<TinkerbellMachineSpec>;
  uses: MachineUse[];
}

/** The machine configs that are used; those that select the same hardware count together. */
function selectionsOf(spec: ClusterSpec): Selection[] {
  const selections: Selection[] = [];
  for (const use of machineUses(spec)) {
    if (use.machine === undefined) continue;
    const machine = use.machine as unknown as SpecObject<TinkerbellMachineSpec>;
    const same = selections.find((one) => isDeepStrictEqual(selectorOf(one.machine), selectorOf(machine)));
    if (same === undefined) selections.push({ machine, uses: [use] });
    else same.uses.push(use);
  }
  return selections;
}

function selectorOf({ spec }: SpecObject<TinkerbellMachineSpec>): unknown {
  return [spec.hardwareSelector, spec.hardwareAffinity];
}

function selectorField({ spec }: SpecObject<TinkerbellMachineSpec>): string {
  return spec.hardwareAffinity === undefined ? 'hardwareSelector' : 'hardwareAffinity';
}

/** How many machines a rolling upgrade has more for a while: Cluster API's default is one. */
function spareOf({ path }: MachineUse, { cluster }: ClusterSpec): number {
  const { controlPlaneConfiguration, workerNodeGroupConfigurations = [] } = cluster.spec;
  const group = typeof path[2] === 'number' ? workerNodeGroupConfigurations[path[2]] : controlPlaneConfiguration;
  const { type, rollingUpdate } = group?.upgradeRolloutStrategy ?? {};
  return type === 'InPlace' ? 0 : (rollingUpdate?.maxSurge ?? 1);
}
