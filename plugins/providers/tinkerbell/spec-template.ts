import { clusterTemplate, documentHead, usersTemplate } from '../../../core/clusters/spec/template-parts.ts';
import { datacenterKind, machineKind } from './schema.ts';

/** A commented specification of a management cluster on bare metal, with example values. @param name of the cluster */
export function specTemplate(name: string): string {
  return [
    `# A cluster on bare metal. Its machines are in a hardware list (--hardware-csv), a CSV file with this heading:
# hostname,bmc_ip,bmc_username,bmc_password,mac,ip_address,netmask,gateway,nameservers,labels,disk
# A management cluster is made by a bootstrap cluster with a node on the machines' network (--bootstrap-kubeconfig). Say its
# address in metadata.annotations of the Cluster: anywhere.eks.amazonaws.com/tinkerbell-bootstrap-ip: 192.0.2.12
${clusterTemplate(name, { datacenter: datacenterKind, machine: machineKind })}`,
    datacenterTemplate(name),
    machineTemplate(`${name}-cp`, 'cp'),
    machineTemplate(`${name}-md`, 'worker'),
  ].join('---\n');
}

function datacenterTemplate(name: string): string {
  return `${documentHead(datacenterKind, name)}spec:
  # An address that nothing else has, in the network the machines boot from: Tinkerbell answers there.
  tinkerbellIP: 192.0.2.11
  # An image on a server that the machines reach; its name says which Kubernetes is in it.
  osImageURL: http://192.0.2.1:8080/ubuntu-2204-kube-1.34.gz
  # The folder with vmlinuz and initramfs of HookOS, on a server that the machines reach.
  hookImagesURLPath: http://192.0.2.1:8080/hook
`;
}

function machineTemplate(name: string, type: string): string {
  return `${documentHead(machineKind, name)}spec:
  # Hardware with this label; an upgrade needs one machine more than the cluster has.
  hardwareSelector:
    type: ${type}
  # ubuntu or redhat: what the image was made with.
  osFamily: ubuntu
  # hostOSConfiguration: {ntpConfiguration: {servers: [ntp.example.com]}}
${usersTemplate}`;
}
