import { unescapeXml } from '../xml.ts';

/** What an OVF descriptor says of its virtual machine, as far as a template needs it. */
export interface Descriptor {
  /** the files that it refers to; a size where it gives one */
  files: { name: string; size?: number }[];
  /** largest first */
  disks: Disk[];
  /** virtual machines in it, `VirtualSystem`; a vApp of several has none of its own */
  systems: number;
  /** as VMware names it, e.g. `ubuntu64Guest` */
  osType?: string;
  /** of its product section: image-builder says there what it has built */
  properties: Map<string, string>;
}

export interface Disk {
  /** what the machine sees, in bytes */
  capacity: number;
  /** what is written of it, in bytes; the capacity where it is not said */
  populated: number;
}

/**
 * Reads an OVF descriptor (DMTF DSP0243, versions 1 and 2), whatever prefixes its names have. What is malformed is as good as absent:
 * vCenter has the last say.
 */
export function parseDescriptor(ovf: string): Descriptor {
  const xml = ovf.replace(/<!--.*?-->/gs, '');
  const osType = elementsIn(xml, 'OperatingSystemSection')[0]?.get('osType');
  const disks = elementsIn(xml, 'Disk').map(diskOf);
  return {
    files: elementsIn(xml, 'File').flatMap((file) => {
      const [name, size] = [file.get('href'), file.get('size')];
      return name === undefined ? [] : [{ name, ...(size === undefined ? {} : { size: Number(size) }) }];
    }),
    disks: disks.sort((a, b) => b.capacity - a.capacity),
    systems: elementsIn(xml, 'VirtualSystem').length,
    ...(osType === undefined ? {} : { osType }),
    properties: new Map(elementsIn(xml, 'Property').map((one) => [one.get('key') ?? '', one.get('value') ?? ''])),
  };
}

function diskOf(attributes: Map<string, string>): Disk {
  const capacity = Number(attributes.get('capacity')) * unitOf(attributes.get('capacityAllocationUnits') ?? '');
  return { capacity, populated: Number(attributes.get('populatedSize') ?? capacity) };
}

/** `byte * 2^30` (DSP0004, programmatic units). */
function unitOf(text: string): number {
  const [, base, exponent = '1'] = /\*\s*(\d+)(?:\s*\^\s*(\d+))?/.exec(text) ?? [];
  return base === undefined ? 1 : Number(base) ** Number(exponent);
}

/** The attributes of all elements of a name, without prefixes. */
function elementsIn(xml: string, name: string): Map<string, string>[] {
  return [...xml.matchAll(new RegExp(`<(?:[\\w.-]+:)?${name}((?:\\s[^>]*)?)>`, 'g'))].map(([, inside = '']) => {
    const attributes = inside.matchAll(/(?:[\w.-]+:)?([\w.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g);
    return new Map([...attributes].map(([, key = '', double, single]) => [key, unescapeXml(double ?? single ?? '')]));
  });
}

/** What a template is tagged with, `category:value` each, by what its descriptor says: EKS Anywhere's tags, and one for any other Kubernetes. */
export function tagsOf({ properties, osType = '' }: Descriptor): string[] {
  const family = familyOf(properties.get('DISTRO_NAME') ?? osType);
  const version = properties.get('KUBERNETES_SEMVER') ?? '';
  const [, minor, number] = /^v1\.\d+\.\d+-eks-1-(\d+)-(\d+)$/.exec(version) ?? [];
  const plain = /^v1\.\d+\.\d+/.exec(version)?.[0];
  return [
    ...(family === undefined ? [] : [`os:${family}`]),
    ...(minor === undefined
      ? plain === undefined
        ? []
        : [`kubernetesVersion:${plain}`]
      : [`eksdRelease:kubernetes-1-${minor}-eks-${number}`]),
  ];
}

/** `osFamily` by image-builder's name of a distribution, or VMware's of a guest. */
function familyOf(name: string): string | undefined {
  if (/^ubuntu/i.test(name)) return 'ubuntu';
  return /^(rhel|red ?hat)/i.test(name) ? 'redhat' : undefined;
}
