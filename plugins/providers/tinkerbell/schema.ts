import { z } from 'zod';
import { machineHost, objectReference, osFamily, specDocument } from '../../../core/clusters/spec/common-schema.ts';

const text = z.string();
const texts = z.array(text);
const textMap = z.record(text, text);

export const datacenterKind = 'TinkerbellDatacenterConfig';
export const machineKind = 'TinkerbellMachineConfig';
export const templateKind = 'TinkerbellTemplateConfig';

const datacenterSpec = z.strictObject({
  tinkerbellIP: text,
  osImageURL: text.optional(),
  hookImagesURLPath: text.optional(),
  skipLoadBalancerDeployment: z.boolean().optional(),
  loadBalancerInterface: text.optional(),
  isoBoot: z.boolean().optional(),
  hookIsoURL: text.optional(),
});

/** Kubernetes LabelSelector. */
const labelSelector = z.strictObject({
  matchLabels: textMap.optional(),
  matchExpressions: z
    .array(
      z.strictObject({
        key: text,
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: texts.optional(),
      }),
    )
    .optional(),
});

const affinityTerm = z.strictObject({ labelSelector });

const machineSpec = z.strictObject({
  hardwareSelector: textMap.optional(),
  hardwareAffinity: z
    .strictObject({
      required: z.array(affinityTerm),
      preferred: z.array(z.strictObject({ weight: z.int(), hardwareAffinityTerm: affinityTerm })).optional(),
    })
    .optional(),
  templateRef: objectReference.optional(),
  osFamily,
  osImageURL: text.optional(),
  ...machineHost,
});

/** A workflow template of Tinkerbell: `{{...}}` in its values is filled in by Tinkerbell itself. */
const action = z.strictObject({
  name: text,
  image: text,
  timeout: z.int(),
  command: texts.optional(),
  'on-timeout': texts.optional(),
  'on-failure': texts.optional(),
  volumes: texts.optional(),
  environment: textMap.optional(),
  pid: text.optional(),
});

const templateSpec = z.strictObject({
  template: z.strictObject({
    version: text,
    name: text,
    id: text.optional(),
    global_timeout: z.int(),
    tasks: z.array(
      z.strictObject({
        name: text,
        worker: text,
        actions: z.array(action),
        volumes: texts.optional(),
        environment: textMap.optional(),
      }),
    ),
  }),
});

export const schemas: Record<string, z.ZodType> = {
  [datacenterKind]: specDocument(datacenterSpec),
  [machineKind]: specDocument(machineSpec),
  [templateKind]: specDocument(templateSpec),
};

export type TinkerbellDatacenterSpec = z.infer<typeof datacenterSpec>;
export type TinkerbellMachineSpec = z.infer<typeof machineSpec>;
export type TinkerbellTemplateSpec = z.infer<typeof templateSpec>;
export type LabelSelector = z.infer<typeof labelSelector>;
