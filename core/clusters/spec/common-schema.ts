import { z } from 'zod';

/** The group whose documents a specification consists of, and the version of it that this Sealift understands. */
export const specGroup = 'anywhere.eks.amazonaws.com';
export const specVersion = 'v1alpha1';
export const specApiVersion = `${specGroup}/${specVersion}`;

const text = z.string();
const texts = z.array(text);
const textMap = z.record(text, text);
const anything = z.record(text, z.unknown());

/** Kubernetes ObjectMeta. What only an API server writes is known too: people save objects from one. */
const metadata = z.strictObject({
  name: text.min(1),
  namespace: text.optional(),
  labels: textMap.optional(),
  annotations: textMap.optional(),
  creationTimestamp: text.optional(),
  deletionGracePeriodSeconds: z.number().optional(),
  deletionTimestamp: text.optional(),
  finalizers: texts.optional(),
  generateName: text.optional(),
  generation: z.number().optional(),
  managedFields: z.array(anything).optional(),
  ownerReferences: z.array(anything).optional(),
  resourceVersion: text.optional(),
  selfLink: text.optional(),
  uid: text.optional(),
});

/** A document of the group, around the schema of its `spec`. */
export function specDocument(spec: z.ZodType): z.ZodType {
  return z.strictObject({ apiVersion: text, kind: text, metadata, spec, status: anything.optional() });
}

export const objectReference = z.strictObject({ kind: text, name: text });

const users = z.array(z.strictObject({ name: text, sshAuthorizedKeys: texts.optional() }));

/** BottlerocketKubernetesSettings and its neighbours of Cluster API's kubeadm bootstrap provider. */
const bottlerocketConfiguration = z.strictObject({
  kubernetes: z
    .strictObject({
      allowedUnsafeSysctls: texts.optional(),
      clusterDNSIPs: texts.optional(),
      clusterDomain: text.optional(),
      containerLogMaxFiles: z.int().optional(),
      containerLogMaxSize: text.optional(),
      cpuCFSQuota: z.boolean().optional(),
      cpuManagerPolicy: text.optional(),
      cpuManagerPolicyOptions: textMap.optional(),
      cpuManagerReconcilePeriod: text.optional(),
      eventBurst: z.int().optional(),
      eventRecordQPS: z.int().optional(),
      evictionHard: textMap.optional(),
      evictionMaxPodGracePeriod: z.int().optional(),
      evictionSoft: textMap.optional(),
      evictionSoftGracePeriod: textMap.optional(),
      imageGCHighThresholdPercent: z.int().optional(),
      imageGCLowThresholdPercent: z.int().optional(),
      kubeAPIBurst: z.int().optional(),
      kubeAPIQPS: z.int().optional(),
      kubeReserved: textMap.optional(),
      maxPods: z.int().optional(),
      memoryManagerPolicy: text.optional(),
      podPidsLimit: z.int().optional(),
      providerID: text.optional(),
      registryBurst: z.int().optional(),
      registryPullQPS: z.int().optional(),
      shutdownGracePeriod: text.optional(),
      shutdownGracePeriodCriticalPods: text.optional(),
      systemReserved: textMap.optional(),
      topologyManagerPolicy: text.optional(),
      topologyManagerScope: text.optional(),
    })
    .optional(),
  kernel: z.strictObject({ sysctlSettings: textMap.optional() }).optional(),
  boot: z.strictObject({ bootKernelParameters: z.record(text, texts).optional() }).optional(),
});

/** What every kind of machine says about its operating system. */
export const machineHost = {
  users: users.optional(),
  hostOSConfiguration: z
    .strictObject({
      ntpConfiguration: z.strictObject({ servers: texts }).optional(),
      bottlerocketConfiguration: bottlerocketConfiguration.optional(),
      certBundles: z.array(z.strictObject({ name: text, data: text })).optional(),
    })
    .optional(),
};

export const osFamily = z.enum(['ubuntu', 'bottlerocket', 'redhat']);
