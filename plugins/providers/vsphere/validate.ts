import type { ClusterSpec, LocatedDocument, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import type { CheckedDocument } from '../../../contracts/provider-plugin.ts';
import { finder, subjectOf, type Finder } from '../../../core/clusters/spec/findings.ts';
import { immutableField, immutableRules } from '../../../core/clusters/spec/immutable-fields.ts';
import { machineUses, type MachineUse } from '../../../core/clusters/spec/machine-uses.ts';
import { hostRules, infrastructureRules, type MachineHost } from '../../../core/clusters/spec/rules/machine-rules.ts';
import { checkShape } from '../../../core/clusters/spec/shape.ts';
import { schemas, type VSphereDatacenterSpec, type VSphereMachineSpec } from './schema.ts';

/** Fields of a VSphereDatacenterConfig that its machines were made with. */
export const immutableDatacenterFields = [
  immutableField('spec.server', 'the vCenter of machines that exist cannot change'),
  immutableField('spec.datacenter', 'the datacenter of machines that exist cannot change'),
  immutableField('spec.network', 'the network of the control plane cannot change'),
];

export const immutableMachineFields = [
  immutableField('spec.osFamily', 'machines keep their operating system'),
  immutableField('spec.storagePolicyName', 'machines keep their storage policy'),
];

/** Upstream's least; it raises what is less without a word. */
const leastDiskGiB = 20;
const leastMemoryMiB = 2048;
/** kubeadm refuses a control plane with less. */
const leastControlPlaneCpus = 2;

/** Unknown fields and wrong types in a document of vSphere. */
export function checkDocument(kind: string, document: LocatedDocument): CheckedDocument {
  return checkShape(document, schemas[kind]!);
}

/**
 * What can be said about a specification for vSphere without asking vCenter.
 * @param now certificates have to be valid then
 */
export function validateSpec(spec: ClusterSpec, previous?: ClusterSpec, now: Date = new Date()): Finding[] {
  const uses = machineUses(spec);
  const findings = infrastructureRules(spec, uses);
  const datacenter = spec.datacenter as unknown as SpecObject<VSphereDatacenterSpec>;
  datacenterRules(datacenter.spec, finder(findings, subjectOf(spec.datacenter), 'vsphere'));
  const machines = Object.values(spec.machines) as unknown as SpecObject<VSphereMachineSpec>[];
  for (const machine of machines) {
    const at = finder(findings, subjectOf(machine), 'vsphere');
    machineRules(machine.spec, datacenter.spec, at);
    bottlerocketRules(machine.spec, at);
    hostRules(machine as SpecObject<MachineHost>, at, now);
  }
  const at = finder(findings, subjectOf(spec.cluster), 'vsphere');
  clusterRules(spec, uses, datacenter.spec, at);
  useRules(uses, findings);
  if (previous !== undefined) findings.push(...changes(previous, spec));
  return findings;
}

function datacenterRules(datacenter: VSphereDatacenterSpec, at: Finder): void {
  for (const field of ['server', 'datacenter', 'network'] as const) {
    if (datacenter[field] === '') at.problem('missing', ['spec', field], 'it is empty', `name the ${field}`);
  }
  if (/[/@]/.test(datacenter.server)) {
    const message = 'it is the name or address of vCenter alone, without scheme, path or user';
    at.problem('server', ['spec', 'server'], message, 'write it as vcenter.example.com');
  }
  networkPathRules(datacenter.network, datacenter.datacenter, ['spec', 'network'], at);
  thumbprintRules(datacenter, at);
  const seen = new Set<string>();
  for (const [index, domain] of (datacenter.failureDomains ?? []).entries()) {
    const path = ['spec', 'failureDomains', index];
    for (const [field, value] of Object.entries(domain)) {
      if (value === '')
        at.problem('missing', [...path, field], 'it is empty', 'a failure domain names all of its parts');
    }
    networkPathRules(domain.network, datacenter.datacenter, [...path, 'network'], at);
    if (seen.has(domain.name)) {
      at.problem('failure-domain', [...path, 'name'], `there are two failure domains ${domain.name}`, 'leave one');
    }
    seen.add(domain.name);
  }
}

function networkPathRules(network: string, datacenter: string, path: readonly (string | number)[], at: Finder): void {
  if (!network.startsWith('/') || network.startsWith(`/${datacenter}/network/`)) return;
  const message = `${network} is not below /${datacenter}/network`;
  at.problem('network', path, message, 'write the inventory path of a network of this datacenter, or its name');
}

function thumbprintRules({ thumbprint = '', insecure = false }: VSphereDatacenterSpec, at: Finder): void {
  if (insecure) {
    const message = 'the certificate of vCenter is not checked: whoever answers in its place gets the password';
    at.warning('insecure', ['spec', 'insecure'], message, 'set it to false, and give the thumbprint');
  } else if (thumbprint === '') {
    const message = 'without a thumbprint Cluster API does not check the certificate of vCenter at all';
    at.warning('thumbprint', ['spec', 'thumbprint'], message, 'give it, also where the certificate is signed by a CA');
  } else if (!/^([0-9a-f]{2}:){19}([0-9a-f]{2})$|^([0-9a-f]{2}:){31}([0-9a-f]{2})$/i.test(thumbprint)) {
    const message = 'it is no SHA-1 or SHA-256 thumbprint, which is 20 or 32 bytes with colons between';
    at.warning('thumbprint', ['spec', 'thumbprint'], message, 'copy what `govc about.cert -k -thumbprint` shows');
  }
}

function machineRules(machine: VSphereMachineSpec, { datacenter }: VSphereDatacenterSpec, at: Finder): void {
  for (const field of ['datastore', 'resourcePool'] as const) {
    if (machine[field] === '') at.problem('missing', ['spec', field], 'it is empty', `name the ${field}`);
  }
  if ((machine.template ?? '') === '') {
    const message = 'nothing says which template machines are made from';
    at.problem('template', ['spec', 'template'], message, 'name a template with this version of Kubernetes');
  }
  for (const [field, folder] of [
    ['folder', 'vm'],
    ['datastore', 'datastore'],
    ['template', 'vm'],
  ] as const) {
    const given = machine[field] ?? '';
    if (!given.startsWith('/') || `${given}/`.startsWith(`/${datacenter}/${folder}/`)) continue;
    const message = `${given} is not below /${datacenter}/${folder}`;
    at.problem('path', ['spec', field], message, 'write an inventory path in this datacenter, or a name');
  }
  for (const [field, least, why] of [
    ['numCPUs', 1, 'a machine has one at least'],
    ['memoryMiB', leastMemoryMiB, 'Kubernetes does not start with less'],
    ['diskGiB', leastDiskGiB, 'images need the room'],
  ] as const) {
    const given = machine[field];
    if (given === undefined || given >= least) continue;
    at.problem('size', ['spec', field], `${given} is too little: ${why}`, `use ${least} or more`);
  }
  if ((machine.networks?.length ?? 0) > 2) {
    at.problem('networks', ['spec', 'networks', 2], 'a machine has two networks at most', 'leave two');
  }
  for (const [index, tag] of (machine.tags ?? []).entries()) {
    if (/^urn:vmomi:InventoryServiceTag:[^:]+:GLOBAL$/.test(tag)) continue;
    const remedy = 'write it as urn:vmomi:InventoryServiceTag:UUID:GLOBAL';
    at.problem('tag', ['spec', 'tags', index], `${JSON.stringify(tag)} is not the id of a tag`, remedy);
  }
}

function bottlerocketRules({ osFamily, users = [] }: VSphereMachineSpec, at: Finder): void {
  if ((osFamily ?? 'bottlerocket') !== 'bottlerocket') return;
  const told = osFamily === undefined ? 'without osFamily it is Bottlerocket' : 'it is Bottlerocket';
  const message = `${told}, whose settings only EKS Anywhere's own Cluster API can write, and Sealift renders upstream's`;
  at.problem('bottlerocket', ['spec', 'osFamily'], message, 'set osFamily: ubuntu or redhat, and name such a template');
  const [user] = users;
  if (user === undefined || user.name === 'ec2-user') return;
  const wrong = `the user of Bottlerocket is ec2-user, not ${JSON.stringify(user.name)}`;
  at.problem('users', ['spec', 'users', 0, 'name'], wrong, 'use ec2-user, or set osFamily');
}

function clusterRules(
  spec: ClusterSpec,
  uses: readonly MachineUse[],
  { failureDomains = [] }: VSphereDatacenterSpec,
  at: Finder,
): void {
  const { workerNodeGroupConfigurations: groups = [], externalEtcdConfiguration: etcd } = spec.cluster.spec;
  if (groups.length === 0) {
    const path = ['spec', 'workerNodeGroupConfigurations'];
    at.problem('workers', path, 'a cluster on vSphere has at least one worker group', 'add one');
  }
  const { upgradeRolloutStrategy } = spec.cluster.spec.controlPlaneConfiguration;
  const inPlace = [
    { path: ['controlPlaneConfiguration'], strategy: upgradeRolloutStrategy },
    ...groups.map((group, index) => ({
      path: ['workerNodeGroupConfigurations', index],
      strategy: group.upgradeRolloutStrategy,
    })),
  ].filter(({ strategy }) => strategy?.type === 'InPlace');
  for (const { path } of inPlace) {
    const type = ['spec', ...path, 'upgradeRolloutStrategy', 'type'];
    at.problem('rollout', type, 'machines on vSphere are not upgraded in place', 'use RollingUpdate');
  }
  for (const [index, { failureDomains: chosen = [] }] of groups.entries()) {
    const path = ['spec', 'workerNodeGroupConfigurations', index, 'failureDomains'];
    if (chosen.length > 1) {
      at.problem('failure-domain', path, 'a worker group is in one failure domain', 'make a worker group for each');
    }
    for (const [entry, name] of chosen.entries()) {
      if (failureDomains.some((domain) => domain.name === name)) continue;
      const message = `the datacenter has no failure domain ${name}`;
      at.problem('failure-domain', [...path, entry], message, 'add it to failureDomains there, or correct the name');
    }
  }
  if (etcd !== undefined) {
    const message = 'machines of its own for etcd are not made yet';
    const remedy = 'take it out: etcd then runs on the machines of the control plane';
    at.problem('external-etcd', ['spec', 'externalEtcdConfiguration'], message, remedy);
  }
  const families = new Set(uses.flatMap(({ machine }) => (machine === undefined ? [] : [familyOf(machine)])));
  if (etcd !== undefined && families.size > 1) {
    const message = `with external etcd all machines have one operating system, and here are ${[...families].join(' and ')}`;
    at.problem('os-family', ['spec', 'externalEtcdConfiguration', 'machineGroupRef'], message, 'use one osFamily');
  }
}

function familyOf({ spec }: SpecObject): string {
  return (spec['osFamily'] as string | undefined) ?? 'bottlerocket';
}

/** What depends on what a machine config is used for. */
function useRules(uses: readonly MachineUse[], findings: Finding[]): void {
  const plane = uses.find(({ role }) => role === 'control plane')?.machine;
  const cpus = plane?.spec['numCPUs'];
  if (plane !== undefined && cpus === leastControlPlaneCpus - 1) {
    const at = finder(findings, subjectOf(plane), 'vsphere');
    const message = 'one CPU is too little for a control plane: kubeadm refuses it';
    at.problem('size', ['spec', 'numCPUs'], message, `use ${leastControlPlaneCpus} or more`);
  }
  const told = new Set<string>();
  for (const { role, machine } of uses.filter((use) => !use.role.startsWith('worker group'))) {
    if (machine?.spec['networks'] === undefined || told.has(machine.metadata.name)) continue;
    told.add(machine.metadata.name);
    const message = `machines of the ${role} have the network of the datacenter, and no others`;
    const remedy = 'take networks out, or use another VSphereMachineConfig for the workers';
    finder(findings, subjectOf(machine), 'vsphere').problem('networks', ['spec', 'networks'], message, remedy);
  }
}

function changes(previous: ClusterSpec, next: ClusterSpec): Finding[] {
  const findings: Finding[] = [];
  const relaxed = previous.role === 'workload';
  const datacenter = finder(findings, subjectOf(next.datacenter), 'vsphere');
  immutableRules(immutableDatacenterFields, [previous.datacenter, next.datacenter], relaxed, datacenter);
  for (const [name, machine] of Object.entries(next.machines)) {
    const before = Object.hasOwn(previous.machines, name) ? previous.machines[name] : undefined;
    if (before === undefined) continue;
    const at = finder(findings, subjectOf(machine), 'vsphere');
    immutableRules(immutableMachineFields, [before, machine], relaxed, at);
  }
  return findings;
}
