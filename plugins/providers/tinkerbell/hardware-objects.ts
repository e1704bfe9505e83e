import type { KubernetesObject } from '../../../contracts/cluster-spec.ts';
import { CLUSTER_NAMESPACE } from '../../../core/clusters/render/names.ts';
import { defaultPorts, type BmcSettings } from './bmc/contact.ts';
import type { Hardware } from './hardware-csv.ts';

export const hardwareKind = { apiVersion: 'tinkerbell.org/v1alpha1', kind: 'Hardware' } as const;
/** Its resource is machines.bmc.tinkerbell.org: not Cluster API's Machine. */
export const bmcMachineKind = { apiVersion: 'bmc.tinkerbell.org/v1alpha1', kind: 'Machine' } as const;

/** The longest lease there is: machines have fixed addresses, but Bottlerocket asks for its own by DHCP. */
const LEASE_SECONDS = 2 ** 32 - 2;

/** What Tinkerbell's controllers have to know of a machine; its BMC's password is in the Secret alone. */
export interface HardwareObjects {
  hardware: KubernetesObject;
  /** absent for machines that a person switches on and off */
  bmc?: { machine: KubernetesObject; secret: KubernetesObject };
}

/**
 * The objects of a machine of the hardware list, named and filled as EKS Anywhere has them. Pure.
 * @see Tinkerbell's API tinkerbell.org/v1alpha1 and bmc.tinkerbell.org/v1alpha1
 */
export function hardwareObjects(one: Hardware, settings: BmcSettings): HardwareObjects {
  const hardware = {
    ...object(hardwareKind, one.hostname),
    spec: {
      ...(one.bmc === undefined ? {} : { bmcRef: { name: bmcName(one.hostname), kind: bmcMachineKind.kind } }),
      disks: [{ device: one.disk }],
      metadata: instanceMetadata(one),
      interfaces: [{ netboot: { allowPXE: true, allowWorkflow: true }, dhcp: dhcpOf(one) }],
    },
  };
  hardware.metadata.labels = one.labels;
  if (one.bmc === undefined) return { hardware };
  return { hardware, bmc: bmcObjects(bmcName(one.hostname), one.bmc, settings) };
}

/** The name of the Machine that is the BMC of some hardware. */
export function bmcName(hostname: string): string {
  return `bmc-${hostname}`;
}

function object(kind: { apiVersion: string; kind: string }, name: string): KubernetesObject {
  return { ...kind, metadata: { name, namespace: CLUSTER_NAMESPACE } };
}

/** What Tinkerbell's metadata service tells cloud-init on the machine. */
function instanceMetadata({ hostname, mac, ipAddress, netmask, gateway }: Hardware): object {
  return {
    facility: { facility_code: 'onprem', plan_slug: 'c2.medium.x86' },
    instance: {
      id: mac,
      hostname,
      ips: [{ address: ipAddress, netmask, gateway, family: 4, public: true }],
      allow_pxe: true,
      always_pxe: true,
      operating_system: {},
    },
  };
}

function dhcpOf({ hostname, mac, ipAddress, netmask, gateway, nameservers, vlanId }: Hardware): object {
  return {
    arch: 'x86_64',
    mac,
    hostname,
    ip: { address: ipAddress, netmask, gateway, family: 4 },
    lease_time: LEASE_SECONDS,
    name_servers: nameservers,
    uefi: true,
    ...(vlanId === undefined ? {} : { vlan_id: vlanId }),
  };
}

function bmcObjects(
  name: string,
  { ip, username, password }: NonNullable<Hardware['bmc']>,
  { redfishPort, ipmiPort }: BmcSettings,
): NonNullable<HardwareObjects['bmc']> {
  const secret = object({ apiVersion: 'v1', kind: 'Secret' }, `${name}-auth`);
  // the definitions of the other two kinds carry this label, so only Secrets need it to be taken along by a move
  secret.metadata.labels = { 'clusterctl.cluster.x-k8s.io/move': 'true' };
  const machine = {
    ...object(bmcMachineKind, name),
    spec: {
      connection: {
        host: ip,
        authSecretRef: { name: secret.metadata.name, namespace: CLUSTER_NAMESPACE },
        // Tinkerbell cannot be given an authority
        insecureTLS: true,
        providerOptions: {
          preferredOrder: ['gofish'],
          // every Redfish service has it, and not every one has sessions
          redfish: { useBasicAuth: true, ...(redfishPort === defaultPorts.redfishPort ? {} : { port: redfishPort }) },
          ...(ipmiPort === defaultPorts.ipmiPort ? {} : { ipmitool: { port: ipmiPort } }),
        },
      },
    },
  };
  const data = { username: base64(username), password: base64(password) };
  return { machine, secret: { ...secret, type: 'kubernetes.io/basic-auth', data } };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
