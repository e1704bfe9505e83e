import { createHash } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SealiftError } from '../../../../core/errors.ts';
import { temporaryFolder, type TemporaryFolder } from '../../../../test/helpers/paths.ts';
import { streamOptimized, writeOva, type OvaEntry, type OvaOptions } from '../../../../test/lab/ova.ts';
import { openOva, proveDigests } from './archive.ts';
import { parseDescriptor, tagsOf } from './descriptor.ts';

const GIB = 1024 ** 3;
const alive = (): void => undefined;

describe('an OVA', () => {
  let folder: TemporaryFolder;
  let file: string;

  beforeAll(async () => {
    folder = await temporaryFolder('ova');
    file = join(folder.path, 'image.ova');
  });
  afterAll(() => folder.remove());

  /** Opens it and proves its digests. @returns what is wrong with it */
  async function faultOf(options: OvaOptions, then: () => Promise<void> = () => Promise.resolve()): Promise<string> {
    await writeOva(file, options);
    await then();
    try {
      await proveDigests(await openOva(file, alive), alive);
    } catch (error) {
      const { type, side, operation, subject, message, remedy } = (error as SealiftError).problem;
      expect({ side, operation, subject }).toEqual({ side: 'local', operation: 'read OVA', subject: file });
      expect(remedy).not.toBe('');
      return `${type}: ${message}`;
    }
    return 'nothing';
  }

  it.each(['sha1', 'sha256', 'sha512'] as const)('is proven by a manifest of %s', async (algorithm) => {
    expect(await faultOf({ algorithm })).toBe('nothing');
  });

  it('is proven with its manifest at the end too, and with a certificate', async () => {
    const change = ([ovf, mf, disk]: OvaEntry[]): OvaEntry[] => {
      return [ovf!, disk!, mf!, { name: 'image.cert', bytes: Buffer.from('-----BEGIN CERTIFICATE-----') }];
    };
    expect(await faultOf({ change })).toBe('nothing');
  });

  it('says what is in it', async () => {
    await writeOva(file, { capacityGiB: 30 });
    const ova = await openOva(file, alive);
    expect(ova.descriptor).toMatchObject({ systems: 1, osType: 'ubuntu64Guest' });
    expect(ova.descriptor.disks).toEqual([{ capacity: 30 * GIB, populated: 65_536 }]);
    expect(tagsOf(ova.descriptor)).toEqual(['os:ubuntu', 'eksdRelease:kubernetes-1-34-eks-4']);
    const { identity } = ova;
    await writeOva(file, { capacityGiB: 31 });
    expect((await openOva(file, alive)).identity).not.toBe(identity);
  });

  /** Another file in it, as if it had been there when the manifest was made. */
  const withDigest = (entry: OvaEntry) => (entries: OvaEntry[]) => {
    const line = `SHA256(${entry.name})= ${createHash('sha256').update(entry.bytes).digest('hex')}\n`;
    return [
      ...entries.map(({ name, bytes }) => ({
        name,
        bytes: name.endsWith('.mf') ? Buffer.concat([bytes, Buffer.from(line)]) : bytes,
      })),
      entry,
    ];
  };
  const changed = (suffix: string, change: (bytes: Buffer) => Buffer) => (entries: OvaEntry[]) =>
    entries.map(({ name, bytes }) => ({ name, bytes: name.endsWith(suffix) ? change(bytes) : bytes }));
  const text = (change: (text: string) => string) => (bytes: Buffer) => Buffer.from(change(String(bytes)));

  it.each<[string, OvaOptions['change'], RegExp]>([
    [
      'a wrong digest',
      changed(
        '.mf',
        text((mf) => mf.replace(/.$/m, (last) => (last === '0' ? '1' : '0'))),
      ),
      /image.ovf in it has the SHA256 [0-9a-f]{64}, its manifest says/,
    ],
    [
      'a disk with one bit changed',
      changed('.vmdk', (disk) => Buffer.from(disk).fill(8, 60_000, 60_001)),
      /disk-0.vmdk in it has the SHA256/,
    ],
    ['no manifest', (entries) => entries.filter(({ name }) => !name.endsWith('.mf')), /no manifest/],
    [
      'a manifest without the disk',
      changed(
        '.mf',
        text((mf) => mf.split('\n')[0]!),
      ),
      /no digest of image-disk-0.vmdk/,
    ],
    [
      'a manifest of more',
      changed(
        '.mf',
        text((mf) => `${mf}SHA256(more)= 00\n`),
      ),
      /more of its manifest is not in it/,
    ],
    [
      'a manifest of something else',
      changed(
        '.mf',
        text((mf) => `${mf}MD5(more)= 00\n`),
      ),
      /line that is no digest: MD5/,
    ],
    [
      'no disk',
      (entries) => entries.filter(({ name }) => !name.endsWith('.vmdk')),
      /image-disk-0.vmdk, which its descriptor refers to, is not in it/,
    ],
    [
      'a disk of another size',
      changed('.vmdk', (disk) => disk.subarray(1)),
      /has 65535 bytes, its descriptor says 65536/,
    ],
    ['another file first', (entries) => entries.toReversed(), /it begins with image-disk-0.vmdk/],
    ['a file twice', (entries) => [...entries, entries[2]!], /image-disk-0.vmdk is in it twice/],
    ['a name that leads elsewhere', withDigest({ name: '../more', bytes: Buffer.from('x') }), /"..\/more" is no name/],
    [
      'several machines',
      changed(
        '.ovf',
        text((ovf) => ovf.replace('</Envelope>', '<VirtualSystem ovf:id="b"/></Envelope>')),
      ),
      /2 virtual machines/,
    ],
  ])('is refused with %s', async (_name, change, message) => {
    const fault = await faultOf({ ...(change === undefined ? {} : { change }) });
    expect(fault).toMatch(message);
    expect(fault).toMatch(/^ValidationFailed: /);
  });

  it('is refused with a disk that is not streamOptimized', async () => {
    const sparse = streamOptimized();
    sparse.writeUInt32LE(1, 8);
    expect(await faultOf({ disk: sparse })).toMatch(/no streamOptimized disk/);
    expect(await faultOf({ disk: Buffer.alloc(65_536) })).toMatch(/no streamOptimized disk/);
  });

  it('is refused when it is cut anywhere', async () => {
    await writeOva(file);
    const { length } = await readFile(file);
    // the two blocks at its end are all that may be missing
    for (let size = 0; size < length - 1024; size += 7_919) {
      expect(await faultOf({}, () => truncate(file, size)), `${size} bytes`).toMatch(/^ValidationFailed: /);
    }
  });

  it('is refused when it is compressed, something else, a folder, or nowhere', async () => {
    expect(await faultOf({}, async () => writeFile(file, gzipSync(await readFile(file))))).toMatch(
      /compressed with gzip/,
    );
    expect(await faultOf({}, () => writeFile(file, 'something else'))).toMatch(/no tar/);
    await expect(openOva(folder.path, alive)).rejects.toThrow(/EISDIR/);
    await expect(openOva(join(folder.path, 'none.ova'), alive)).rejects.toMatchObject({
      problem: { type: 'FileMissing', remedy: expect.stringContaining('worker') as string },
    });
  });

  it('is not read on when the operation is cancelled', async () => {
    await writeOva(file);
    const cancelled = new Error('cancelled');
    const cancel = (): never => {
      throw cancelled;
    };
    const ova = await openOva(file, alive);
    await expect(openOva(file, cancel)).rejects.toBe(cancelled);
    await expect(proveDigests(ova, cancel)).rejects.toBe(cancelled);
  });
});

describe('the descriptor of an OVA', () => {
  it.each<[string, Record<string, string>, string, string[]]>([
    ['EKS Distro', { KUBERNETES_SEMVER: 'v1.31.4-eks-1-31-12' }, '', ['eksdRelease:kubernetes-1-31-eks-12']],
    ['upstream’s Kubernetes', { KUBERNETES_SEMVER: 'v1.34.2+vmware.1' }, '', ['kubernetesVersion:v1.34.2']],
    ['Red Hat by its distribution', { DISTRO_NAME: 'rhel' }, 'other3xLinux64Guest', ['os:redhat']],
    ['Red Hat by its guest', {}, 'rhel8_64Guest', ['os:redhat']],
    ['nothing that is known', { KUBERNETES_SEMVER: 'newest' }, 'windows2022srvNext_64Guest', []],
  ])('says the tags of %s', (_name, properties, osType, tags) => {
    const product = Object.entries(properties).map(
      ([key, value]) => `<Property ovf:key="${key}" ovf:value="${value}"/>`,
    );
    const system = `<ovf:VirtualSystem ovf:id='a'><OperatingSystemSection ovf:id="1" vmw:osType='${osType}'>`;
    expect(tagsOf(parseDescriptor(`${system}${product.join('')}`))).toEqual(tags);
  });

  it('is read with any prefixes and quotes, without what is commented out', () => {
    const disks = `<!-- <Disk capacity="9"/> --><ovf:Disk capacity='5' ovf:capacityAllocationUnits="byte * 1024"/>
      <Disk ovf:populatedSize="7" ovf:capacity="6" ovf:capacityAllocationUnits="byte*2^20"/><Disk ovf:capacity="1"/>`;
    expect(parseDescriptor(`${disks}<File ovf:href="a &amp; b.vmdk"/>`)).toMatchObject({
      disks: [
        { capacity: 6 * 1024 ** 2, populated: 7 },
        { capacity: 5120, populated: 5120 },
        { capacity: 1, populated: 1 },
      ],
      files: [{ name: 'a & b.vmdk' }],
      systems: 0,
    });
  });
});
