export { createCluster } from './create-cluster.ts';
export { deleteCluster } from './delete-cluster.ts';
export { exportArtifacts } from './export-artifacts.ts';
export { importArtifacts } from './import-artifacts.ts';
export { upgradeCluster } from './upgrade-cluster.ts';
