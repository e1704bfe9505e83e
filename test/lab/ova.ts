import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { encodeHeader } from '../../core/bundle/tar-header.ts';

/** A file in an OVA. */
export interface OvaEntry {
  name: string;
  bytes: Buffer;
}

/** What an OVA is like; without any, what image-builder makes of Ubuntu with Kubernetes 1.34. */
export interface OvaOptions {
  /** properties of its product section */
  properties?: Record<string, string>;
  /** VMware's name of its operating system */
  osType?: string;
  capacityGiB?: number;
  /** what is written of its disk; else what it has in the OVA */
  populatedBytes?: number;
  /** the manifest is written with this one */
  algorithm?: 'sha1' | 'sha256' | 'sha512';
  disk?: Buffer;
  /** the last say, after the manifest was made */
  change?: (entries: OvaEntry[]) => OvaEntry[];
}

const BLOCK = 512;

/** Bytes that begin as a streamOptimized VMDK does, and no more of one than that. @param bytes size */
export function streamOptimized(bytes = 65_536): Buffer {
  const disk = Buffer.alloc(bytes, 7);
  disk.write('KDMV');
  disk.writeUInt32LE(3, 4);
  // compressed grains, and markers between
  disk.writeUInt32LE(0x30001, 8);
  return disk;
}

/** Writes an OVA: descriptor, manifest, one disk. */
export async function writeOva(
  file: string,
  {
    properties = { KUBERNETES_SEMVER: 'v1.34.2-eks-1-34-4', DISTRO_NAME: 'ubuntu' },
    osType = 'ubuntu64Guest',
    capacityGiB = 20,
    algorithm = 'sha256',
    disk = streamOptimized(),
    populatedBytes = disk.length,
    change = (entries) => entries,
  }: OvaOptions = {},
): Promise<void> {
  const ovf = {
    name: 'image.ovf',
    bytes: Buffer.from(descriptor({ properties, osType, capacityGiB, populatedBytes }, disk.length)),
  };
  const vmdk = { name: 'image-disk-0.vmdk', bytes: disk };
  const lines = [ovf, vmdk].map(({ name, bytes }) => {
    return `${algorithm.toUpperCase()}(${name})= ${createHash(algorithm).update(bytes).digest('hex')}\n`;
  });
  const entries = change([ovf, { name: 'image.mf', bytes: Buffer.from(lines.join('')) }, vmdk]);
  const blocks = entries.flatMap(({ name, bytes }) => [
    encodeHeader(name, bytes.length),
    bytes,
    Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK),
  ]);
  await writeFile(file, Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]));
}

function descriptor(
  {
    properties,
    osType,
    capacityGiB,
    populatedBytes,
  }: Required<Pick<OvaOptions, 'properties' | 'osType' | 'capacityGiB' | 'populatedBytes'>>,
  size: number,
): string {
  const disks = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';
  const product = Object.entries(properties).map(
    ([key, value]) =>
      `<Property ovf:userConfigurable="false" ovf:value="${value}" ovf:type="string" ovf:key="${key}"/>`,
  );
  return `<?xml version='1.0' encoding='UTF-8'?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References><File ovf:id="file1" ovf:href="image-disk-0.vmdk" ovf:size="${size}"/></References>
  <DiskSection>
    <Info>Virtual disk information</Info>
    <Disk ovf:capacity="${capacityGiB}" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="${disks}" ovf:populatedSize="${populatedBytes}"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="nic0"><Description>a network</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id="image">
    <Info>A virtual machine</Info>
    <Name>image</Name>
    <OperatingSystemSection ovf:id="94" vmw:osType="${osType}"><Info>The operating system</Info></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemType>vmx-15</vssd:VirtualSystemType>
      </System>
      <Item><rasd:ElementName>2 virtual CPUs</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:ElementName>2048 MB</rasd:ElementName><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>2048</rasd:VirtualQuantity></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:ElementName>SCSI controller 0</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>Hard disk 1</rasd:ElementName><rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>2</rasd:AddressOnParent><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>nic0</rasd:Connection><rasd:ElementName>Ethernet adapter 1</rasd:ElementName><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
    </VirtualHardwareSection>
    <ProductSection><Info>What it was built of</Info>${product.join('')}</ProductSection>
  </VirtualSystem>
</Envelope>
`;
}
