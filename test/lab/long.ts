/** Whether tests of clusters run that take minutes each; `make chaos-cluster` says so. */
export const runsLong = process.env['SEALIFT_LONG_CLUSTER_TESTS'] === '1';

/** Why one does not run, for its name. */
export const whyNot = runsLong ? '' : ' (takes minutes: `make chaos-cluster` runs it)';
