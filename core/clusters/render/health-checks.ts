import type { ClusterSpec, KubernetesObject, MachineHealthCheck } from '../../../contracts/cluster-spec.ts';
import type { ObjectKey } from '../../../contracts/provider-plugin.ts';
import { nameOfGroup } from '../spec/defaults.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE, capiVersions } from './names.ts';

/** EKS Anywhere's, for all infrastructures; how long a node may take to come is the provider's to say. */
const UNHEALTHY_AFTER = '5m0s';
const MOST_UNHEALTHY = { controlPlane: '100%', workers: '40%' };

const unitSeconds: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/**
 * Says which machines are replaced because their nodes do not come, or are not ready any more: one object for the control plane and
 * one for each worker group, as the specification has it for all (`spec.machineHealthCheck`) and for each. Pure.
 * @param nodeStartupTimeout the provider's default, e.g. `10m0s`; without one there are none unless the specification asks for them
 */
export function healthChecks(spec: ClusterSpec, nodeStartupTimeout: string | undefined): KubernetesObject[] {
  const { machineHealthCheck: all, controlPlaneConfiguration, workerNodeGroupConfigurations = [] } = spec.cluster.spec;
  const merged = (
    own: MachineHealthCheck | undefined,
    maxUnhealthy: string,
  ): Required<MachineHealthCheck> | undefined => {
    if (nodeStartupTimeout === undefined && all === undefined && own === undefined) return undefined;
    const defaults = { maxUnhealthy, nodeStartupTimeout: nodeStartupTimeout ?? '10m0s' };
    return { ...defaults, unhealthyMachineTimeout: UNHEALTHY_AFTER, ...all, ...own };
  };
  const controlPlane = merged(controlPlaneConfiguration.machineHealthCheck, MOST_UNHEALTHY.controlPlane);
  return [
    ...healthCheck(spec, `${spec.name}-kcp-unhealthy`, { 'cluster.x-k8s.io/control-plane': '' }, controlPlane),
    ...workerNodeGroupConfigurations.flatMap((group, index) => {
      const deployment = `${spec.name}-${nameOfGroup(group, index) ?? `group-${index}`}`;
      const selected = { 'cluster.x-k8s.io/deployment-name': deployment };
      const check = merged(group.machineHealthCheck, MOST_UNHEALTHY.workers);
      return healthCheck(spec, nameForWorkers(deployment), selected, check);
    }),
  ];
}

/** The object that replaces the failing machines of a worker group. @param deployment its MachineDeployment */
export function healthCheckOf({ metadata: { name, namespace } }: KubernetesObject): ObjectKey {
  const metadata = { name: nameForWorkers(name), ...(namespace === undefined ? {} : { namespace }) };
  return { apiVersion: capiVersions.cluster, kind: 'MachineHealthCheck', metadata };
}

function nameForWorkers(deployment: string): string {
  return `${deployment}-worker-unhealthy`;
}

function healthCheck(
  { name: clusterName }: ClusterSpec,
  name: string,
  matchLabels: Record<string, string>,
  check: Required<MachineHealthCheck> | undefined,
): KubernetesObject[] {
  if (check === undefined) return [];
  const timeoutSeconds = seconds(check.unhealthyMachineTimeout);
  return [
    {
      apiVersion: capiVersions.cluster,
      kind: 'MachineHealthCheck',
      metadata: { name, namespace: CLUSTER_NAMESPACE, labels: { [CLUSTER_NAME_LABEL]: clusterName } },
      spec: {
        clusterName,
        selector: { matchLabels },
        checks: {
          nodeStartupTimeoutSeconds: seconds(check.nodeStartupTimeout),
          unhealthyNodeConditions: ['Unknown', 'False'].map((status) => ({ type: 'Ready', status, timeoutSeconds })),
        },
        remediation: { triggerIf: { unhealthyLessThanOrEqualTo: countOrShare(check.maxUnhealthy) } },
      },
    },
  ];
}

/** Seconds of a Go duration that was found to be one, e.g. `1h30m`. */
function seconds(duration: string): number {
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  return Math.trunc(parts.reduce((sum, [, number, unit]) => sum + Number(number) * unitSeconds[unit!]!, 0));
}

function countOrShare(most: string | number): string | number {
  return /^\d+$/.test(String(most)) ? Number(most) : most;
}
