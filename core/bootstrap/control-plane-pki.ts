import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../host/atomic-file.ts';
import {
  createAuthority,
  createServiceAccountKeys,
  issueCertificate,
  type CertificateRequest,
  type CertifiedKey,
} from './certificates.ts';

/** The address everything of a bootstrap cluster listens on. */
export const LOOPBACK = '127.0.0.1';

const kubernetes: Record<string, CertificateRequest> = {
  apiserver: {
    commonName: 'kube-apiserver',
    dnsNames: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
    ipAddresses: [LOOPBACK, '10.0.0.1'],
    usages: ['server'],
  },
  admin: { commonName: 'kubernetes-admin', organization: 'system:masters', usages: ['client'] },
  'controller-manager': {
    commonName: 'system:kube-controller-manager',
    organization: 'system:masters',
    usages: ['client'],
  },
};

/** etcd has an authority of its own: it gives everything to everyone whom that has signed. */
const etcd: Record<string, CertificateRequest> = {
  etcd: { commonName: 'etcd', dnsNames: ['localhost'], ipAddresses: [LOOPBACK], usages: ['server', 'client'] },
  'etcd-client': { commonName: 'kube-apiserver', usages: ['client'] },
};

/** Where a control plane's certificates and keys are: `<name>.crt` and `<name>.key`, PEM, for their owner only. */
export function pkiPath(folder: string, file: string): string {
  return join(folder, 'pki', file);
}

export async function readCertifiedKey(folder: string, name: string): Promise<CertifiedKey> {
  const read = (extension: string): Promise<string> => readFile(pkiPath(folder, `${name}.${extension}`), 'utf8');
  return { certificate: await read('crt'), key: await read('key') };
}

/**
 * Makes all certificates and keys of a control plane. Begun anew when it was interrupted: whoever calls this marks in a
 * file of its own that it came to the end.
 * @throws SealiftError PathUnwritable, DiskFull
 */
export async function writeControlPlanePki(folder: string): Promise<void> {
  for (const [name, requests] of [['ca', kubernetes] as const, ['etcd-ca', etcd] as const]) {
    const authority = await createAuthority(name);
    await writeCertifiedKey(folder, name, authority);
    for (const [certificate, request] of Object.entries(requests)) {
      await writeCertifiedKey(folder, certificate, await issueCertificate(authority, request));
    }
  }
  const { privateKey, publicKey } = await createServiceAccountKeys();
  await writeFileAtomically(pkiPath(folder, 'service-account.key'), privateKey);
  await writeFileAtomically(pkiPath(folder, 'service-account.pub'), publicKey);
}

async function writeCertifiedKey(folder: string, name: string, { certificate, key }: CertifiedKey): Promise<void> {
  await writeFileAtomically(pkiPath(folder, `${name}.crt`), certificate);
  await writeFileAtomically(pkiPath(folder, `${name}.key`), key);
}
