import { describe, expect, it } from 'vitest';
import { memoryContext } from '../../test/contract/memory-context.ts';
import { createSourceContext } from '../sources/context.ts';
import { readKubeconfig, type ApiServerAccess } from './kubeconfig.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function kubeconfig(cluster: object, user: object): string {
  // YAML 1.2 contains JSON
  return JSON.stringify({
    kind: 'Config',
    'current-context': 'a',
    clusters: [{ name: 'a', cluster: { server: 'https://api.example.test:6443/', ...cluster } }],
    users: [{ name: 'a', user }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
  });
}

function read(cluster: object, user: object, files: Record<string, string> = {}): Promise<ApiServerAccess> {
  const { read: readFile } = memoryContext({ '/etc/k/config': kubeconfig(cluster, user), ...files });
  const { run } = createSourceContext({ read: readFile, warn: () => undefined, scratch: '/nonexistent' });
  return readKubeconfig('/etc/k/config', undefined, { read: readFile, run });
}

describe('a kubeconfig', () => {
  it('may hold everything itself', async () => {
    const access = await read(
      { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'api', 'insecure-skip-tls-verify': true },
      { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY'), token: 'T' },
    );
    expect(access).toEqual({
      server: 'https://api.example.test:6443',
      ca: 'CA',
      insecureSkipTlsVerify: true,
      token: 'T',
      tls: { cert: 'CERT', key: 'KEY', servername: 'api' },
    });
  });

  it('may name files, relative to itself', async () => {
    const access = await read(
      { 'certificate-authority': 'pki/ca.crt' },
      { 'client-certificate': '/etc/pki/a.crt', 'client-key': '../a.key', tokenFile: 'token' },
      { '/etc/k/pki/ca.crt': 'CA', '/etc/pki/a.crt': 'CERT', '/etc/a.key': 'KEY', '/etc/k/token': 'T\n' },
    );
    expect(access).toMatchObject({ ca: 'CA', token: 'T', tls: { cert: 'CERT', key: 'KEY' } });
  });

  it('may name a program; what it is called with is no part of an error', async () => {
    const exec = (script: string): object => ({
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script, 'sh', 'hunter2'] },
    });
    const credential = { status: { clientCertificateData: 'CERT', clientKeyData: 'KEY' } };
    expect(await read({}, exec(`echo '${JSON.stringify(credential)}'`))).toMatchObject({
      tls: { cert: 'CERT', key: 'KEY' },
    });
    for (const script of ['exit 1', 'echo not logged in >&2; exit 1']) {
      const reading = read({}, exec(script));
      await expect(reading).rejects.toMatchObject({ type: 'ToolFailed', problem: { subject: 'sh' } });
      await expect(reading).rejects.not.toThrow(/hunter2/);
    }
    await expect(read({}, exec('echo nothing'))).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it.each([
    [{ 'proxy-url': 'socks5://p' }, {}],
    [{}, { as: 'somebody' }],
    [{}, { username: 'u', password: 'hunter2' }],
    [{}, { 'auth-provider': { name: 'gcp' } }],
  ])('with %j and %j is refused: it would be another way in, or another person', async (cluster, user) => {
    const reading = read(cluster, user);
    await expect(reading).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(/does not support/),
    });
    await expect(reading).rejects.not.toThrow(/hunter2/);
  });
});
