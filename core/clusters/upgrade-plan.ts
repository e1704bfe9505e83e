import { isDeepStrictEqual } from 'node:util';
import type { ClusterSpec, EksaClusterSpec, SpecObject, WorkerNodeGroup } from '../../contracts/cluster-spec.ts';
import type { ProviderPlugin, UpgradeStep } from '../../contracts/provider-plugin.ts';
import type { UpgradePlan } from '../../contracts/upgrade-plan.ts';
import { countOfGroup, nameOfGroup } from './spec/defaults.ts';
import { machineUses } from './spec/machine-uses.ts';
import { versionOf } from './spec/rules/node-rules.ts';
import { minorOf } from './spec/syntax.ts';

/**
 * What an upgrade would do to the machines of a cluster. Pure.
 * @param versions full ones, e.g. `v1.34.6`: of the oldest machine, and of the new ones
 */
export function planRollout(
  provider: ProviderPlugin,
  [previous, next]: readonly [ClusterSpec, ClusterSpec],
  versions: UpgradePlan['kubernetesVersion'],
): Pick<UpgradePlan, 'rolls' | 'scales'> {
  const rolls = provider.upgradePlan(withVersion(previous, versions.from), withVersion(next, versions.to));
  return { rolls, scales: scales(previous, next) };
}

/** A bundle may bring a newer patch release of the same minor version: that replaces machines as well. */
function withVersion(spec: ClusterSpec, kubernetesVersion: string): ClusterSpec {
  return { ...spec, cluster: { ...spec.cluster, spec: { ...spec.cluster.spec, kubernetesVersion } } };
}

function scales(previous: ClusterSpec, next: ClusterSpec): UpgradePlan['scales'] {
  const [before, after] = [previous, next].map(
    (spec) => new Map(machineUses(spec).map((use) => [use.role, use.count])),
  );
  const subjects = new Set([...after!.keys(), ...before!.keys()]);
  return [...subjects].flatMap((subject) => {
    const [from = 0, to = 0] = [before!.get(subject), after!.get(subject)];
    return from === to ? [] : [{ subject, from, to }];
  });
}

/**
 * What an upgrade rolls, in order: the control plane, then the worker groups as they are written. What only changes how
 * many there are, rolls nothing and is not told here. Pure.
 */
export function upgradeSteps(previous: ClusterSpec, next: ClusterSpec): UpgradeStep[] {
  const [before, after] = [previous.cluster.spec, next.cluster.spec];
  const shared = [
    ...changedSetting('registry mirror', before.registryMirrorConfiguration, after.registryMirrorConfiguration),
    ...changedSetting('proxy', before.proxyConfiguration, after.proxyConfiguration),
    ...changedSetting('resolver', before.clusterNetwork.dns, after.clusterNetwork.dns),
  ];
  const own = { before: before.controlPlaneConfiguration, after: after.controlPlaneConfiguration };
  const controlPlane = [
    ...changed('Kubernetes', before.kubernetesVersion, after.kubernetesVersion),
    ...shared,
    ...changedSetting('machine', machineOf(previous, own.before), machineOf(next, own.after)),
    ...changedSetting('taints or labels', nodeSettings(own.before), nodeSettings(own.after)),
    ...changedSetting('kubelet', own.before.kubeletConfiguration, own.after.kubeletConfiguration),
    ...changedSetting('API server', apiServerSettings(previous), apiServerSettings(next)),
  ];
  const workers = (after.workerNodeGroupConfigurations ?? []).flatMap((group, index) => {
    const name = nameOfGroup(group, index);
    const earlier = before.workerNodeGroupConfigurations?.find((one, at) => nameOfGroup(one, at) === name);
    if (earlier === undefined) return [];
    const reasons = [
      ...changedVersion([earlier, group], [before, after]),
      ...shared,
      ...changedSetting('machine', machineOf(previous, earlier), machineOf(next, group)),
      ...changedSetting('taints or labels', nodeSettings(earlier), nodeSettings(group)),
      ...changedSetting('kubelet', earlier.kubeletConfiguration, group.kubeletConfiguration),
    ];
    return stepsFor(`worker group ${name}`, reasons, countOfGroup(group));
  });
  return [...stepsFor('control plane', controlPlane, own.after.count), ...workers];
}

type NodeGroup = Pick<
  ClusterSpec['cluster']['spec']['controlPlaneConfiguration'],
  'machineGroupRef' | 'taints' | 'labels'
>;

function machineOf(spec: ClusterSpec, { machineGroupRef }: NodeGroup): SpecObject['spec'] | undefined {
  return machineGroupRef === undefined ? undefined : spec.machines[machineGroupRef.name]?.spec;
}

function nodeSettings({ taints, labels }: NodeGroup): object {
  return { taints: taints ?? [], labels: labels ?? {} };
}

/** What is in the certificates, flags and files of API servers. */
function apiServerSettings({ cluster, others }: ClusterSpec): object {
  const { controlPlaneConfiguration, podIamConfig, identityProviderRefs } = cluster.spec;
  const { apiServerExtraArgs, auditPolicyContent, certSans } = controlPlaneConfiguration;
  const identity = others
    .filter(({ kind }) => kind === 'OIDCConfig')
    .map(({ metadata, spec }) => [metadata.name, spec]);
  return { apiServerExtraArgs, auditPolicyContent, certSans, podIamConfig, identityProviderRefs, identity };
}

/** A group with a version of its own has a minor one; the cluster's is known to the patch release. */
function changedVersion(
  [earlier, group]: readonly [WorkerNodeGroup, WorkerNodeGroup],
  [before, after]: readonly [EksaClusterSpec, EksaClusterSpec],
): string[] {
  const [from, to] = [versionOf(earlier, before), versionOf(group, after)];
  const isOwn = earlier.kubernetesVersion !== undefined || group.kubernetesVersion !== undefined;
  return isOwn ? changed('Kubernetes', minorOf(from), minorOf(to)) : changed('Kubernetes', from, to);
}

function changed(what: string, before: string, after: string): string[] {
  return before === after ? [] : [`${what} ${before} to ${after}`];
}

function changedSetting(what: string, before: unknown, after: unknown): string[] {
  return isDeepStrictEqual(before, after) ? [] : [`${what} changed`];
}

function stepsFor(subject: string, reasons: string[], machines: number): UpgradeStep[] {
  return reasons.length === 0 ? [] : [{ subject, reason: reasons.join(', '), machines }];
}
