import { z } from 'zod';

const container = z.looseObject({ name: z.string(), image: z.string().optional() });
const containers = z.array(container).nullish();
const statuses = z.array(z.looseObject({ name: z.string(), imageID: z.string().optional() })).nullish();

/** What of a PodSpec names images (Kubernetes API v1). */
export const podSpec = z.looseObject({
  containers,
  initContainers: containers,
  ephemeralContainers: containers,
  volumes: z
    .array(z.looseObject({ name: z.string(), image: z.looseObject({ reference: z.string().optional() }).nullish() }))
    .nullish(),
});

const podStatus = z.looseObject({
  containerStatuses: statuses,
  initContainerStatuses: statuses,
  ephemeralContainerStatuses: statuses,
});

const metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  ownerReferences: z.array(z.looseObject({ kind: z.string() })).nullish(),
});

const template = z.looseObject({ spec: podSpec });
const withTemplate = z.looseObject({ metadata, spec: z.looseObject({ template }) });

const pod = z.looseObject({ metadata, spec: podSpec, status: podStatus.nullish() });
const cronJob = z.looseObject({
  metadata,
  spec: z.looseObject({ jobTemplate: z.looseObject({ spec: z.looseObject({ template }) }) }),
});

export type PodSpec = z.infer<typeof podSpec>;
export type PodStatus = z.infer<typeof podStatus>;

export interface Workload {
  metadata: z.infer<typeof metadata>;
  spec: PodSpec;
  status?: PodStatus;
}

export interface Collection {
  kind: string;
  group: string;
  resource: string;
  read: z.ZodType<Workload>;
}

const templated = withTemplate.transform((object): Workload => ({
  metadata: object.metadata,
  spec: object.spec.template.spec,
}));

/** Where a cluster says which images it runs, the lasting things first. */
export const collections: readonly Collection[] = [
  { kind: 'Deployment', group: '/apis/apps/v1', resource: 'deployments', read: templated },
  { kind: 'DaemonSet', group: '/apis/apps/v1', resource: 'daemonsets', read: templated },
  { kind: 'StatefulSet', group: '/apis/apps/v1', resource: 'statefulsets', read: templated },
  { kind: 'ReplicaSet', group: '/apis/apps/v1', resource: 'replicasets', read: templated },
  {
    kind: 'CronJob',
    group: '/apis/batch/v1',
    resource: 'cronjobs',
    read: cronJob.transform(({ metadata, spec }): Workload => ({
      metadata,
      spec: spec.jobTemplate.spec.template.spec,
    })),
  },
  { kind: 'Job', group: '/apis/batch/v1', resource: 'jobs', read: templated },
  {
    kind: 'Pod',
    group: '/api/v1',
    resource: 'pods',
    read: pod.transform(({ metadata, spec, status }): Workload => ({
      metadata,
      spec,
      ...(status == null ? {} : { status }),
    })),
  },
];
