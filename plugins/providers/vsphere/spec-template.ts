import { clusterTemplate, documentHead, usersTemplate } from '../../../core/clusters/spec/template-parts.ts';
import { datacenterKind, machineKind } from './schema.ts';

/** A commented specification of a management cluster on vSphere, with example values. @param name of the cluster */
export function specTemplate(name: string): string {
  return [
    `# A cluster on vSphere. vCenter's user and password come from EKSA_VSPHERE_USERNAME and EKSA_VSPHERE_PASSWORD.
${clusterTemplate(name, { datacenter: datacenterKind, machine: machineKind })}`,
    datacenterTemplate(name),
    machineTemplate(`${name}-cp`, 8192),
    machineTemplate(`${name}-md`, 16384),
  ].join('---\n');
}

function datacenterTemplate(name: string): string {
  return `${documentHead(datacenterKind, name)}spec:
  # Name or address of vCenter, without https://
  server: vcenter.example.com
  # What \`govc about.cert -k -thumbprint\` shows. Give it also where a CA has signed the certificate.
  thumbprint: "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"
  insecure: false
  datacenter: Datacenter
  # Inventory paths, or names.
  network: /Datacenter/network/VM Network
`;
}

function machineTemplate(name: string, memoryMiB: number): string {
  return `${documentHead(machineKind, name)}spec:
  # ubuntu or redhat: what the template was made with.
  osFamily: ubuntu
  # A template with this version of Kubernetes.
  template: /Datacenter/vm/Templates/ubuntu-2204-kube-1.34
  numCPUs: 2
  memoryMiB: ${memoryMiB}
  # As large as the template's disk, or larger. With cloneMode: linkedClone machines are there sooner, and exactly as large.
  diskGiB: 25
  datastore: /Datacenter/datastore/Datastore
  folder: /Datacenter/vm/Kubernetes
  resourcePool: "*/Resources"
  # storagePolicyName: vSAN Default Storage Policy
  # hostOSConfiguration: {ntpConfiguration: {servers: [ntp.example.com]}}
${usersTemplate}`;
}
