import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { SealiftError } from '../../../core/errors.ts';
import { splitServer, type VCenter } from './vcenter.ts';

const TIMEOUT_MS = 10_000;

/** The certificate that vCenter shows, as `govc about.cert -thumbprint` writes thumbprints. */
export interface ShownCertificate {
  sha1: string;
  sha256: string;
  validTo: Date;
  /** why certificate authorities that this machine knows do not vouch for it; undefined when they do */
  untrusted?: string;
}

/** Looks at vCenter's certificate, and sends nothing. @throws SealiftError ConnectionFailed */
export async function readCertificate({ server }: VCenter): Promise<ShownCertificate> {
  const socket = await open(server);
  const certificate = shown(socket);
  socket.destroy();
  return certificate;
}

/**
 * A connection to vCenter whose certificate was checked as the specification says, for a password to go through.
 * @throws SealiftError ConnectionFailed; CertificateUntrusted
 */
export async function connectChecked(vcenter: VCenter): Promise<TLSSocket> {
  const socket = await open(vcenter.server);
  const fault = certificateFault(vcenter, shown(socket));
  if (fault === undefined) return socket;
  socket.destroy();
  throw new SealiftError('CertificateUntrusted', {
    side: 'cluster',
    operation: 'connect to vCenter',
    subject: vcenter.server,
    ...fault,
  });
}

/** What is wrong with a certificate for one who insists on a thumbprint, or on certificate authorities. */
export function certificateFault(
  { thumbprint, insecure }: VCenter,
  { sha1, sha256, untrusted }: ShownCertificate,
): { message: string; remedy: string } | undefined {
  if (insecure) return undefined;
  if (thumbprint === '') {
    if (untrusted === undefined) return undefined;
    return {
      message: `no certificate authority that this machine knows vouches for its certificate (${untrusted})`,
      remedy: `compare with what vCenter's own console shows, then set thumbprint: "${sha256}"`,
    };
  }
  if (thumbprint === sha1 || thumbprint === sha256) return undefined;
  const actual = thumbprint.length === sha1.length ? sha1 : sha256;
  return {
    message: `its certificate has the thumbprint ${actual}, and the specification says ${thumbprint}`,
    remedy:
      'if the certificate was replaced, compare with what vCenter shows on its own console and correct thumbprint; if not, somebody answers in its place',
  };
}

function shown(socket: TLSSocket): ShownCertificate {
  const certificate: PeerCertificate = socket.getPeerCertificate();
  return {
    sha1: certificate.fingerprint,
    sha256: certificate.fingerprint256,
    validTo: new Date(certificate.valid_to),
    ...(socket.authorized ? {} : { untrusted: String(socket.authorizationError) }),
  };
}

function open(server: string): Promise<TLSSocket> {
  const { host, port } = splitServer(server);
  return new Promise((resolve, reject) => {
    // the certificate is looked at by shown() and certificateFault(), before anything is sent
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: TIMEOUT_MS });
    const fail = (cause: Error): void => {
      socket.destroy();
      reject(unreachable(server, cause));
    };
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      socket.setTimeout(0);
      resolve(socket);
    });
    socket.once('error', fail);
    socket.once('timeout', () => fail(new Error(`it did not answer within ${TIMEOUT_MS / 1000} s`)));
  });
}

function unreachable(server: string, cause: Error): SealiftError {
  return new SealiftError('ConnectionFailed', {
    side: 'cluster',
    operation: 'connect to vCenter',
    subject: server,
    message: cause.message === '' ? String((cause as NodeJS.ErrnoException).code) : cause.message,
    remedy: 'check server, and that the machine where the worker runs can reach it over https',
    cause,
  });
}
