import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireTool } from './paths.ts';
import { runOk } from './processes.ts';

export interface Certificates {
  /** PEM files */
  ca: string;
  certificate: string;
  key: string;
}

/**
 * Makes a certificate authority and a server certificate for localhost and 127.0.0.1 below a folder.
 * @param days how long they are valid; a negative number gives a certificate that has expired
 * @param names more names that the certificate is for
 */
export async function generateCertificates(
  folder: string,
  days = 2,
  names: readonly string[] = [],
): Promise<Certificates> {
  const openssl = await requireTool('openssl');
  const at = (name: string): string => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await runOk(openssl, [
    ...['req', '-x509', ...key, '-days', '30', '-subj', '/CN=Sealift test authority'],
    ...['-keyout', at('ca.key'), '-out', at('ca.pem')],
  ]);
  await runOk(openssl, [
    ...['req', '-new', ...key, '-subj', '/CN=localhost'],
    ...['-keyout', at('server.key'), '-out', at('server.csr')],
  ]);
  const subjects = ['DNS:localhost', 'IP:127.0.0.1', ...names.map((name) => `DNS:${name}`)].join(',');
  await writeFile(at('server.ext'), `subjectAltName=${subjects}\nextendedKeyUsage=serverAuth\n`);
  await runOk(openssl, [
    ...['x509', '-req', '-in', at('server.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial'],
    ...['-days', String(days), '-extfile', at('server.ext'), '-out', at('server.pem')],
  ]);
  return { ca: at('ca.pem'), certificate: at('server.pem'), key: at('server.key') };
}
