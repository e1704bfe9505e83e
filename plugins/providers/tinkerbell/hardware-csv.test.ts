import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../contracts/clusters.ts';
import { samplesFolder } from '../../../test/helpers/paths.ts';
import { parseCsv } from './csv.ts';
import { parseHardwareCsv, type Hardware } from './hardware-csv.ts';

const heading = 'hostname,bmc_ip,bmc_username,bmc_password,mac,ip_address,netmask,gateway,nameservers,labels,disk';
const first =
  'one,192.0.2.1,admin,secret,00:00:00:00:00:01,10.0.0.1,255.255.255.0,10.0.0.254,1.1.1.1|9.9.9.9,type=cp|rack=1,/dev/sda';

function read(text: string): { hardware: Hardware[]; findings: Finding[] } {
  return parseHardwareCsv('hardware.csv', new TextEncoder().encode(text));
}

/** Findings as `line:column field`. */
function places(text: string): string[] {
  return read(text).findings.map(({ status, position }) =>
    [status, `${position?.line}:${position?.column}`, position?.field].filter((part) => part !== undefined).join(' '),
  );
}

/** The first machine with some cells changed. */
function changed(cells: Record<string, string>): string {
  const names = heading.split(',');
  return `${heading}\n${first
    .split(',')
    .map((cell, index) => cells[names[index]!] ?? cell)
    .join(',')}\n`;
}

describe('a hardware list', () => {
  it('is read line by line', () => {
    const { hardware, findings } = read(
      `\ufeff${heading},vlan_id\r\n${first},12\r\n\r\ntwo,,,,AA-BB-CC-DD-EE-02,10.0.0.2,255.255.255.0,10.0.0.254,1.1.1.1,type=cp,/dev/nvme0n1,`,
    );
    expect(findings).toEqual([]);
    expect(hardware).toEqual([
      {
        hostname: 'one',
        mac: '00:00:00:00:00:01',
        ipAddress: '10.0.0.1',
        netmask: '255.255.255.0',
        gateway: '10.0.0.254',
        nameservers: ['1.1.1.1', '9.9.9.9'],
        disk: '/dev/sda',
        labels: { type: 'cp', rack: '1' },
        vlanId: '12',
        bmc: { ip: '192.0.2.1', username: 'admin', password: 'secret' },
        line: 2,
      },
      expect.objectContaining({ hostname: 'two', mac: 'aa:bb:cc:dd:ee:02', line: 4 }),
    ]);
    expect(hardware[1]).not.toHaveProperty('bmc');
  });

  it.skipIf(!existsSync(`${samplesFolder}/eks-anywhere`))("is upstream's own", () => {
    const { hardware, findings } = read(readFileSync(`${samplesFolder}/eks-anywhere/hardware.csv`, 'utf8'));
    expect(findings).toEqual([]);
    expect(hardware.map(({ labels }) => labels['type'])).toEqual(['cp', 'worker', 'etcd', 'cp']);
  });

  it.each([
    ['hostname', ['', 'One', 'one_1']],
    ['mac', ['', '00:00:00:00:00', '00:00:00:00:00:00', '01:00:00:00:00:01', '00:00-00:00:00:01', 'zz:00:00:00:00:01']],
    ['ip_address', ['', '10.0.0', '10.0.0.256']],
    ['netmask', ['', '24', '255.0.255.0', '0.0.0.0']],
    ['gateway', ['', 'router', '10.0.0.1']],
    ['nameservers', ['', '1.1.1.1|', 'dns']],
    ['labels', ['type', 'a=b=c', 'a b=c', 'type=a b']],
    ['disk', ['', 'sda', '/dev/', '/etc/passwd']],
    ['bmc_ip', ['', 'bmc']],
    ['bmc_username', ['']],
    ['bmc_password', ['']],
  ])('tells what is wrong with %s', (column, values) => {
    for (const value of values) {
      const { hardware, findings } = read(changed({ [column]: value }));
      expect(hardware).toEqual([]);
      expect(findings).toMatchObject([{ status: 'problem', position: { line: 2, field: column } }]);
    }
  });

  it('tells all at once, and keeps what is right', () => {
    const text = `${heading}\n${first}\n${first}\n${first.replace('one', 'b a d').replace('/dev/sda', 'sda')}\n`;
    expect(places(text)).toEqual([
      ...['hostname', 'ip_address', 'mac', 'bmc_ip'].map((field) =>
        expect.stringMatching(new RegExp(`^problem 3:\\d+ ${field}$`)),
      ),
      'problem 4:1 hostname',
      expect.stringMatching(/^problem 4:\d+ disk$/),
      ...['ip_address', 'mac', 'bmc_ip'].map((field) => expect.stringMatching(new RegExp(`^problem 4:\\d+ ${field}$`))),
    ]);
    expect(read(text).hardware).toHaveLength(1);
    expect(JSON.stringify(read(text).findings)).not.toContain('secret');
  });

  it.each([
    ['', ['problem 1:1']],
    [heading, ['problem 1:1']],
    [heading.replace('netmask', 'net_mask'), ['problem 1:1', 'warning 1:58']],
    [`${heading},disk\n${first},/dev/sda`, ['problem 1:98']],
    [`${heading},vendor\n${first},a`, ['warning 1:98']],
    [`${heading}\n${first},more`, ['problem 2:1 hostname']],
    [`${heading}\n"${first}`, ['problem 2:1', 'problem 1:1']],
    [changed({ labels: '' }), ['warning 2:96 labels']],
    [changed({ gateway: '10.9.0.254' }), ['warning 2:69 gateway']],
  ])('looks at the file as a whole: %j', (text, expected) => {
    expect(places(text)).toEqual(expected);
  });

  it.each(['0', '4095', 'a', '1e3'])('has no VLAN %s', (vlan) => {
    expect(read(`${heading},vlan_id\n${first},${vlan}`).findings).toMatchObject([{ id: 'hardware.vlan-id' }]);
  });

  it('never throws, whatever is in the file', () => {
    const cell = fc.constantFrom(...first.split(','), ...heading.split(','), '"', '""', ',', '\n', '\r', 'a', '|', '=');
    const lines = fc.array(cell).map((cells) => `${heading}\n${cells.join(',')}`);
    fc.assert(fc.property(fc.oneof(fc.string(), lines), (text) => read(text).hardware.length >= 0));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => parseHardwareCsv('hardware.csv', bytes).findings.length > 0));
  });
});

describe('CSV', () => {
  it('is read back as it was written', () => {
    const cell = fc.string().map((text) => text.replaceAll('\r', ''));
    const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }));
    fc.assert(
      fc.property(rows, fc.constantFrom('\n', '\r\n'), (written, end) => {
        const text = written.map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join(',') + end).join('');
        expect(parseCsv(text).rows.map((row) => row.map((one) => one.text))).toEqual(written);
      }),
    );
  });

  it('says where a cell begins, also after cells of several lines', () => {
    expect(
      parseCsv('a,"b\nb",c\nd,e')
        .rows.flat()
        .map(({ text, line, column }) => [text, line, column]),
    ).toEqual([
      ['a', 1, 1],
      ['b\nb', 1, 3],
      ['c', 2, 4],
      ['d', 3, 1],
      ['e', 3, 3],
    ]);
    expect(parseCsv('a,"b"c').fault).toMatchObject({ line: 1, column: 6 });
  });
});
