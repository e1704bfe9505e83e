import { X509Certificate } from 'node:crypto';

/**
 * What is wrong with PEM text that should hold certificates.
 * @returns an empty list when all of it can be used at `now`
 */
export function certificateFaults(pem: string, now: Date): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g);
  if (blocks === null) return ['there is no PEM certificate in it (-----BEGIN CERTIFICATE-----)'];
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return ['there is a private key in it'];
  return blocks.flatMap((block, index) => {
    const which = blocks.length === 1 ? 'the certificate' : `certificate ${index + 1}`;
    return certificateFault(block, which, now) ?? [];
  });
}

function certificateFault(block: string, which: string, now: Date): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(block);
  } catch {
    return `${which} is damaged: it is no X.509 certificate`;
  }
  if (new Date(certificate.validTo) < now) return `${which} is no longer valid: it ended on ${certificate.validTo}`;
  if (new Date(certificate.validFrom) > now) return `${which} is not valid yet: it begins on ${certificate.validFrom}`;
  return undefined;
}
