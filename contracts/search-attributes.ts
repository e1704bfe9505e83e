import type { searchAttributeNames } from './operations.ts';

/**
 * The types by which Sealift's search attributes are registered in a Temporal namespace: by the embedded server when it
 * starts, and by deploy/create-namespace.sh (checked by a test). Names as Temporal's CLI and API spell them.
 */
export const searchAttributeTypes = {
  operation: 'Keyword',
  distribution: 'Keyword',
  registry: 'Keyword',
  phase: 'Keyword',
  parked: 'Bool',
} as const satisfies Record<keyof typeof searchAttributeNames, 'Keyword' | 'Bool'>;
