import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key, both PEM. */
export interface CertifiedKey {
  certificate: string;
  key: string;
}

export interface CertificateRequest {
  commonName: string;
  /** groups, where it is a client of Kubernetes */
  organization?: string;
  dnsNames?: readonly string[];
  ipAddresses?: readonly string[];
  usages: readonly ('client' | 'server')[];
}

const DAY_MS = 86_400_000;
/** A bootstrap cluster lives for hours; a test's or a kept one for longer. */
const LIFETIME_DAYS = 365;
const keys = { name: 'ECDSA', namedCurve: 'P-256' };
const signing = { name: 'ECDSA', hash: 'SHA-256' };
const extendedUsages = {
  client: x509.ExtendedKeyUsage.clientAuth,
  server: x509.ExtendedKeyUsage.serverAuth,
} as const;

/** A new certificate authority (ECDSA P-256). */
export async function createAuthority(commonName: string): Promise<CertifiedKey> {
  const pair = await newKeys();
  const { KeyUsageFlags } = x509;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    keys: pair,
    signingAlgorithm: signing,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(pair.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await privatePem(pair) };
}

/** A certificate of an authority that `createAuthority` has made. */
export async function issueCertificate(authority: CertifiedKey, request: CertificateRequest): Promise<CertifiedKey> {
  const pair = await newKeys();
  const issuer = new x509.X509Certificate(authority.certificate);
  const { organization, dnsNames = [], ipAddresses = [] } = request;
  const names = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [...(organization === undefined ? [] : [{ O: [organization] }]), { CN: [request.commonName] }],
    issuer: issuer.subject,
    publicKey: pair.publicKey,
    signingKey: await signingKey(authority.key),
    signingAlgorithm: signing,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => extendedUsages[usage])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  return { certificate: pem(certificate), key: await privatePem(pair) };
}

/** The key that signs tokens of service accounts, and the public one that checks them; PEM. */
export async function createServiceAccountKeys(): Promise<{ privateKey: string; publicKey: string }> {
  const privateKey = await privatePem(await newKeys());
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
  return { privateKey, publicKey };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keys, true, ['sign', 'verify']);
}

function validity(): { notBefore: Date; notAfter: Date } {
  // clocks of two machines differ by less than an hour
  return {
    notBefore: new Date(Date.now() - DAY_MS / 24),
    notAfter: new Date(Date.now() + LIFETIME_DAYS * DAY_MS),
  };
}

async function privatePem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function signingKey(privateKey: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(privateKey).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, keys, false, ['sign']);
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
