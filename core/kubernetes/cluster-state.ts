import { z } from 'zod';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { describeObject } from './cluster-access.ts';

/** The Cluster API objects of one cluster, API `v1beta2`. */
export interface ClusterObjects {
  cluster: KubernetesObject;
  /** absent before it is made */
  controlPlane?: KubernetesObject;
  machineDeployments: readonly KubernetesObject[];
  machines: readonly KubernetesObject[];
}

/** What a cluster has of what it should have. */
export interface ClusterState {
  controlPlane: Replicas;
  workers: Replicas;
  machines: MachineState[];
  /** the controllers have seen the newest specification, every machine of it is ready, and no other one is left */
  ready: boolean;
  /** the condition that says best what is wrong */
  problem?: FailingCondition;
  /** one line for a person */
  detail: string;
}

export interface Replicas {
  desired: number;
  /** with a node that is ready for as long as was asked for */
  available: number;
  /** made from the newest specification */
  upToDate: number;
  /** all there are, those on their way out included */
  total: number;
}

export interface MachineState {
  name: string;
  role: 'control-plane' | 'worker';
  /** that it should have, e.g. `v1.31.4` */
  version: string;
  /** that its kubelet says it has; absent before its node is there */
  kubeletVersion?: string;
  node?: string;
  /** e.g. `Provisioning`, `Running`, `Deleting` */
  phase: string;
}

export interface FailingCondition {
  /** e.g. `Machine default/prod-md-0-x7k2p` */
  object: string;
  type: string;
  status: string;
  reason: string;
  /** one line */
  message: string;
}

const conditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(''),
  message: z.string().default(''),
});

const count = z.number().default(0);

const objectSchema = z.looseObject({
  spec: z.looseObject({ replicas: z.number().optional(), version: z.string().optional() }).default({}),
  status: z
    .looseObject({
      observedGeneration: count,
      replicas: count,
      availableReplicas: count,
      upToDateReplicas: count,
      phase: z.string().default(''),
      conditions: z.array(conditionSchema).nullish(),
      nodeRef: z.looseObject({ name: z.string() }).optional(),
      nodeInfo: z.looseObject({ kubeletVersion: z.string() }).optional(),
    })
    .prefault({}),
});

type Parsed = z.infer<typeof objectSchema>;
type Condition = z.infer<typeof conditionSchema>;

/** They tell of something going on, and are no trouble when they are False. */
const activities = new Set(['Deleting', 'RollingOut', 'ScalingUp', 'ScalingDown', 'Remediating', 'Updating']);
/** They only repeat what another condition, or another object's, says, or follow from it. */
const summaries =
  /^(Ready|Available|UpToDate|.*MachinesReady|.*MachinesUpToDate|WorkersAvailable|ControlPlaneAvailable|(ControlPlane)?Initialized|RemoteConnectionProbe)$/;
const WAITING = /waiting ?for/i;

/** Sums up what Cluster API says of a cluster; pure. @throws ZodError when the objects are not of API `v1beta2` */
export function clusterState({ cluster, controlPlane, machineDeployments, machines }: ClusterObjects): ClusterState {
  const owners = [...(controlPlane === undefined ? [] : [controlPlane]), ...machineDeployments];
  const controlPlaneReplicas = replicasOf(controlPlane === undefined ? [] : [controlPlane]);
  const workers = replicasOf(machineDeployments);
  const problem = worst([...machines, ...owners, cluster]);
  const ready =
    controlPlane !== undefined &&
    [cluster, ...owners].every(isObserved) &&
    isAvailable(cluster) &&
    [controlPlaneReplicas, workers].every(isComplete) &&
    machines.length === controlPlaneReplicas.desired + workers.desired;
  const counts = [`control plane ${shown(controlPlaneReplicas)}`, `workers ${shown(workers)}`].join(', ');
  return {
    controlPlane: controlPlaneReplicas,
    workers,
    machines: machines.map(machineState),
    ready,
    ...(problem === undefined ? {} : { problem }),
    detail: ready || problem === undefined ? counts : `${counts}; ${conditionText(problem)}`,
  };
}

/** `Machine default/x: InfrastructureReady is False (NotReady): no hardware left` */
export function conditionText({ object, type, status, reason, message }: FailingCondition): string {
  return `${object}: ${type} is ${status} (${reason})${message === '' ? '' : `: ${message}`}`;
}

function replicasOf(owners: readonly KubernetesObject[]): Replicas {
  const sum: Replicas = { desired: 0, available: 0, upToDate: 0, total: 0 };
  for (const { spec, status } of owners.map(parse)) {
    sum.desired += spec.replicas ?? 1;
    sum.available += status.availableReplicas;
    sum.upToDate += status.upToDateReplicas;
    sum.total += status.replicas;
  }
  return sum;
}

function shown({ desired, available, upToDate, total }: Replicas): string {
  const old = total - upToDate;
  return `${available} of ${desired} available${old > 0 ? `, ${old} still old` : ''}`;
}

function isComplete({ desired, available, upToDate, total }: Replicas): boolean {
  return [available, upToDate, total].every((found) => found === desired);
}

function isObserved(object: KubernetesObject): boolean {
  const { deletionTimestamp, generation = 0 } = object.metadata;
  return deletionTimestamp === undefined && parse(object).status.observedGeneration >= generation;
}

function isAvailable(cluster: KubernetesObject): boolean {
  return conditionsOf(cluster).some(({ type, status }) => type === 'Available' && status === 'True');
}

function machineState(machine: KubernetesObject): MachineState {
  const { spec, status } = parse(machine);
  const isControlPlane = 'cluster.x-k8s.io/control-plane' in (machine.metadata.labels ?? {});
  return {
    name: machine.metadata.name,
    role: isControlPlane ? 'control-plane' : 'worker',
    version: spec.version ?? '',
    ...(status.nodeInfo === undefined ? {} : { kubeletVersion: status.nodeInfo.kubeletVersion }),
    ...(status.nodeRef === undefined ? {} : { node: status.nodeRef.name }),
    phase: machine.metadata.deletionTimestamp === undefined ? status.phase : 'Deleting',
  };
}

/** The failing condition that comes first: a cause before what waits for it, the most specific object before those above it. */
function worst(objects: readonly KubernetesObject[]): FailingCondition | undefined {
  const failing = objects.flatMap((object) =>
    conditionsOf(object)
      .filter((condition) => isFailing(condition, object.metadata.deletionTimestamp !== undefined))
      .map((condition) => ({ object, condition, rank: rankOf(condition) })),
  );
  // a stable sort: within a rank as given, machines first
  const [first] = failing.sort((a, b) => a.rank - b.rank);
  if (first === undefined) return undefined;
  const message = first.condition.message.replace(/\s*\n\s*/g, ' ').trim();
  return { object: describeObject(first.object), ...first.condition, message };
}

function isFailing({ type, status, message }: Condition, isLeaving: boolean): boolean {
  // of what is on its way out only says something what keeps it
  if (isLeaving) return type === 'Deleting' && status === 'True';
  if (type === 'Paused') return status === 'True';
  if (activities.has(type)) return status === 'True' && message.includes('blocked because');
  return status !== 'True';
}

function rankOf({ type, status, reason, message }: Condition): number {
  if (summaries.test(type)) return 3;
  const [cause = ''] = message.split('\n');
  const isWaiting = WAITING.test(reason) || WAITING.test(activities.has(type) ? message : cause);
  if (isWaiting || type === 'Deleting') return 2;
  return status === 'Unknown' ? 1 : 0;
}

function conditionsOf(object: KubernetesObject): Condition[] {
  return parse(object).status.conditions ?? [];
}

function parse(object: KubernetesObject): Parsed {
  return objectSchema.parse(object);
}
