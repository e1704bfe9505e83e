import { z } from 'zod';
import { machineHost, specDocument } from '../../../core/clusters/spec/common-schema.ts';

export const inMemoryKinds = { datacenter: 'InMemoryDatacenterConfig', machine: 'InMemoryMachineConfig', others: [] };

// Go's time.Duration as text, as far as anyone needs it here
const duration = z.string().regex(/^\d+(ms|s|m)$/, 'must be a duration like 500ms, 2s or 1m');

export const datacenterShape = specDocument(
  z
    .strictObject({
      /** a management cluster is upgraded from outside, by a bootstrap cluster */
      upgradeThroughBootstrap: z.boolean().optional(),
    })
    .optional(),
);

export const machineShape = specDocument(
  z.strictObject({
    /** how long a machine takes to start, and each thing on it */
    startupDuration: duration.optional(),
    ...machineHost,
  }),
);
