import type { TinkerbellMachineSpec, TinkerbellTemplateSpec } from './schema.ts';

export type Action = TinkerbellTemplateSpec['template']['tasks'][number]['actions'][number];

interface WrittenFile {
  path: string;
  contents: string;
  /** octal; 0600 unless given */
  mode?: string;
  folderMode?: string;
}

/** Makes actions that write a file into a partition of the machine that is installed. */
export type WriteFile = (name: string, file: WrittenFile) => Action;

/** @param partition template of its device */
export function writeFileAction(image: string, partition: string): WriteFile {
  return (name, { path, contents, mode = '0600', folderMode = '0700' }) => ({
    name,
    image,
    timeout: 90,
    environment: {
      DEST_DISK: partition,
      FS_TYPE: 'ext4',
      DEST_PATH: path,
      CONTENTS: contents,
      ...{ UID: '0', GID: '0', MODE: mode, DIRMODE: folderMode },
    },
  });
}

/** The fixed address of the machine, in the words of what configures its network; with a VLAN when its Hardware has one. */
export function networkAction(osFamily: TinkerbellMachineSpec['osFamily'], write: WriteFile): Action {
  const file =
    osFamily === 'ubuntu'
      ? { path: '/etc/netplan/config.yaml', contents: netplan, mode: '0644' }
      : { path: '/etc/NetworkManager/system-connections/static-connection.nmconnection', contents: networkManager };
  return { ...write('write network config', { ...file, folderMode: '0755' }), pid: 'host' };
}

// What follows is filled in by Tinkerbell from the machine's Hardware (Go's text/template).
const dhcp = '(index .Hardware.Interfaces 0).DHCP';
const address = `{{ ${dhcp}.IP.Address }}/{{ netmaskToPrefixLength ${dhcp}.IP.Netmask }}`;

function nameservers(separator: string): string {
  return `{{ range $i, $server := ${dhcp}.NameServers }}{{ if $i }}${separator}{{ end }}{{ $server }}{{ end }}`;
}

function withOrWithoutVlan(withVlan: string, without: string): string {
  return `{{ if ${dhcp}.VLANID }}${withVlan}{{ else }}${without}{{ end }}`;
}

/** @param indent of the interface's fields */
function netplanAddresses(indent: string): string {
  return [
    'addresses:',
    `  - ${address}`,
    'nameservers:',
    `  addresses: [${nameservers(', ')}]`,
    'routes:',
    '  - to: default',
    `    via: {{ ${dhcp}.IP.Gateway }}`,
  ]
    .map((line) => `${indent}${line}\n`)
    .join('');
}

const netplan = withOrWithoutVlan(
  `network:
  version: 2
  renderer: networkd
  ethernets:
    mainif:
      match:
        macaddress: {{ ${dhcp}.MAC }}
      set-name: mainif
  vlans:
    vlan{{ ${dhcp}.VLANID }}:
      id: {{ ${dhcp}.VLANID }}
      link: mainif
${netplanAddresses('      ')}`,
  `network:
  version: 2
  renderer: networkd
  ethernets:
    id0:
      match:
        macaddress: {{ ${dhcp}.MAC }}
${netplanAddresses('      ')}`,
);

function keyfile(connection: string, sections: string): string {
  return `[connection]
${connection}
autoconnect=yes
autoconnect-priority=10

[ethernet]
mac-address={{ ${dhcp}.MAC }}
${sections}
[ipv4]
address1=${address}
dns=${nameservers(';')};
gateway={{ ${dhcp}.IP.Gateway }}
method=manual

[ipv6]
addr-gen-mode=default
method=ignore
`;
}

const networkManager = withOrWithoutVlan(
  keyfile(
    'id=vlan-connection\ntype=vlan',
    `\n[vlan]\nflags=1\nid={{ ${dhcp}.VLANID }}\nmac-address={{ ${dhcp}.MAC }}\n`,
  ),
  keyfile('id=static-connection\ntype=ethernet', ''),
);
