import { dirname } from 'node:path/posix';
import type { ClusterSpec, SpecObject } from '../../../../contracts/cluster-spec.ts';
import type { Finding, OvaFile } from '../../../../contracts/clusters.ts';
import { finder, subjectOf } from '../../../../core/clusters/spec/findings.ts';
import { resolve, type Inventory } from '../inventory.ts';
import type { Placement } from '../placements.ts';
import type { VSphereMachineSpec } from '../schema.ts';

/** With what is added for the time of an import, a name is 80 characters at most, which is vCenter's limit. */
const MAX_NAME = 53;
const path = ['spec', 'template'];

/** A template that is not there, and the OVA that it is imported from. */
export interface PlannedImport {
  file: string;
  /** its inventory path */
  template: string;
  /** where it goes: that of the first machines that are made from it */
  placement: Placement;
}

/**
 * Which templates have to be imported, by their names in machine configs. Templates that are there need no OVA, which is then not looked at.
 * @param findings takes what is wrong with what was asked
 */
export function planImports(
  spec: ClusterSpec,
  placements: readonly Placement[],
  inventory: Inventory,
  ovas: readonly OvaFile[],
  findings: Finding[],
): Map<string, PlannedImport> {
  const planned = new Map<string, PlannedImport>();
  const seen = new Set<string>();
  const names = [...new Set(placements.map(({ machine }) => templateOf(machine)))];
  const at = finder(findings, subjectOf(spec.cluster), 'vsphere');
  for (const { file, template: given } of ovas) {
    const name = given ?? names[0] ?? '';
    const placement = placements.find(({ machine }) => templateOf(machine) === name);
    if (given === undefined && names.length > 1) {
      const message = `${file} may be for any of the templates ${names.join(', ')}`;
      at.problem('ova', [], message, `say which: --ova ${file}=${names[0]}`);
    } else if (placement === undefined) {
      const remedy = `name one of ${names.join(', ')}, or leave the OVA out`;
      at.problem('ova', [], `no machine config has the template ${name}, which ${file} is for`, remedy);
    } else if (seen.has(name)) {
      at.problem('ova', [], `there are two OVAs for the template ${name}`, 'leave one');
    } else if (resolve(inventory, 'virtualMachine', name).length === 0) {
      const template = pathOf(inventory, name);
      const fault = nameFault(inventory, name, template);
      if (fault === undefined) planned.set(name, { file, template, placement });
      else finder(findings, subjectOf(placement.machine), 'vsphere').problem('template-name', path, ...fault);
    }
    seen.add(name);
  }
  return planned;
}

function templateOf({ spec }: SpecObject<VSphereMachineSpec>): string {
  return spec.template ?? '';
}

/** Relative paths and names begin in the datacenter's folder for virtual machines. */
function pathOf({ root }: Inventory, name: string): string {
  return name.startsWith('/') ? name.replace(/\/+$/, '') : `${root}/vm/${name}`;
}

function nameFault(inventory: Inventory, name: string, template: string): [string, string] | undefined {
  if (name.includes('*')) return [`${name} is a pattern, and what is imported needs a name`, 'write it without *'];
  if (inventory.paths.folder.includes(template)) {
    return [`${template} is a folder`, 'name a template in it, or another'];
  }
  const length = template.length - dirname(template).length - 1;
  if (length <= MAX_NAME) return undefined;
  return [`the name of ${template} has ${length} characters`, `use ${MAX_NAME} at most for what is imported`];
}
