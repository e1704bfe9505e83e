import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { ClusterSpec, LocatedDocument, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import type { CheckedDocument } from '../../../contracts/provider-plugin.ts';
import { contains, parseCidr } from '../../../core/clusters/spec/cidr.ts';
import { countOfGroup, nameOfGroup } from '../../../core/clusters/spec/defaults.ts';
import { finder, subjectOf, type Finder } from '../../../core/clusters/spec/findings.ts';
import { immutableField, immutableRules } from '../../../core/clusters/spec/immutable-fields.ts';
import { machineUses } from '../../../core/clusters/spec/machine-uses.ts';
import { hostRules, infrastructureRules, type MachineHost } from '../../../core/clusters/spec/rules/machine-rules.ts';
import { checkShape } from '../../../core/clusters/spec/shape.ts';
import { isHttpUrl } from '../../../core/clusters/spec/syntax.ts';
import { osImageRules, osRules } from './os-rules.ts';
import { schemas, templateKind, type TinkerbellDatacenterSpec, type TinkerbellTemplateSpec } from './schema.ts';
import { selectionRules, tinkerbellMachines } from './selection.ts';

/** Upstream lets its command line change the URLs of HookOS and the load balancer, so they are not here. */
export const immutableDatacenterFields = [
  immutableField('spec.tinkerbellIP', 'machines that are installed look for Tinkerbell at this address'),
];

export const immutableMachineFields = [
  immutableField('spec.osFamily', 'machines keep their operating system'),
  immutableField('spec.users', 'users are made when a machine is installed'),
];

/** Unknown fields and wrong types in a document of bare metal. */
export function checkDocument(kind: string, document: LocatedDocument): CheckedDocument {
  return checkShape(document, schemas[kind]!);
}

/**
 * What can be said about a specification for bare metal without its hardware.
 * @param now certificates have to be valid then
 */
export function validateSpec(spec: ClusterSpec, previous?: ClusterSpec, now: Date = new Date()): Finding[] {
  const uses = machineUses(spec);
  const findings = infrastructureRules(spec, uses);
  const datacenter = spec.datacenter as unknown as SpecObject<TinkerbellDatacenterSpec>;
  datacenterRules(datacenter.spec, spec, finder(findings, subjectOf(datacenter), 'tinkerbell'));
  for (const machine of tinkerbellMachines(spec)) {
    const at = finder(findings, subjectOf(machine), 'tinkerbell');
    selectionRules(machine.spec, at);
    hostRules(machine as SpecObject<MachineHost>, at, now);
  }
  const cluster = finder(findings, subjectOf(spec.cluster), 'tinkerbell');
  if (spec.cluster.spec.externalEtcdConfiguration !== undefined) {
    const message = 'etcd on machines of its own is not there for bare metal';
    cluster.problem(
      'etcd',
      ['spec', 'externalEtcdConfiguration'],
      message,
      'take it out: etcd runs on the control plane',
    );
  }
  if ((spec.cluster.spec.workerNodeGroupConfigurations ?? []).length === 0) {
    const message = 'without workers, pods run on the control plane';
    cluster.warning('workers', ['spec', 'workerNodeGroupConfigurations'], message, 'add a worker group');
  }
  osRules(spec, uses, cluster);
  osImageRules(spec, uses, findings);
  for (const template of spec.others.filter(({ kind }) => kind === templateKind)) {
    const at = finder(findings, subjectOf(template), 'tinkerbell');
    templateRules(template.spec as unknown as TinkerbellTemplateSpec, at);
  }
  if (previous !== undefined) changeRules(previous, spec, findings);
  return findings;
}

function datacenterRules(datacenter: TinkerbellDatacenterSpec, spec: ClusterSpec, at: Finder): void {
  addressRules(datacenter.tinkerbellIP, spec, at);
  for (const field of ['osImageURL', 'hookImagesURLPath', 'hookIsoURL'] as const) {
    const url = datacenter[field] ?? '';
    if (url === '' || isHttpUrl(url)) continue;
    at.problem('url', ['spec', field], `${JSON.stringify(url)} is no http or https URL`, 'correct it, or take it out');
  }
  const { hookIsoURL = '', isoBoot = false, hookImagesURLPath = '' } = datacenter;
  if (hookIsoURL !== '' && !isoBoot) {
    at.problem('iso', ['spec', 'hookIsoURL'], 'machines boot from an ISO image only with isoBoot', 'set isoBoot: true');
  }
  if (isHttpUrl(hookIsoURL) && !new URL(hookIsoURL).pathname.endsWith('.iso')) {
    at.problem(
      'iso',
      ['spec', 'hookIsoURL'],
      'the name of the image does not end in .iso',
      'give the URL of an ISO image',
    );
  }
  if (spec.cluster.spec.proxyConfiguration !== undefined && hookImagesURLPath === '') {
    const message = 'machines that boot know no proxy, so HookOS has to come from a server they reach without';
    at.problem(
      'hook',
      ['spec', 'hookImagesURLPath'],
      message,
      'give the URL of a server on the network of the machines',
    );
  }
}

function addressRules(address: string, { cluster }: ClusterSpec, at: Finder): void {
  const path = ['spec', 'tinkerbellIP'];
  if (isIP(address) === 0) {
    at.problem('address', path, `${JSON.stringify(address)} is no IP address`, 'give an address that nothing else has');
    return;
  }
  if (address === cluster.spec.controlPlaneConfiguration.endpoint?.host) {
    const message = `${address} is the address of the API server too`;
    at.problem('address', path, message, 'give each an address of its own');
  }
  for (const [kind, { cidrBlocks }] of Object.entries({
    pods: cluster.spec.clusterNetwork.pods,
    services: cluster.spec.clusterNetwork.services,
  })) {
    const block = parseCidr(cidrBlocks[0] ?? '');
    if (block === undefined || !contains(block, address)) continue;
    const message = `${address} is one of the addresses for ${kind}`;
    at.problem('address', path, message, 'choose an address of the network the machines are in');
  }
}

function templateRules({ template }: TinkerbellTemplateSpec, at: Finder): void {
  const path = ['spec', 'template'];
  if (template.tasks.length !== 1) {
    const message = `Tinkerbell runs templates with one task, and this has ${template.tasks.length}`;
    at.problem('template', [...path, 'tasks'], message, 'put all actions into one task');
  }
  const seen = new Set<string>();
  for (const [taskIndex, { actions }] of template.tasks.entries()) {
    for (const [index, { name, image, timeout }] of actions.entries()) {
      const action = [...path, 'tasks', taskIndex, 'actions', index];
      if (seen.has(name)) {
        at.problem(
          'template',
          [...action, 'name'],
          `there are two actions ${name}`,
          'give every action a name of its own',
        );
      }
      seen.add(name);
      if (image === '') at.problem('template', [...action, 'image'], 'it is empty', 'name the image of the action');
      if (timeout < 1) at.problem('template', [...action, 'timeout'], 'it has to be a second or more', 'correct it');
    }
  }
}

function changeRules(previous: ClusterSpec, next: ClusterSpec, findings: Finding[]): void {
  const relaxed = previous.role === 'workload';
  const datacenter = finder(findings, subjectOf(next.datacenter), 'tinkerbell');
  immutableRules(immutableDatacenterFields, [previous.datacenter, next.datacenter], relaxed, datacenter);
  for (const [name, machine] of Object.entries(next.machines)) {
    const before = Object.hasOwn(previous.machines, name) ? previous.machines[name] : undefined;
    if (before === undefined) continue;
    const at = finder(findings, subjectOf(machine), 'tinkerbell');
    immutableRules(immutableMachineFields, [before, machine], relaxed, at);
  }
  const at = finder(findings, subjectOf(next.cluster), 'tinkerbell');
  markRules(previous, next, at);
  if (previous.cluster.spec.kubernetesVersion !== next.cluster.spec.kubernetesVersion) scaleRules(previous, next, at);
}

/** A group of machines of one specification, by a name that it has in another as well. */
interface Group {
  name: string;
  path: (string | number)[];
  count: number;
  labels?: Record<string, string>;
  taints?: unknown[];
}

function groupsOf({ cluster }: ClusterSpec): Group[] {
  const { controlPlaneConfiguration, workerNodeGroupConfigurations = [] } = cluster.spec;
  return [
    { ...controlPlaneConfiguration, name: 'control plane', path: ['spec', 'controlPlaneConfiguration'] },
    ...workerNodeGroupConfigurations.map((group, index) => ({
      ...group,
      name: `worker group ${nameOfGroup(group, index) ?? index}`,
      count: countOfGroup(group),
      path: ['spec', 'workerNodeGroupConfigurations', index],
    })),
  ];
}

function markRules(previous: ClusterSpec, next: ClusterSpec, at: Finder): void {
  const before = groupsOf(previous);
  for (const group of groupsOf(next)) {
    const former = before.find(({ name }) => name === group.name);
    for (const field of ['labels', 'taints'] as const) {
      if (former === undefined || isDeepStrictEqual(former[field], group[field])) continue;
      const message = `the ${field} of the ${group.name} are set when its machines are installed`;
      at.problem('immutable', [...group.path, field], message, 'put the former value back');
    }
  }
}

/** Machines are exchanged one by one for spare hardware: how many there are must not change meanwhile. */
function scaleRules(previous: ClusterSpec, next: ClusterSpec, at: Finder): void {
  const [before, after] = [groupsOf(previous), groupsOf(next)];
  const remedy = 'upgrade first, then change the number of machines';
  for (const group of after) {
    const former = before.find(({ name }) => name === group.name);
    if (former?.count === group.count) continue;
    const change = former === undefined ? 'is new' : `changes from ${former.count} to ${group.count}`;
    at.problem(
      'scale',
      [...group.path, 'count'],
      `the ${group.name} ${change} during an upgrade of Kubernetes`,
      remedy,
    );
  }
  for (const { name } of before.filter((group) => !after.some((one) => one.name === group.name))) {
    const path = ['spec', 'workerNodeGroupConfigurations'];
    at.problem('scale', path, `the ${name} goes away during an upgrade of Kubernetes`, remedy);
  }
}
