/** A commented specification of a small cluster. */
export function specTemplate(name: string): string {
  return `apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Cluster
metadata:
  name: ${name}
spec:
  # the minor version; the bundle says which patch release that is
  kubernetesVersion: "1.35"
  # itself: a management cluster. The name of another one makes this a workload cluster.
  managementCluster:
    name: ${name}
  controlPlaneConfiguration:
    count: 1
    machineGroupRef:
      kind: InMemoryMachineConfig
      name: ${name}
  workerNodeGroupConfigurations:
    - name: md-0
      count: 1
      machineGroupRef:
        kind: InMemoryMachineConfig
        name: ${name}
  clusterNetwork:
    cniConfig:
      cilium: {}
    pods:
      cidrBlocks:
        - 192.168.0.0/16
    services:
      cidrBlocks:
        - 10.96.0.0/12
  datacenterRef:
    kind: InMemoryDatacenterConfig
    name: ${name}
---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: InMemoryDatacenterConfig
metadata:
  name: ${name}
spec: {}
---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: InMemoryMachineConfig
metadata:
  name: ${name}
spec:
  # how long a machine takes to start, and each thing on it
  startupDuration: 1s
`;
}
