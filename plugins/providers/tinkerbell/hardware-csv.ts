import { isIP } from 'node:net';
import type { Finding } from '../../../contracts/clusters.ts';
import { parseAddress } from '../../../core/clusters/spec/cidr.ts';
import { nearestWord } from '../../../core/clusters/spec/nearest.ts';
import { isDnsName, labelKeyFault, labelValueFault } from '../../../core/clusters/spec/syntax.ts';
import { SealiftError } from '../../../core/errors.ts';
import { positionOfText } from '../../../core/sources/input-error.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { parseCsv, type CsvCell } from './csv.ts';

/** One machine of the hardware list. */
export interface Hardware {
  hostname: string;
  /** lower case, colons between */
  mac: string;
  ipAddress: string;
  netmask: string;
  gateway: string;
  nameservers: string[];
  /** device that the operating system is written to, e.g. `/dev/sda` */
  disk: string;
  labels: Record<string, string>;
  vlanId?: string;
  /** absent for machines that a person switches on and off */
  bmc?: { ip: string; username: string; password: string };
  /** of the file, from 1 */
  line: number;
}

const required = ['hostname', 'mac', 'ip_address', 'netmask', 'gateway', 'nameservers', 'labels', 'disk'] as const;
const optional = ['bmc_ip', 'bmc_username', 'bmc_password', 'vlan_id'] as const;
type Column = (typeof required)[number] | (typeof optional)[number];
const columns: readonly string[] = [...required, ...optional];

/** A row by column, and what is found about it. */
interface Row {
  line: number;
  cells: Partial<Record<Column, CsvCell>>;
  /** the trimmed text, empty where there is none */
  value(column: Column): string;
  problem(column: Column, message: string, remedy?: string): void;
  warning(column: Column, message: string, remedy: string): void;
}

/**
 * Reads the hardware list of bare metal: a CSV file with a heading, one machine a line. Never throws for what is in the file.
 * @param file path as the operator gave it
 * @returns the machines nothing is wrong with, and everything that is wrong; passwords are never in a finding
 */
export function parseHardwareCsv(file: string, bytes: Uint8Array): { hardware: Hardware[]; findings: Finding[] } {
  const findings: Finding[] = [];
  function fileProblem(message: string, remedy: string, at: { line?: number; column?: number } = {}): void {
    const position = { file, line: at.line ?? 1, column: at.column ?? 1 };
    findings.push({ id: 'hardware.file', status: 'problem', subject: file, message, remedy, position });
  }
  let text: string;
  try {
    text = decodeText(file, bytes);
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    fileProblem(error.problem.message, error.problem.remedy, positionOfText(error.problem.subject));
    return { hardware: [], findings };
  }
  const { rows, fault } = parseCsv(text);
  if (fault !== undefined) fileProblem(fault.message, 'correct the quotes', fault);
  const [heading, ...body] = rows;
  if (heading === undefined) {
    fileProblem('the file is empty', `begin with the line ${[...required, ...optional.slice(0, 3)].join(',')}`);
    return { hardware: [], findings };
  }
  const names = headingColumns(heading, file, findings);
  if (names === undefined) return { hardware: [], findings };
  if (body.length === 0) fileProblem('the file lists no machine', 'add a line for each machine', heading[0]);
  const taken = new Map<string, number>();
  const hardware = body.flatMap((cells) => {
    const row = rowOf(cells, names, file, findings);
    const before = findings.length;
    rowRules(row, cells, heading);
    uniqueRules(row, taken);
    return findings.slice(before).some(({ status }) => status === 'problem') ? [] : [hardwareOf(row)];
  });
  return { hardware, findings };
}

/** @returns the columns by position, or undefined when one is missing */
function headingColumns(heading: readonly CsvCell[], file: string, findings: Finding[]): string[] | undefined {
  const names = heading.map(({ text }) => text.trim());
  function add(status: Finding['status'], message: string, remedy: string, { line, column }: CsvCell): void {
    findings.push({ id: 'hardware.columns', status, subject: file, message, remedy, position: { file, line, column } });
  }
  const unknown = names.filter((name) => !columns.includes(name));
  const missing = required.filter((column) => !names.includes(column));
  for (const column of missing) {
    const near = nearestWord(column, unknown);
    const remedy = near === undefined ? 'add it' : `is ${near} meant to be it?`;
    add('problem', `the column ${column} is missing`, remedy, heading[0]!);
  }
  for (const [index, name] of names.entries()) {
    if (!columns.includes(name)) {
      const near = nearestWord(name, columns);
      add(
        'warning',
        `nothing is done with the column ${JSON.stringify(name)}`,
        near === undefined ? 'take it out' : `did you mean ${near}?`,
        heading[index]!,
      );
    } else if (names.indexOf(name) !== index) {
      add('problem', `there are two columns ${name}`, 'leave one', heading[index]!);
    }
  }
  return missing.length === 0 ? names : undefined;
}

function rowOf(cells: readonly CsvCell[], names: readonly string[], file: string, findings: Finding[]): Row {
  const line = cells[0]!.line;
  const byColumn = Object.fromEntries(cells.map((cell, index) => [names[index] ?? '', cell])) as Row['cells'];
  const value = (column: Column): string => byColumn[column]?.text.trim() ?? '';
  const subject = value('hostname') === '' ? `line ${line}` : value('hostname');
  function add(status: Finding['status'], field: Column, message: string, remedy: string): void {
    const position = { file, line, column: byColumn[field]?.column ?? 1, field };
    findings.push({ id: `hardware.${field.replace('_', '-')}`, status, subject, message, remedy, position });
  }
  return {
    line,
    cells: byColumn,
    value,
    problem: (column, message, remedy = 'correct it') => add('problem', column, message, remedy),
    warning: (column, message, remedy) => add('warning', column, message, remedy),
  };
}

function rowRules(row: Row, cells: readonly CsvCell[], heading: readonly CsvCell[]): void {
  if (cells.length !== heading.length) {
    const message = `the line has ${cells.length} cells, the heading ${heading.length}`;
    row.problem('hostname', message, 'fill it up with commas, or put a cell with a comma into quotes');
    return;
  }
  for (const column of required) {
    if (row.value(column) === '' && column !== 'labels') row.problem(column, 'it is empty', 'fill it in');
  }
  given(row, 'hostname', isDnsName, 'is no DNS name in lower case');
  given(row, 'mac', (text) => macOf(text) !== undefined, 'is no MAC address of a network card');
  for (const column of ['ip_address', 'gateway'] as const) given(row, column, isAddress, 'is no IP address');
  given(row, 'netmask', isNetmask, 'is no netmask, such as 255.255.255.0');
  given(row, 'disk', (text) => /^(\/dev\/[\w-]+)+$/.test(text), 'is no device, such as /dev/sda');
  given(row, 'nameservers', (text) => listOf(text).every(isAddress), 'is no list of IP addresses with | between');
  given(
    row,
    'vlan_id',
    (text) => /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 4094,
    'is no VLAN: 1 to 4094',
  );
  for (const fault of labelFaults(row.value('labels'))) row.problem('labels', fault, 'write labels as type=cp|rack=1');
  if (row.value('labels') === '') {
    row.warning('labels', 'no machine config can select hardware without labels', 'add one, such as type=worker');
  }
  gatewayRules(row);
  bmcRules(row);
}

function given(row: Row, column: Column, isRight: (text: string) => boolean, fault: string): void {
  const text = row.value(column);
  if (text !== '' && !isRight(text)) row.problem(column, `${JSON.stringify(text)} ${fault}`);
}

function gatewayRules(row: Row): void {
  const [address, gateway, mask] = (['ip_address', 'gateway', 'netmask'] as const).map((column) =>
    parseAddress(row.value(column)),
  );
  if (address === undefined || gateway === undefined || mask === undefined) return;
  if (address.number === gateway.number) {
    row.problem('gateway', 'it is the address of the machine itself', 'give the address of the router');
  } else if ((address.number & mask.number) !== (gateway.number & mask.number)) {
    row.warning('gateway', 'it is not in the network of ip_address and netmask', 'check the three of them');
  }
}

function bmcRules(row: Row): void {
  const parts = ['bmc_ip', 'bmc_username', 'bmc_password'] as const;
  if (parts.every((column) => row.value(column) === '')) return;
  for (const column of parts) {
    if (row.value(column) !== '') continue;
    row.problem(column, 'it is empty, while other cells say how the BMC is reached', 'fill in all three, or none');
  }
  given(row, 'bmc_ip', isAddress, 'is no IP address');
}

/** What two machines cannot share. @param taken line by column and value */
function uniqueRules(row: Row, taken: Map<string, number>): void {
  for (const column of ['hostname', 'ip_address', 'mac', 'bmc_ip'] as const) {
    const text = row.value(column);
    const key = `${column} ${column === 'mac' ? (macOf(text) ?? text) : text}`;
    const first = taken.get(key);
    if (text === '') continue;
    if (first !== undefined) row.problem(column, `${text} is also on line ${first}`, 'give every machine its own');
    else taken.set(key, row.line);
  }
}

function hardwareOf(row: Row): Hardware {
  const vlanId = row.value('vlan_id');
  const ip = row.value('bmc_ip');
  return {
    hostname: row.value('hostname'),
    mac: macOf(row.value('mac')) ?? row.value('mac'),
    ipAddress: row.value('ip_address'),
    netmask: row.value('netmask'),
    gateway: row.value('gateway'),
    nameservers: listOf(row.value('nameservers')),
    disk: row.value('disk'),
    labels: labelsOf(row.value('labels')),
    ...(vlanId === '' ? {} : { vlanId }),
    ...(ip === ''
      ? {}
      : // a password may begin or end with a space
        { bmc: { ip, username: row.value('bmc_username'), password: row.cells.bmc_password!.text } }),
    line: row.line,
  };
}

function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** IPv4 only: ones, then zeros, and neither alone. */
function isNetmask(text: string): boolean {
  const mask = parseAddress(text);
  return mask?.family === 4 && /^1+0*$/.test(mask.number.toString(2).padStart(32, '0'));
}

/** Six bytes with colons, hyphens, or dots after every second; neither a group address nor nothing but zeros. */
function macOf(text: string): string | undefined {
  const written = /^([0-9a-f]{2}([:-]))([0-9a-f]{2}\2){4}[0-9a-f]{2}$|^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}$/i;
  const bytes = written.test(text) ? text.toLowerCase().match(/[0-9a-f]{2}/g) : undefined;
  if (bytes == null || parseInt(bytes[0], 16) % 2 === 1 || bytes.every((byte) => byte === '00')) return undefined;
  return bytes.join(':');
}

function listOf(text: string): string[] {
  return text.split('|').map((part) => part.trim());
}

/** `type=cp|rack=1` in pairs, wrong ones included. */
function pairsOf(text: string): string[][] {
  return text === '' ? [] : listOf(text).map((pair) => pair.split('=').map((part) => part.trim()));
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(pairsOf(text).map(([key = '', value = '']) => [key, value] as const));
}

function labelFaults(text: string): string[] {
  return pairsOf(text).flatMap(([key = '', value, ...more]) => {
    if (value === undefined || more.length > 0) return [`${JSON.stringify(key)} is not written as key=value`];
    return labelKeyFault(key) ?? labelValueFault(value) ?? [];
  });
}
