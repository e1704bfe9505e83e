import { searchAttributeNames } from './operations.ts';

/** Temporal's types of Sealift's search attributes, for whoever registers them: the embedded server, or the CLI elsewhere. */
export const searchAttributeTypes: Record<string, 'Keyword' | 'Bool'> = {
  [searchAttributeNames.operation]: 'Keyword',
  [searchAttributeNames.distribution]: 'Keyword',
  [searchAttributeNames.registry]: 'Keyword',
  [searchAttributeNames.cluster]: 'Keyword',
  [searchAttributeNames.phase]: 'Keyword',
  [searchAttributeNames.parked]: 'Bool',
};
