import { writeFileAtomically } from '../host/atomic-file.ts';

export interface KubeconfigContent {
  /** names cluster and context */
  name: string;
  server: string;
  /** PEM */
  ca: string;
  /** a client certificate, or a file with a token that is read anew when it changes */
  user: { certificate: string; key: string } | { tokenFile: string };
  namespace?: string;
}

/** Writes a kubeconfig for its owner only. @throws SealiftError PathUnwritable, DiskFull */
export async function writeKubeconfig(path: string, content: KubeconfigContent): Promise<void> {
  const { name, server, ca, user, namespace } = content;
  const credentials =
    'tokenFile' in user
      ? { tokenFile: user.tokenFile }
      : { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'user', user: credentials }],
    contexts: [{ name, context: { cluster: name, user: 'user', ...(namespace === undefined ? {} : { namespace }) } }],
  };
  await writeFileAtomically(path, `${JSON.stringify(config, undefined, 2)}\n`);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
