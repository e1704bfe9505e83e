import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { SealiftError } from '../errors.ts';

/** How one host is spoken to. */
export interface HostSettings {
  plainHttp: boolean;
  insecureSkipTlsVerify: boolean;
  /** PEM text of certificate authorities, trusted in addition to the usual ones */
  ca?: string;
  /** what a host asks for beyond that: PEM of a client's certificate and key, the name its certificate is for */
  tls?: { cert?: string; key?: string; servername?: string };
}

const DOCKER_CERTIFICATES = '/etc/docker/certs.d';
const PEM_CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----/;

/**
 * Settings of `host[:port]`: what the operator asked for, and every authority in `caFile`, `<configDir>/certs.d/<host>/*.crt`
 * and `/etc/docker/certs.d/<host>/*.crt` (Docker's layout, so that a machine set up for Docker needs nothing more).
 * @throws SealiftError FileMissing when `caFile` is absent, InvalidInput when a file holds no PEM certificate or cannot be read
 */
export async function loadHostSettings(
  host: string,
  options: { plainHttp: boolean; insecureSkipTlsVerify: boolean; caFile?: string },
  configDir: string,
): Promise<HostSettings> {
  const named = options.caFile === undefined ? [] : [options.caFile];
  const folders = [path.join(configDir, 'certs.d', host), path.join(DOCKER_CERTIFICATES, host)];
  const found = await Promise.all(folders.map(certificateFiles));
  const certificates = await Promise.all([...named, ...found.flat()].map(readCertificates));
  return {
    plainHttp: options.plainHttp,
    insecureSkipTlsVerify: options.insecureSkipTlsVerify,
    ...(certificates.length === 0 ? {} : { ca: certificates.join('\n') }),
  };
}

async function certificateFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith('.crt'))
      .sort()
      .map((name) => path.join(folder, name));
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw unusable('InvalidInput', folder, `the folder cannot be read (${codeOf(error)})`, error);
  }
}

async function readCertificates(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw unusable('FileMissing', file, 'there is no such file', error);
    throw unusable('InvalidInput', file, `the file cannot be read (${codeOf(error)})`, error);
  }
  if (PEM_CERTIFICATE.test(text)) return text.trim();
  throw unusable('InvalidInput', file, 'it holds no PEM certificate');
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

function unusable(type: 'FileMissing' | 'InvalidInput', file: string, message: string, cause?: unknown): SealiftError {
  return new SealiftError(type, {
    side: 'local',
    operation: 'read certificate authorities',
    subject: file,
    message,
    remedy: 'give the certificate authority as a PEM file that this machine can read',
    ...(cause === undefined ? {} : { cause }),
  });
}
