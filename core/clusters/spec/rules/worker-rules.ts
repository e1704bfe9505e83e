import type { WorkerNodeGroup } from '../../../../contracts/cluster-spec.ts';
import { nameOfGroup } from '../defaults.ts';
import type { Finder, FindingPath } from '../findings.ts';
import type { DescribedCluster } from '../role.ts';
import { isDnsLabel, minorsBetween } from '../syntax.ts';
import { healthRules, kubeletRules, rolloutRules, versionRules } from './cluster-rules.ts';
import { keepsPodsAway, nodeMarkRules } from './node-rules.ts';

/** A worker may be this many minors older than the API server; Kubernetes allows three since 1.28, upstream two. */
const oldestWorker = 2;
/** The name of a MachineDeployment is also the value of a label. */
const longestLabelValue = 63;

export function workerRules(spec: DescribedCluster, at: Finder): void {
  const groups = spec.cluster.spec.workerNodeGroupConfigurations ?? [];
  const names = new Set<string>();
  for (const [index, group] of groups.entries()) {
    const path = ['spec', 'workerNodeGroupConfigurations', index];
    const name = nameOfGroup(group, index);
    nameRules(name, spec, names, path, at);
    names.add(name ?? '');
    countRules(group, path, at);
    nodeMarkRules(group, path, at);
    rolloutRules(group.upgradeRolloutStrategy, [...path, 'upgradeRolloutStrategy'], at);
    standstillRules(group, path, at);
    healthRules(group.machineHealthCheck, [...path, 'machineHealthCheck'], at);
    kubeletRules(group.kubeletConfiguration, path, at);
    skewRules(group.kubernetesVersion, spec.cluster.spec.kubernetesVersion, [...path, 'kubernetesVersion'], at);
  }
  if (spec.role === 'management' && groups.length > 0 && groups.every(keepsPodsAway)) {
    const message =
      'every worker group has a taint NoSchedule or NoExecute, so the controllers of a management cluster have no place';
    at.problem('taint', ['spec', 'workerNodeGroupConfigurations'], message, 'leave one group without');
  }
  if (groups.length === 0 && (spec.cluster.spec.controlPlaneConfiguration.taints ?? []).length > 0) {
    const message = 'without workers, pods run on the control plane, and its taints keep them away';
    at.problem(
      'taint',
      ['spec', 'controlPlaneConfiguration', 'taints'],
      message,
      'take the taints out, or add workers',
    );
  }
}

function nameRules(
  name: string | undefined,
  spec: DescribedCluster,
  earlier: ReadonlySet<string>,
  path: FindingPath,
  at: Finder,
): void {
  const namePath = [...path, 'name'];
  if (name === undefined) {
    at.problem(
      'group-name',
      namePath,
      'the worker group has no name',
      'give every group a name of its own, such as md-1',
    );
  } else if (!isDnsLabel(name)) {
    const message = `${JSON.stringify(name)} cannot be the name of a worker group`;
    at.problem('group-name', namePath, message, 'use lower case letters, digits and hyphens');
  } else if (earlier.has(name)) {
    at.problem('group-name', namePath, `there are two worker groups ${name}`, 'give every group a name of its own');
  } else if (`${spec.name}-${name}`.length > longestLabelValue) {
    const message = `${spec.name}-${name} is longer than ${longestLabelValue} characters`;
    at.problem('group-name', namePath, message, 'use a shorter name');
  }
}

function countRules(group: WorkerNodeGroup, path: FindingPath, at: Finder): void {
  const { count, autoscalingConfiguration: scaling } = group;
  if (count !== undefined && count < 0) {
    at.problem('count', [...path, 'count'], `a worker group of ${count} machines cannot be`, 'use 0 or more');
  }
  if (scaling === undefined) return;
  const { minCount = 0, maxCount = 0 } = scaling;
  const scalingPath = [...path, 'autoscalingConfiguration'];
  if (minCount < 0) at.problem('autoscaling', [...scalingPath, 'minCount'], 'minCount is negative', 'use 0 or more');
  if (minCount > maxCount) {
    const message = `minCount ${minCount} is more than maxCount ${maxCount}`;
    at.problem('autoscaling', [...scalingPath, 'maxCount'], message, 'make maxCount at least minCount');
  } else if (count !== undefined && (count < minCount || count > maxCount)) {
    const message = `count ${count} is not between minCount ${minCount} and maxCount ${maxCount}`;
    at.problem('autoscaling', [...path, 'count'], message, 'choose a count between them, or leave it out');
  }
}

function standstillRules(group: WorkerNodeGroup, path: FindingPath, at: Finder): void {
  const { rollingUpdate } = group.upgradeRolloutStrategy ?? {};
  if (rollingUpdate === undefined) return;
  const { maxSurge = 0, maxUnavailable = 0 } = rollingUpdate;
  if (maxSurge !== 0 || maxUnavailable !== 0) return;
  const message = 'maxSurge and maxUnavailable are both 0, so nothing could ever be rolled';
  at.problem('rollout', [...path, 'upgradeRolloutStrategy', 'rollingUpdate'], message, 'make one of them 1');
}

function skewRules(worker: string | undefined, cluster: string, path: FindingPath, at: Finder): void {
  if (worker === undefined) return;
  versionRules(worker, path, at);
  const behind = minorsBetween(worker, cluster);
  if (behind === undefined) return;
  if (behind < 0) {
    const message = `the workers' Kubernetes ${worker} is newer than the control plane's ${cluster}`;
    at.problem('version-skew', path, message, `use ${cluster} at most: kubelets are never newer than the API server`);
  } else if (behind > oldestWorker) {
    const message = `the workers' Kubernetes ${worker} is ${behind} minors older than the control plane's ${cluster}`;
    at.problem('version-skew', path, message, `${oldestWorker} is the most: upgrade the workers first`);
  }
}
