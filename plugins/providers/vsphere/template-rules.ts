import { basename } from 'node:path/posix';
import type { ClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { finder, subjectOf, type Finder } from '../../../core/clusters/spec/findings.ts';
import type { Govc } from './govc.ts';
import type { Inventory } from './inventory.ts';
import { tagsOf } from './ova/descriptor.ts';
import type { CheckedImport } from './ova/rules.ts';
import { findOne } from './placement-rules.ts';
import { machineDefaults, type Placement } from './placements.ts';
import type { VSphereMachineSpec } from './schema.ts';

const BYTES_PER_KIB = 1024;
const KIB_PER_GIB = 1024 ** 2;
const templatePath = ['spec', 'template'];

/** Of a virtual machine as `govc vm.info -json` shows it. */
interface VirtualMachine {
  config?: { template?: boolean; hardware?: { device?: { capacityInKB?: number }[] } };
  snapshot?: unknown;
}

/**
 * Looks at the template of every machine config: that it is there and a template, has the wanted Kubernetes and operating system,
 * and a disk that a machine can be made from. Of one that will be imported the same is asked, and its OVA answers.
 * @returns the inventory paths of those that are there
 */
export async function templateRules(
  spec: ClusterSpec,
  placements: readonly Placement[],
  inventory: Inventory,
  govc: Govc,
  imports: ReadonlyMap<string, CheckedImport | undefined>,
  findings: Finding[],
): Promise<Set<string>> {
  const templates = new Set<string>();
  for (const machine of new Set(placements.map((placement) => placement.machine))) {
    const at = finder(findings, subjectOf(machine), 'vsphere');
    const named = { name: machine.spec.template ?? '', at, path: templatePath };
    const uses = placements.filter((placement) => placement.machine === machine);
    const wanted = new Set(uses.map((placement) => kubernetesVersion(spec, placement)));
    const imported = imports.get(named.name);
    if (imported !== undefined) contentRules(inOva(imported), machine, wanted, at);
    const template = imports.has(named.name) ? undefined : findOne(inventory, 'virtualMachine', named);
    if (template === undefined) continue;
    templates.add(template);
    contentRules(await inVCenter(template, machine, govc, at), machine, wanted, at);
  }
  return templates;
}

/** What is in a template, there or in its OVA. */
interface Content {
  /** what findings call it */
  subject: string;
  /** its name in vCenter */
  name: string;
  tags: readonly string[];
  /** who says the tags */
  source: string;
  /** of its largest disk, if that is known */
  diskKiB?: number;
}

function contentRules(
  content: Content,
  machine: SpecObject<VSphereMachineSpec>,
  versions: ReadonlySet<string>,
  at: Finder,
): void {
  diskRules(content, machine, at);
  for (const wanted of versions) versionRules(content, wanted, at);
  familyRules(content, machine, at);
}

function inOva({ file, template, ova: { descriptor } }: CheckedImport): Content {
  return {
    ...{ subject: file, name: basename(template), tags: tagsOf(descriptor), source: 'descriptor' },
    diskKiB: (descriptor.disks[0]?.capacity ?? 0) / BYTES_PER_KIB,
  };
}

async function inVCenter(
  template: string,
  machine: SpecObject<VSphereMachineSpec>,
  govc: Govc,
  at: Finder,
): Promise<Content> {
  const { virtualMachines } = (await govc.json('vm.info', template)) as { virtualMachines?: VirtualMachine[] | null };
  const virtualMachine = virtualMachines?.[0] ?? {};
  virtualMachineRules(template, virtualMachine, machine, at);
  const tags = ((await govc.json('tags.attached.ls', '-r', template)) as string[] | null) ?? [];
  const devices = virtualMachine.config?.hardware?.device ?? [];
  const disk = devices.find(({ capacityInKB }) => capacityInKB !== undefined)?.capacityInKB;
  const content = { subject: template, name: basename(template), tags, source: 'tags' };
  return disk === undefined ? content : { ...content, diskKiB: disk };
}

function virtualMachineRules(
  template: string,
  { config, snapshot }: VirtualMachine,
  { spec: { cloneMode } }: SpecObject<VSphereMachineSpec>,
  at: Finder,
): void {
  if (config?.template !== true) {
    const message = `${template} is a virtual machine, not a template`;
    at.problem('template-kind', templatePath, message, `turn it into one: govc vm.markastemplate '${template}'`);
  }
  if (cloneMode === 'linkedClone' && (snapshot === undefined || snapshot === null)) {
    const message = `${template} has no snapshot, and a linked clone needs one`;
    const remedy = 'make one before it becomes a template (govc snapshot.create), or set cloneMode: fullClone';
    at.problem('template-snapshot', ['spec', 'cloneMode'], message, remedy);
  }
}

function diskRules(
  { subject, diskKiB }: Content,
  { spec: { cloneMode, diskGiB = machineDefaults.diskGiB } }: SpecObject<VSphereMachineSpec>,
  at: Finder,
): void {
  if (diskKiB === undefined) return;
  const linked = cloneMode === 'linkedClone';
  const size = Math.ceil(diskKiB / KIB_PER_GIB);
  if (diskGiB < size || (linked && diskGiB !== size)) {
    const message = `${subject} has a disk of ${size} GiB, which ${linked ? 'a linked clone has too' : 'cannot shrink'}`;
    at.problem('template-disk', ['spec', 'diskGiB'], message, `set diskGiB: ${size}${linked ? '' : ', or more'}`);
  }
}

/** The minor version that machines of a use get. */
function kubernetesVersion({ cluster }: ClusterSpec, { use }: Placement): string {
  const { kubernetesVersion: common, workerNodeGroupConfigurations: groups = [] } = cluster.spec;
  return groups.find(({ name }) => use.role === `worker group ${name}`)?.kubernetesVersion ?? common;
}

/**
 * The minor version is in a tag, EKS Anywhere's `eksdRelease:kubernetes-1-34-eks-4` or an import's `kubernetesVersion:v1.34.2`, or in
 * the name, `ubuntu-2204-kube-v1.34`.
 */
function versionRules({ subject, name, tags, source }: Content, wanted: string, at: Finder): void {
  const tagged = tags.flatMap(
    (tag) => /^(?:eksdRelease:kubernetes-1-|kubernetesVersion:v1\.)(\d+)/.exec(tag)?.[1] ?? [],
  );
  const named = /kube(?:rnetes)?[-_]?v?1[.-](\d{2})/i.exec(name)?.[1];
  const found = tagged.length > 0 ? tagged : named === undefined ? [] : [named];
  if (found.length === 0) {
    const message = `neither ${source} nor name of ${subject} say which Kubernetes it has`;
    at.warning('template-version', templatePath, message, `make sure that it is ${wanted}`);
  } else if (!found.some((minor) => `1.${minor}` === wanted)) {
    const message = `${subject} has Kubernetes 1.${found.join(' and 1.')} by its ${tagged.length > 0 ? source : 'name'}, and ${wanted} is wanted`;
    at.problem('template-version', templatePath, message, `name a template with Kubernetes ${wanted}`);
  }
}

function familyRules(
  { subject, tags, source }: Content,
  { spec: { osFamily = 'bottlerocket' } }: SpecObject<VSphereMachineSpec>,
  at: Finder,
): void {
  const families = tags.flatMap((tag) => /^os:(.+)$/.exec(tag)?.[1] ?? []);
  if (families.length === 0 || families.includes(osFamily)) return;
  const message = `${subject} has ${families.join(' and ')} by its ${source}, and osFamily is ${osFamily}`;
  at.problem('template-os', templatePath, message, 'name another template, or correct osFamily');
}
