import { labUnavailable } from './lab.ts';

/** Whether tests of clusters run that take minutes each; `make chaos-cluster` says so. */
const runsLong = process.env['SEALIFT_LONG_CLUSTER_TESTS'] === '1';

/** Why tests of clusters that take minutes each do not run, for their names; undefined where they do. */
export const whyNotLong = runsLong ? await labUnavailable() : 'takes minutes: `make chaos-cluster` runs it';
