import { z } from 'zod';
import { objectReference, specDocument } from './common-schema.ts';

// The fields of upstream's v1alpha1 types; required is what no cluster can be made without.

const text = z.string();
const texts = z.array(text);
const textMap = z.record(text, text);
const anything = z.record(text, z.unknown());

const taints = z.array(
  z.strictObject({
    key: text,
    value: text.optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
    timeAdded: text.optional(),
  }),
);

const machineHealthCheck = z.strictObject({
  maxUnhealthy: z
    .union([z.int(), text], { error: 'a number of machines, or a share such as 40%, belongs here' })
    .optional(),
  nodeStartupTimeout: text.optional(),
  unhealthyMachineTimeout: text.optional(),
});

const strategyType = z.enum(['RollingUpdate', 'InPlace']).optional();

const controlPlaneConfiguration = z.strictObject({
  count: z.int(),
  endpoint: z.strictObject({ host: text }).optional(),
  machineGroupRef: objectReference.optional(),
  taints: taints.optional(),
  labels: textMap.optional(),
  upgradeRolloutStrategy: z
    .strictObject({
      type: strategyType,
      // maxUnavailable is not upstream's, but in files that its reader takes as well (they copy the workers' strategy)
      rollingUpdate: z.strictObject({ maxSurge: z.int().optional(), maxUnavailable: z.int().optional() }).optional(),
    })
    .optional(),
  skipLoadBalancerDeployment: z.boolean().optional(),
  certSans: texts.optional(),
  machineHealthCheck: machineHealthCheck.optional(),
  apiServerExtraArgs: textMap.optional(),
  kubeletConfiguration: anything.optional(),
  auditPolicyContent: text.optional(),
  skipAdmissionForSystemResources: z.boolean().optional(),
});

const workerNodeGroup = z.strictObject({
  name: text.optional(),
  count: z.int().optional(),
  autoscalingConfiguration: z.strictObject({ minCount: z.int().optional(), maxCount: z.int().optional() }).optional(),
  machineGroupRef: objectReference.optional(),
  taints: taints.optional(),
  labels: textMap.optional(),
  upgradeRolloutStrategy: z
    .strictObject({
      type: strategyType,
      rollingUpdate: z.strictObject({ maxSurge: z.int().optional(), maxUnavailable: z.int().optional() }).optional(),
    })
    .optional(),
  kubernetesVersion: text.optional(),
  machineHealthCheck: machineHealthCheck.optional(),
  kubeletConfiguration: anything.optional(),
  failureDomains: texts.optional(),
});

const cniConfig = z.strictObject({
  cilium: z
    .strictObject({
      policyEnforcementMode: text.optional(),
      egressMasqueradeInterfaces: text.optional(),
      skipUpgrade: z.boolean().optional(),
      routingMode: text.optional(),
      ipv4NativeRoutingCIDR: text.optional(),
      ipv6NativeRoutingCIDR: text.optional(),
      cniExclusive: z.boolean().optional(),
      helmValues: anything.optional(),
    })
    .optional(),
  kindnetd: z.strictObject({}).optional(),
});

const clusterNetwork = z.strictObject({
  cni: text.optional(),
  cniConfig: cniConfig.optional(),
  pods: z.strictObject({ cidrBlocks: texts }),
  services: z.strictObject({ cidrBlocks: texts }),
  dns: z.strictObject({ resolvConf: z.strictObject({ path: text.optional() }).optional() }).optional(),
  nodes: z.strictObject({ cidrMaskSize: z.int().optional() }).optional(),
});

const registryMirrorConfiguration = z.strictObject({
  endpoint: text,
  port: text.optional(),
  ociNamespaces: z.array(z.strictObject({ registry: text, namespace: text })).optional(),
  caCertContent: text.optional(),
  authenticate: z.boolean().optional(),
  insecureSkipVerify: z.boolean().optional(),
});

const imageResource = z.strictObject({ cpu: text.optional(), memory: text.optional() }).optional();
const packageImage = { repository: text.optional(), tag: text.optional(), digest: text.optional() };

const packages = z.strictObject({
  disable: z.boolean().optional(),
  controller: z
    .strictObject({
      ...packageImage,
      disableWebhooks: z.boolean().optional(),
      env: texts.optional(),
      resources: z.strictObject({ requests: imageResource, limits: imageResource }).optional(),
    })
    .optional(),
  cronjob: z.strictObject({ ...packageImage, disable: z.boolean().optional() }).optional(),
});

const kms = z.strictObject({
  cachesize: z.int().optional(),
  name: text,
  socketListenAddress: text,
  timeout: text.optional(),
});

/** `Cluster` of EKS Anywhere's v1alpha1, with `management` of its design for management and workload clusters. */
export const clusterDocument = specDocument(
  z.strictObject({
    kubernetesVersion: text,
    management: z.boolean().optional(),
    managementCluster: z.strictObject({ name: text.optional() }).optional(),
    eksaVersion: text.optional(),
    controlPlaneConfiguration,
    externalEtcdConfiguration: z
      .strictObject({ count: z.int(), machineGroupRef: objectReference.optional() })
      .optional(),
    workerNodeGroupConfigurations: z.array(workerNodeGroup).optional(),
    datacenterRef: objectReference,
    gitOpsRef: objectReference.optional(),
    clusterNetwork,
    registryMirrorConfiguration: registryMirrorConfiguration.optional(),
    proxyConfiguration: z
      .strictObject({ httpProxy: text.optional(), httpsProxy: text.optional(), noProxy: texts.optional() })
      .optional(),
    machineHealthCheck: machineHealthCheck.optional(),
    podIamConfig: z.strictObject({ serviceAccountIssuer: text }).optional(),
    identityProviderRefs: z.array(objectReference).optional(),
    packages: packages.optional(),
    bundlesRef: z.strictObject({ apiVersion: text, name: text, namespace: text }).optional(),
    etcdEncryption: z
      .array(z.strictObject({ providers: z.array(z.strictObject({ kms })), resources: texts }))
      .optional(),
    licenseToken: text.optional(),
  }),
);
