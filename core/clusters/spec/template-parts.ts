import { stringify } from 'yaml';
import { specApiVersion } from './common-schema.ts';

/** What templates of specifications have in common: commented YAML, to be filled in by a person. */

/** The beginning of a document. @param name quoted where YAML, new or old, would read something else */
export function documentHead(kind: string, name: string): string {
  return `apiVersion: ${specApiVersion}
kind: ${kind}
metadata:
  name: ${stringify(name, { version: '1.1' }).trim()}
`;
}

/** The Cluster of a management cluster with three control plane machines and two workers. */
export function clusterTemplate(name: string, kinds: { datacenter: string; machine: string }): string {
  return `${documentHead('Cluster', name)}spec:
  # The minor version, in quotes: without them YAML reads 1.30 as 1.3. The bundle says which release of it is installed.
  kubernetesVersion: "1.34"

  # A management cluster names itself. For a workload cluster, name the management cluster that makes it.
  managementCluster:
    name: ${stringify(name, { version: '1.1' }).trim()}

  controlPlaneConfiguration:
    # An odd number: etcd runs on these machines.
    count: 3
    endpoint:
      # An address that nothing else has, in the network of the machines and outside of DHCP: kube-vip answers there.
      host: 192.0.2.10
    machineGroupRef:
      kind: ${kinds.machine}
      name: ${name}-cp

  workerNodeGroupConfigurations:
    - name: md-0
      count: 2
      machineGroupRef:
        kind: ${kinds.machine}
        name: ${name}-md
      # labels: {purpose: general}
      # taints: [{key: dedicated, value: batch, effect: NoSchedule}]

  datacenterRef:
    kind: ${kinds.datacenter}
    name: ${stringify(name, { version: '1.1' }).trim()}

  clusterNetwork:
    cniConfig:
      cilium: {}
    # Neither may overlap the other, or the network of the machines.
    pods:
      cidrBlocks: [192.168.0.0/16]
    services:
      cidrBlocks: [10.96.0.0/12]

  # The registry that \`sealift import artifacts\` filled; it prints this part when it is done.
  # registryMirrorConfiguration:
  #   endpoint: harbor.example.com
  #   port: "443"
  #   ociNamespaces:
  #     - registry: public.ecr.aws
  #       namespace: eks-a
  #   authenticate: true
  #   caCertContent: |
  #     -----BEGIN CERTIFICATE-----
  #     -----END CERTIFICATE-----

  # proxyConfiguration:
  #   httpProxy: http://proxy.example.com:3128
  #   httpsProxy: http://proxy.example.com:3128
  #   noProxy: [192.0.2.0/24]

  # The folder of a git repository that Flux keeps the cluster at; needs a FluxConfig of this name.
  # gitOpsRef: {kind: FluxConfig, name: ${name}}
`;
}

/** Who can log in to machines. */
export const usersTemplate = `  users:
    - name: capv
      sshAuthorizedKeys:
        # Put in your public key.
        - ssh-ed25519 AAAA... someone@example.com
`;
