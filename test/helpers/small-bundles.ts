const digest = `sha256:${'0'.repeat(64)}`;

/** A Bundles manifest as upstream writes them, cut down to two Kubernetes versions and a few blocks of each kind. */
export const smallBundles = `
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Bundles
metadata:
  name: bundles-1
spec:
  cliMaxVersion: v0.18.0
  cliMinVersion: v0.18.0
  number: 1
  versionsBundles:
${versionBlock('1.30', 'v1.30.14', 58)}${versionBlock('1.31', 'v1.31.14', 47)}`;

function versionBlock(kubeVersion: string, release: string, number: number): string {
  const channel = kubeVersion.replace('.', '-');
  const name = `kubernetes-${channel}-eks-${number}`;
  return `
  - kubeVersion: "${kubeVersion}"
    cilium:
      cilium: { arch: [amd64, arm64], description: Container image for cilium image, imageDigest: ${digest}, name: cilium, os: linux, uri: 'public.ecr.aws/isovalent/cilium:v1.15.18' }
      helmChart: { description: Helm chart for cilium-chart, imageDigest: ${digest}, name: cilium-chart, uri: 'public.ecr.aws/isovalent/cilium:1.15.18' }
      manifest: { uri: 'https://release-bucket/artifacts/cilium/cilium.yaml' }
      version: v1.15.18
    vSphere:
      components: { uri: 'https://release-bucket/artifacts/vsphere/components-${channel}.yaml' }
      clusterAPIController: { arch: [amd64], description: Container image for capv image, imageDigest: ${digest}, name: capv, os: linux, uri: 'public.ecr.aws/release-container-registry/capv/manager:v1.13.0' }
      version: v1.13.0
    docker:
      manager: { arch: [amd64], description: Container image for capd image, imageDigest: ${digest}, name: capd, os: linux, uri: 'public.ecr.aws/release-container-registry/capd/manager:v1.11.0' }
      version: v1.11.0
    snow:
      manager: { description: snow, uri: '<placeholder>' }
    eksD:
      channel: ${channel}
      components: https://distro.eks.amazonaws.com/crds/releases.yaml
      containerd: { arch: [amd64], description: containerd, name: containerd-linux-amd64.tar.gz, os: linux, sha256: x, sha512: y, uri: 'https://release-bucket/artifacts/containerd.tar.gz' }
      kindNode: { arch: [amd64], description: Container image for kind-node image, imageDigest: ${digest}, name: kind-node, os: linux, uri: 'public.ecr.aws/release-container-registry/kind-node:v${kubeVersion}' }
      kubeVersion: ${release}
      manifestUrl: https://distro.eks.amazonaws.com/kubernetes-${channel}/${name}.yaml
      name: ${name}
`;
}
