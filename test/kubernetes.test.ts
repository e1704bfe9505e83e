import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKubernetes } from '../core/kubernetes/api.ts';
import { readKubeconfig } from '../core/kubernetes/kubeconfig.ts';
import { createSourceContext } from '../core/sources/context.ts';
import type { SourceContext } from '../contracts/source-plugin.ts';
import { kubeApiserverUnavailable, startKubeApiserver, type KubeApiserver } from './helpers/kube-apiserver.ts';
import { temporaryFolder, type TemporaryFolder } from './helpers/paths.ts';

const why = await kubeApiserverUnavailable();
if (why !== undefined) console.warn(`a real API server is not read: ${why}`);

const NAMESPACES = 450;

describe.skipIf(why !== undefined)('reading a real API server', () => {
  let api: KubeApiserver;
  let folder: TemporaryFolder;
  let context: SourceContext;

  beforeAll(async () => {
    folder = await temporaryFolder('kubernetes');
    api = await startKubeApiserver();
    context = createSourceContext({
      read: async (location) => new Uint8Array(await readFile(location)),
      warn: () => undefined,
      scratch: folder.path,
    });
  });
  afterAll(async () => {
    await api?.stop();
    await folder?.remove();
  });

  it('reads every page of a collection', async () => {
    const name = (index: number): string => `n-${index}`;
    await Promise.all(
      Array.from({ length: NAMESPACES }, (_, index) =>
        api.create('/api/v1/namespaces', { metadata: { name: name(index) } }),
      ),
    );
    const found = (await (await context.kubernetes(api.kubeconfig)).list('/api/v1/namespaces')) as {
      metadata: { name: string };
    }[];
    const names = found.map(({ metadata }) => metadata.name).filter((one) => one.startsWith('n-'));
    expect(names.sort()).toEqual(Array.from({ length: NAMESPACES }, (_, index) => name(index)).sort());
  });

  it('takes a token from the kubeconfig, and from the program that it names', async () => {
    const kubeconfig = await api.tokenKubeconfig('admin');
    expect(await (await context.kubernetes(kubeconfig)).list('/api/v1/pods')).toEqual([]);
    const program = join(folder.path, 'get-token');
    const credential = { kind: 'ExecCredential', status: { token: 'admin-token' } };
    await writeFile(
      program,
      `#!/bin/sh\ncase "$KUBERNETES_EXEC_INFO" in *'"v1"'*) echo '${JSON.stringify(credential)}';; esac\n`,
    );
    await chmod(program, 0o755);
    const exec = `exec: { apiVersion: v1, command: ${program} }`;
    const text = (await readFile(kubeconfig, 'utf8')).replace('token: admin-token', exec);
    const withExec = join(folder.path, 'exec.kubeconfig');
    await writeFile(withExec, text);
    expect(await (await context.kubernetes(withExec)).list('/api/v1/pods')).toEqual([]);
    await writeFile(withExec, text.replace(program, 'no-such-program'));
    await expect(context.kubernetes(withExec)).rejects.toMatchObject({ type: 'ToolMissing' });
  });

  it.each([
    [
      'may not list',
      undefined,
      'RegistryForbidden',
      /403 .*pods is forbidden: User "nobody"/,
      /--source-option namespace=NAME/,
    ],
    ['is not known', 'expired', 'RegistryUnauthorized', /401/, /get a new kubeconfig/],
  ])('says what to do when the account %s', async (_, token, type, message, remedy) => {
    const reader = await context.kubernetes(await api.tokenKubeconfig('nobody', token));
    await expect(reader.list('/api/v1/pods')).rejects.toMatchObject({
      type,
      problem: {
        message: expect.stringMatching(message),
        remedy: expect.stringMatching(remedy),
        subject: `${api.url}/api/v1/pods`,
      },
    });
  });

  it('trusts no other authority than the kubeconfig names', async () => {
    const { ca: _, ...access } = await readKubeconfig(api.kubeconfig, undefined, context);
    await expect(openKubernetes(access).list('/api/v1/pods')).rejects.toMatchObject({
      type: 'CertificateUntrusted',
      problem: { remedy: expect.stringContaining('certificate-authority-data') },
    });
  });
});
