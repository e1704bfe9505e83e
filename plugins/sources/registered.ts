// Registering a source is one line here. test/contract/sources.test.ts compares the lines with the folders.
export { canonicalK8s } from './canonical-k8s/index.ts';
export { charmedKubeflow } from './charmed-kubeflow/index.ts';
export { cluster } from './cluster/index.ts';
export { eksAnywhere } from './eks-anywhere/index.ts';
export { images } from './images/index.ts';
export { kubespray } from './kubespray/index.ts';
