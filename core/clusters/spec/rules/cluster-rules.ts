import { parseAllDocuments } from 'yaml';
import type { EksaClusterSpec, MachineHealthCheck, RolloutStrategy } from '../../../../contracts/cluster-spec.ts';
import type { FindingPath, Finder } from '../findings.ts';
import type { DescribedCluster } from '../role.ts';
import { isDnsLabel, isHost, parseMinor } from '../syntax.ts';
import { nodeMarkRules } from './node-rules.ts';

/** Names of machines and of the objects around them begin with the cluster's name, and end at 63 characters; upstream's limit. */
const longestName = 35;

/** What a cluster is called and which versions it has. */
export function identityRules(spec: DescribedCluster, at: Finder): void {
  const { kubernetesVersion, eksaVersion, bundlesRef } = spec.cluster.spec;
  const { name } = spec;
  if (!isDnsLabel(name) || !/^[a-z]/.test(name)) {
    const rule = 'lower case letters, digits and hyphens, with a letter first';
    at.problem('name', ['metadata', 'name'], `${name} cannot be the name of a cluster`, `use ${rule}`);
  } else if (name.length > longestName) {
    const message = `the name has ${name.length} characters, ${longestName} is the most`;
    at.problem('name', ['metadata', 'name'], message, 'use a shorter name');
  }
  versionRules(kubernetesVersion, ['spec', 'kubernetesVersion'], at);
  if (eksaVersion !== undefined && !/^v?\d+\.\d+\.\d+([-+].+)?$/.test(eksaVersion)) {
    const message = `${eksaVersion} is no release of EKS Anywhere`;
    at.problem('eksa-version', ['spec', 'eksaVersion'], message, 'write it as v0.21.0, or take it out');
  }
  if (eksaVersion !== undefined && bundlesRef !== undefined) {
    const message = 'eksaVersion and bundlesRef both say which release this is';
    at.problem('eksa-version', ['spec', 'bundlesRef'], message, 'take bundlesRef out: eksaVersion has replaced it');
  }
}

/** A Kubernetes version as specifications write it. */
export function versionRules(version: string, path: FindingPath, at: Finder): void {
  if (parseMinor(version) !== undefined) return;
  const minor = /^v?(\d+\.\d+)\./.exec(version)?.[1];
  const remedy = `write ${minor === undefined ? 'the minor version, such as "1.31"' : `"${minor}"`}`;
  at.problem('kubernetes-version', path, `${version} is no minor version of Kubernetes`, remedy);
}

/** The control plane, and etcd beside it. */
export function controlPlaneRules(cluster: EksaClusterSpec, at: Finder): void {
  const { controlPlaneConfiguration: plane, externalEtcdConfiguration: etcd } = cluster;
  const path = ['spec', 'controlPlaneConfiguration'];
  if (plane.count < 1) {
    at.problem('count', [...path, 'count'], `a control plane of ${plane.count} machines cannot be`, 'use 1, 3 or 5');
  } else if (etcd === undefined && plane.count % 2 === 0) {
    const message = `etcd runs on the control plane, and an even number of members (${plane.count}) is no safer than one less`;
    at.problem('count', [...path, 'count'], message, 'use an odd number: 1, 3 or 5');
  }
  if (etcd !== undefined) etcdRules(etcd.count, at);
  if (plane.endpoint !== undefined && !isHost(plane.endpoint.host)) {
    const message = `${JSON.stringify(plane.endpoint.host)} is neither an IP address nor a DNS name`;
    at.problem(
      'endpoint',
      [...path, 'endpoint', 'host'],
      message,
      'give the address of the API server, without a port',
    );
  }
  for (const [index, san] of (plane.certSans ?? []).entries()) {
    if (isHost(san.replace(/^\*\./, ''))) continue;
    const message = `${JSON.stringify(san)} is neither an IP address nor a DNS name`;
    at.problem('cert-sans', [...path, 'certSans', index], message, 'correct it, or take it out');
  }
  nodeMarkRules(plane, path, at);
  const { upgradeRolloutStrategy: strategy } = plane;
  rolloutRules(strategy, [...path, 'upgradeRolloutStrategy'], at);
  if ((strategy?.rollingUpdate?.maxSurge ?? 0) > 1) {
    const message = 'a control plane is rolled one machine at a time';
    at.problem('rollout', [...path, 'upgradeRolloutStrategy', 'rollingUpdate', 'maxSurge'], message, 'use 0 or 1');
  }
  if ((strategy?.rollingUpdate?.maxUnavailable ?? 0) > 0) {
    const message = 'control planes have no maxUnavailable';
    const remedy = 'take it out; a maxSurge of 0 removes the old machine first';
    at.problem('rollout', [...path, 'upgradeRolloutStrategy', 'rollingUpdate', 'maxUnavailable'], message, remedy);
  }
  healthRules(plane.machineHealthCheck, [...path, 'machineHealthCheck'], at);
  healthRules(cluster.machineHealthCheck, ['spec', 'machineHealthCheck'], at);
  apiServerRules(cluster, path, at);
}

function etcdRules(count: number, at: Finder): void {
  const path = ['spec', 'externalEtcdConfiguration', 'count'];
  if (count < 1 || count % 2 === 0) {
    at.problem('count', path, `etcd cannot have ${count} members`, 'use an odd number: 3 or 5');
  } else if (count === 1) {
    at.warning('count', path, 'one member of etcd does not survive the loss of a machine', 'use 3 or 5');
  }
}

/** What control planes and worker groups say alike about rolling. */
export function rolloutRules(strategy: RolloutStrategy | undefined, path: FindingPath, at: Finder): void {
  const { rollingUpdate, type } = strategy ?? {};
  if (type === 'InPlace' && rollingUpdate !== undefined) {
    const message = 'the strategy InPlace rolls nothing';
    at.problem('rollout', [...path, 'rollingUpdate'], message, 'take rollingUpdate out, or use RollingUpdate');
  }
  for (const field of ['maxSurge', 'maxUnavailable'] as const) {
    if ((rollingUpdate?.[field] ?? 0) >= 0) continue;
    at.problem('rollout', [...path, 'rollingUpdate', field], `${field} is negative`, 'use 0 or more');
  }
}

/** Go's durations, and a number or share of machines. */
export function healthRules(check: MachineHealthCheck | undefined, path: FindingPath, at: Finder): void {
  for (const field of ['nodeStartupTimeout', 'unhealthyMachineTimeout'] as const) {
    const duration = check?.[field];
    if (duration === undefined || /^(\d+(\.\d+)?(ms|h|m|s))+$/.test(duration)) continue;
    at.problem('duration', [...path, field], `${duration} is no duration`, 'write it as 10m0s or 1h30m');
  }
  const most = check?.maxUnhealthy;
  if (most === undefined || /^\d+$/.test(String(most)) || /^(100|\d{1,2})%$/.test(String(most))) return;
  const message = `${most} is neither a number of machines nor a share of them`;
  at.problem('max-unhealthy', [...path, 'maxUnhealthy'], message, 'write it as 40% or 1');
}

function apiServerRules(cluster: EksaClusterSpec, path: FindingPath, at: Finder): void {
  const { apiServerExtraArgs = {}, auditPolicyContent, kubeletConfiguration } = cluster.controlPlaneConfiguration;
  const oidc = cluster.identityProviderRefs?.some(({ kind }) => kind === 'OIDCConfig') ?? false;
  for (const flag of Object.keys(apiServerExtraArgs).filter((name) => oidc && name.startsWith('oidc-'))) {
    const message = `${flag} is also said by the OIDCConfig in identityProviderRefs`;
    at.problem('oidc', [...path, 'apiServerExtraArgs', flag], message, 'say it in one place only');
  }
  if (auditPolicyContent !== undefined && !isYamlMap(auditPolicyContent)) {
    const message = 'the text is no YAML map';
    at.problem('audit-policy', [...path, 'auditPolicyContent'], message, 'put an audit.k8s.io Policy there');
  }
  kubeletRules(kubeletConfiguration, path, at);
}

/** What Cluster API's providers set themselves must not be set again. */
export function kubeletRules(kubelet: Record<string, unknown> | undefined, path: FindingPath, at: Finder): void {
  if (kubelet?.['providerID'] === undefined) return;
  const message = 'providerID is set by the infrastructure provider';
  at.problem('kubelet', [...path, 'kubeletConfiguration', 'providerID'], message, 'take it out');
}

function isYamlMap(text: string): boolean {
  const documents = parseAllDocuments(text, { prettyErrors: false });
  const [document] = 'empty' in documents ? [] : documents;
  return document?.errors.length === 0 && document.contents !== null && 'items' in document.contents;
}
