import { z } from 'zod';
import { machineHost, osFamily, specDocument } from '../../../core/clusters/spec/common-schema.ts';

const text = z.string();

export const datacenterKind = 'VSphereDatacenterConfig';
export const machineKind = 'VSphereMachineConfig';

/** A part of the datacenter that worker groups can be put into. */
const failureDomain = z.strictObject({
  name: text,
  computeCluster: text,
  resourcePool: text,
  datastore: text,
  folder: text,
  network: text,
});

const datacenterSpec = z.strictObject({
  datacenter: text,
  network: text,
  server: text,
  thumbprint: text.optional(),
  insecure: z.boolean().optional(),
  failureDomains: z.array(failureDomain).optional(),
});

const machineSpec = z.strictObject({
  datastore: text,
  folder: text.optional(),
  resourcePool: text,
  template: text.optional(),
  diskGiB: z.int().optional(),
  numCPUs: z.int().optional(),
  memoryMiB: z.int().optional(),
  osFamily: osFamily.optional(),
  storagePolicyName: text.optional(),
  networks: z.array(text).optional(),
  tags: z.array(text).optional(),
  cloneMode: z.enum(['fullClone', 'linkedClone']).optional(),
  ...machineHost,
});

export const schemas: Record<string, z.ZodType> = {
  [datacenterKind]: specDocument(datacenterSpec),
  [machineKind]: specDocument(machineSpec),
};

export type VSphereDatacenterSpec = z.infer<typeof datacenterSpec>;
export type VSphereMachineSpec = z.infer<typeof machineSpec>;
