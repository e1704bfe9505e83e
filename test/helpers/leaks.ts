import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readableHistory } from './history-json.ts';
import { recordedRuns } from './recorded-runs.ts';

/**
 * The secrets that are in a content, plain or in the usual encodings.
 * @param secrets by the names that are returned
 * @param users whose `user:secret` is looked for in base64 too, as headers and docker's configuration have it
 */
export function findLeaks(
  content: Buffer | string,
  secrets: Record<string, string>,
  users: readonly string[] = [],
): string[] {
  const text = typeof content === 'string' ? content : content.toString('latin1');
  const base64 = (value: string): string => Buffer.from(value).toString('base64').replace(/=+$/, '');
  return Object.entries(secrets)
    .filter(([, secret]) =>
      [
        ...[secret, encodeURIComponent(secret), Buffer.from(secret).toString('hex'), base64(secret)],
        ...users.map((user) => base64(`${user}:${secret}`)),
      ].some((form) => text.includes(form)),
    )
    .map(([name]) => name);
}

/**
 * What is secret within a configuration or cloud-init, and would be found nowhere as a part of the whole, since that is escaped
 * or cut into lines elsewhere: lines of private keys, keys and tokens of kubeconfigs, bootstrap tokens, headers with passwords.
 */
export function secretsWithin(text: string): string[] {
  const first = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found = '']) => found);
  const keys = first(/client-key-data"?: *"?([A-Za-z0-9+/=]+)/g);
  const lines = first(/-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)/g).flatMap((body) => body.trim().split(/\s+/));
  const others = [/\btoken"?: *"?([\w.-]{16,})/g, /\b([a-z0-9]{6}\.[a-z0-9]{16})\b/g, /\bBasic ([A-Za-z0-9+/=]{8,})/g];
  const deeper = keys.flatMap((key) => secretsWithin(Buffer.from(key, 'base64').toString('utf8')));
  // the last line of a key may be a few characters
  return [...keys, ...lines.filter(({ length }) => length >= 16), ...others.flatMap(first), ...deeper];
}

export async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** All histories as JSON, payloads decoded. */
export async function histories(address: string): Promise<string[]> {
  return (await recordedRuns(address)).map(({ history }) => readableHistory(history));
}
