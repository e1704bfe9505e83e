import { isIP } from 'node:net';

/** For `sort`: `1.9` before `1.10`, `v1.34.6` before `v1.35.4`. */
export function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** RFC 1123: lower case letters, digits and hyphens, at most 63, as Kubernetes has it. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text);
}

/** RFC 1123 subdomain: labels with dots between, at most 253 characters, of any length each as Kubernetes has it. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text);
}

/** An IP address or a DNS name; a text of digits and dots can only be meant as an address. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  return isDnsName(text.toLowerCase()) && !/^[\d.]+$/.test(text);
}

/** `1` to `65535`, in digits only. */
export function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;
}

/** @returns what is wrong with the key of a label or taint, or undefined; see Kubernetes' "Labels and Selectors" */
export function labelKeyFault(key: string): string | undefined {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  if (slash !== -1 && !isDnsName(key.slice(0, slash))) return `the part before the slash of ${key} is no DNS name`;
  return namePattern.test(name) ? undefined : `the key ${JSON.stringify(key)} ${nameRule}`;
}

/** @returns what is wrong with the value of a label or taint, or undefined */
export function labelValueFault(value: string): string | undefined {
  return value === '' || namePattern.test(value) ? undefined : `the value ${JSON.stringify(value)} ${nameRule}`;
}

const namePattern = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const nameRule =
  'is not letters, digits, hyphens, dots and underscores, 63 at most, with a letter or digit at both ends';

/** A URL that can be asked: http or https, with a host. */
export function isHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== '';
}

/** A Kubernetes minor version, `1.31`. */
export interface MinorVersion {
  major: number;
  minor: number;
}

/** Reads `1.31`; `v1.31.4` and the like are not what a specification says. */
export function parseMinor(text: string): MinorVersion | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})$/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** `1.34` of `v1.34.6`, and of `1.34` itself. */
export function minorOf(version: string): string {
  return /^v?(\d+\.\d+)/.exec(version)?.[1] ?? version;
}

/** How many minors `to` is newer than `from`; undefined when the majors differ or one is no version. */
export function minorsBetween(from: string, to: string): number | undefined {
  const [older, newer] = [parseMinor(from), parseMinor(to)];
  return older?.major === undefined || older.major !== newer?.major ? undefined : newer.minor - older.minor;
}
