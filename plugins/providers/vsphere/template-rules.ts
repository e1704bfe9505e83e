import { basename } from 'node:path/posix';
import type { ClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { finder, subjectOf, type Finder } from '../../../core/clusters/spec/findings.ts';
import type { Govc } from './govc.ts';
import type { Inventory } from './inventory.ts';
import { findOne } from './placement-rules.ts';
import { machineDefaults, type Placement } from './placements.ts';
import type { VSphereMachineSpec } from './schema.ts';

const KIB_PER_GIB = 1024 ** 2;
const templatePath = ['spec', 'template'];

/** Of a virtual machine as `govc vm.info -json` shows it. */
interface VirtualMachine {
  config?: { template?: boolean; hardware?: { device?: { capacityInKB?: number }[] } };
  snapshot?: unknown;
}

/**
 * Looks at the template of every machine config: that it is there and a template, has the wanted Kubernetes and operating system,
 * and a disk that a machine can be made from.
 * @returns the inventory paths of those that are there
 */
export async function templateRules(
  spec: ClusterSpec,
  placements: readonly Placement[],
  inventory: Inventory,
  govc: Govc,
  findings: Finding[],
): Promise<Set<string>> {
  const templates = new Set<string>();
  for (const machine of new Set(placements.map((placement) => placement.machine))) {
    const at = finder(findings, subjectOf(machine), 'vsphere');
    const named = { name: machine.spec.template ?? '', at, path: templatePath };
    const template = findOne(inventory, 'virtualMachine', named);
    if (template === undefined) continue;
    templates.add(template);
    const { virtualMachines } = (await govc.json('vm.info', template)) as { virtualMachines?: VirtualMachine[] | null };
    virtualMachineRules(template, virtualMachines?.[0] ?? {}, machine, at);
    const tags = ((await govc.json('tags.attached.ls', '-r', template)) as string[] | null) ?? [];
    const uses = placements.filter((placement) => placement.machine === machine);
    const versions = new Set(uses.map((placement) => kubernetesVersion(spec, placement)));
    for (const wanted of versions) versionRules(template, tags, wanted, at);
    familyRules(template, tags, machine, at);
  }
  return templates;
}

function virtualMachineRules(
  template: string,
  { config, snapshot }: VirtualMachine,
  { spec: { cloneMode, diskGiB = machineDefaults.diskGiB } }: SpecObject<VSphereMachineSpec>,
  at: Finder,
): void {
  if (config?.template !== true) {
    const message = `${template} is a virtual machine, not a template`;
    at.problem('template-kind', templatePath, message, `turn it into one: govc vm.markastemplate '${template}'`);
  }
  const linked = cloneMode === 'linkedClone';
  if (linked && (snapshot === undefined || snapshot === null)) {
    const message = `${template} has no snapshot, and a linked clone needs one`;
    const remedy = 'make one before it becomes a template (govc snapshot.create), or set cloneMode: fullClone';
    at.problem('template-snapshot', ['spec', 'cloneMode'], message, remedy);
  }
  const disk = config?.hardware?.device?.find(({ capacityInKB }) => capacityInKB !== undefined)?.capacityInKB;
  if (disk === undefined) return;
  const size = Math.ceil(disk / KIB_PER_GIB);
  if (diskGiB < size || (linked && diskGiB !== size)) {
    const message = `${template} has a disk of ${size} GiB, which ${linked ? 'a linked clone has too' : 'cannot shrink'}`;
    at.problem('template-disk', ['spec', 'diskGiB'], message, `set diskGiB: ${size}${linked ? '' : ', or more'}`);
  }
}

/** The minor version that machines of a use get. */
function kubernetesVersion({ cluster }: ClusterSpec, { use }: Placement): string {
  const { kubernetesVersion: common, workerNodeGroupConfigurations: groups = [] } = cluster.spec;
  return groups.find(({ name }) => use.role === `worker group ${name}`)?.kubernetesVersion ?? common;
}

/** The minor version is in a tag of EKS Anywhere's, `eksdRelease:kubernetes-1-34-eks-4`, or in the name, `ubuntu-2204-kube-v1.34`. */
function versionRules(template: string, tags: readonly string[], wanted: string, at: Finder): void {
  const tagged = tags.flatMap((tag) => /^eksdRelease:kubernetes-1-(\d+)/.exec(tag)?.[1] ?? []);
  const named = /kube(?:rnetes)?[-_]?v?1[.-](\d{2})/i.exec(basename(template))?.[1];
  const found = tagged.length > 0 ? tagged : named === undefined ? [] : [named];
  if (found.length === 0) {
    const message = `neither tags nor name of ${template} say which Kubernetes it has`;
    at.warning('template-version', templatePath, message, `make sure that it is ${wanted}`);
  } else if (!found.some((minor) => `1.${minor}` === wanted)) {
    const message = `${template} has Kubernetes 1.${found.join(' and 1.')} by its ${tagged.length > 0 ? 'tags' : 'name'}, and ${wanted} is wanted`;
    at.problem('template-version', templatePath, message, `name a template with Kubernetes ${wanted}`);
  }
}

function familyRules(
  template: string,
  tags: readonly string[],
  { spec: { osFamily = 'bottlerocket' } }: SpecObject<VSphereMachineSpec>,
  at: Finder,
): void {
  const families = tags.flatMap((tag) => /^os:(.+)$/.exec(tag)?.[1] ?? []);
  if (families.length === 0 || families.includes(osFamily)) return;
  const message = `${template} has ${families.join(' and ')} by its tags, and osFamily is ${osFamily}`;
  at.problem('template-os', templatePath, message, 'name another template, or correct osFamily');
}
