import type { ClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { finder, subjectOf, type Finder } from '../../../core/clusters/spec/findings.ts';
import type { MachineUse } from '../../../core/clusters/spec/machine-uses.ts';
import { versionOf } from '../../../core/clusters/spec/rules/node-rules.ts';
import { isHttpUrl, minorsBetween } from '../../../core/clusters/spec/syntax.ts';
import type { TinkerbellDatacenterSpec, TinkerbellMachineSpec } from './schema.ts';

/** The last Kubernetes that upstream publishes Bottlerocket images for bare metal of. */
const lastBottlerocket = '1.28';

/** Operating systems and how they are upgraded. */
export function osRules(spec: ClusterSpec, uses: readonly MachineUse[], at: Finder): void {
  const [plane, ...workers] = uses.map((use) => ({
    ...use,
    family: (use.machine?.spec as TinkerbellMachineSpec | undefined)?.osFamily,
    version: versionOfUse(use, spec),
    strategy: strategyOf(use, spec),
  }));
  if (plane === undefined) return;
  for (const worker of workers) {
    const reference = [...worker.path, 'machineGroupRef'];
    if (worker.family !== undefined && plane.family !== undefined && worker.family !== plane.family) {
      const message = `the ${worker.role} has ${worker.family}, the control plane ${plane.family}`;
      at.problem('os-family', reference, message, 'use one osFamily for all machines');
    }
    if (worker.strategy !== plane.strategy) {
      const message = `the ${worker.role} is upgraded by ${worker.strategy}, the control plane by ${plane.strategy}`;
      at.problem('rollout', [...worker.path, 'upgradeRolloutStrategy'], message, 'use one type for all machines');
    }
  }
  for (const { role, path, family, version, strategy } of [plane, ...workers]) {
    if (family !== 'bottlerocket') continue;
    if ((minorsBetween(lastBottlerocket, version) ?? 0) > 0) {
      const message = `there is no Bottlerocket for bare metal with Kubernetes ${version}: ${lastBottlerocket} was the last`;
      at.problem('os-family', [...path, 'machineGroupRef'], message, 'use osFamily: ubuntu or redhat');
    }
    if (strategy === 'InPlace') {
      const message = `the ${role} has Bottlerocket, which is not upgraded in place`;
      at.problem('rollout', [...path, 'upgradeRolloutStrategy'], message, 'use RollingUpdate');
    }
  }
  for (const [index, group] of (spec.cluster.spec.workerNodeGroupConfigurations ?? []).entries()) {
    if (plane.strategy !== 'InPlace' || group.autoscalingConfiguration === undefined) continue;
    const path = ['spec', 'workerNodeGroupConfigurations', index, 'autoscalingConfiguration'];
    at.problem('autoscaling', path, 'machines that are upgraded in place are not scaled', 'take it out');
  }
}

function versionOfUse({ path }: MachineUse, { cluster }: ClusterSpec): string {
  const group = groupAt(path, cluster.spec.workerNodeGroupConfigurations ?? []);
  return group === undefined ? cluster.spec.kubernetesVersion : versionOf(group, cluster.spec);
}

function strategyOf({ path }: MachineUse, { cluster }: ClusterSpec): string {
  const group =
    groupAt(path, cluster.spec.workerNodeGroupConfigurations ?? []) ?? cluster.spec.controlPlaneConfiguration;
  return group.upgradeRolloutStrategy?.type ?? 'RollingUpdate';
}

function groupAt<T>(path: MachineUse['path'], groups: readonly T[]): T | undefined {
  const index = path[2];
  return typeof index === 'number' ? groups[index] : undefined;
}

/** Where the images of operating systems come from: said once, and made for the version they are used for. */
export function osImageRules(spec: ClusterSpec, uses: readonly MachineUse[], findings: Finding[]): void {
  const { osImageURL: shared = '' } = spec.datacenter.spec as unknown as TinkerbellDatacenterSpec;
  const told = new Set<string>();
  for (const use of uses) {
    if (use.machine === undefined) continue;
    const machine = use.machine as unknown as SpecObject<TinkerbellMachineSpec>;
    const { osImageURL: own = '', osFamily } = machine.spec;
    const [owner, url] = own === '' ? [spec.datacenter, shared] : [machine, own];
    const version = versionOfUse(use, spec);
    const key = `${subjectOf(owner)} ${subjectOf(machine)} ${version}`;
    if (told.has(key)) continue;
    told.add(key);
    const at = finder(findings, subjectOf(url === '' ? machine : owner), 'tinkerbell');
    const path = ['spec', 'osImageURL'];
    if (own !== '' && shared !== '') {
      const message = 'the TinkerbellDatacenterConfig names an image for all machines as well';
      at.problem('os-image', path, message, 'name images in one place only');
    }
    if (url === '' && osFamily !== 'bottlerocket') {
      at.problem('os-image', path, `nothing says which image of ${osFamily} is installed`, 'give the URL of an image');
    } else if (own !== '' && !isHttpUrl(own)) {
      at.problem('url', path, `${JSON.stringify(own)} is no http or https URL`, 'correct it');
    } else if (url !== '' && !namesVersion(url, version)) {
      const message = `the name of the image does not say that it is for Kubernetes ${version} (the ${use.role})`;
      at.problem('os-image', path, message, `give an image with ${version} in its name, as ubuntu-${version}.gz`);
    }
  }
}

/** `1.30` may be written 1.30, 1-30, 1_30 or 130 in the name of an image, as upstream takes it. */
function namesVersion(url: string, version: string): boolean {
  const bare = (text: string): string => text.replace(/[-._]/g, '');
  return bare(url).includes(bare(version));
}
