import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { stringify } from 'yaml';
import { generateCertificates, generateClientCertificate } from './certificates.ts';
import { findTool, requireTool, temporaryFolder } from './paths.ts';
import { onFreePorts, startProcess, type RunningProcess } from './processes.ts';

/** A real kube-apiserver with a real etcd. Nothing else of a cluster runs: what a kubelet would say is written by the test. */
export interface KubeApiserver extends AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  url: string;
  /** path of a kubeconfig with a client certificate of system:masters */
  kubeconfig: string;
  /** Writes a kubeconfig with a token. @param user `nobody` may do nothing. @returns its path */
  tokenKubeconfig(user: 'admin' | 'nobody', token?: string): Promise<string>;
  /** Creates an object in a collection, e.g. `/api/v1/namespaces`. @throws Error with the server's answer */
  create(path: string, object: object): Promise<void>;
  /** Creates a pod, and its status as a kubelet writes it. */
  createPod(namespace: string, pod: PodObject): Promise<void>;
  /** Kills the API server with SIGKILL, and starts it again at the same address once `whileAway` is through; etcd stays. */
  restart(whileAway?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

export interface PodObject {
  metadata: { name: string } & Record<string, unknown>;
  spec: object;
  status?: object;
}

const tokens = { admin: 'admin-token', nobody: 'nobody-token' } as const;

/** @returns why none can be started on this machine, or undefined when one can */
export async function kubeApiserverUnavailable(): Promise<string | undefined> {
  for (const tool of ['kube-apiserver', 'etcd']) {
    if ((await findTool(tool)) === undefined) return `${tool} is not in .cache/bin: run \`make setup\``;
  }
  return undefined;
}

/** Starts both on loopback and waits until the API server is ready (4 seconds on two idle cores). */
export async function startKubeApiserver(): Promise<KubeApiserver> {
  const folder = await temporaryFolder('kube');
  const started: RunningProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const running of started.splice(0).reverse()) await running.stop();
    await folder.remove();
  };
  try {
    const { ca, certificate, key } = await generateCertificates(folder.path);
    const client = await generateClientCertificate(folder.path, '/O=system:masters/CN=admin');
    const at = (name: string): string => join(folder.path, name);
    await writeFile(at('tokens.csv'), `${tokens.admin},root,1,system:masters\n${tokens.nobody},nobody,2\n`);
    const pair = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    await Promise.all([writeFile(at('sa.key'), pair.privateKey), writeFile(at('sa.pub'), pair.publicKey)]);
    const agent = new Agent({ connect: { ca: await readFile(ca, 'utf8') } });
    const etcd = await startEtcd(at('etcd'));
    started.push(etcd.process);
    const send = sender(agent, () => url);
    let url = '';
    const startAt = async (port: number): Promise<RunningProcess> => {
      url = `https://127.0.0.1:${port}`;
      const running = await startProcess({
        command: await requireTool('kube-apiserver'),
        args: [
          `--etcd-servers=${etcd.url}`,
          ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${port}`],
          ...[`--tls-cert-file=${certificate}`, `--tls-private-key-file=${key}`, `--client-ca-file=${ca}`],
          ...[`--token-auth-file=${at('tokens.csv')}`, '--authorization-mode=RBAC', `--cert-dir=${at('certs')}`],
          ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${at('sa.pub')}`],
          ...[`--service-account-signing-key-file=${at('sa.key')}`, '--service-cluster-ip-range=10.0.0.0/24'],
          // no controller makes tokens, and 127.0.0.1 is no address that endpoints may have
          ...['--disable-admission-plugins=ServiceAccount', '--endpoint-reconciler-type=none', '--profiling=false'],
        ],
        ready: async () => (await send('GET', '/readyz')).statusCode === 200,
        readyTimeoutMs: 120_000,
      });
      started.push(running);
      return running;
    };
    let server = await onFreePorts(1, ([port = 0]) => startAt(port));
    const restart = async (whileAway?: () => Promise<void>): Promise<void> => {
      await server.kill();
      await whileAway?.();
      server = await startAt(Number(new URL(url).port));
    };
    const create = async (path: string, object: object): Promise<void> => {
      const { statusCode, text } = await send('POST', path, object);
      if (statusCode !== 201) throw new Error(`POST ${path} was answered with ${statusCode}: ${text}`);
    };
    const writeKubeconfig = async (name: string, user: object): Promise<string> => {
      await writeFile(at(name), kubeconfigText(url, ca, user));
      return at(name);
    };
    const stopAll = async (): Promise<void> => {
      await agent.close();
      await stop();
    };
    return {
      url,
      kubeconfig: await writeKubeconfig('admin.kubeconfig', {
        'client-certificate': client.certificate,
        'client-key-data': (await readFile(client.key)).toString('base64'),
      }),
      tokenKubeconfig: (user, token = tokens[user]) => writeKubeconfig(`${user}-token.kubeconfig`, { token }),
      create,
      restart,
      createPod: async (namespace, pod) => {
        const path = `/api/v1/namespaces/${namespace}/pods`;
        await create(path, pod);
        const subresource = `${path}/${pod.metadata.name}/status`;
        const { statusCode, text } = await send('PATCH', subresource, { status: pod.status ?? {} });
        if (statusCode !== 200) throw new Error(`PATCH ${subresource} was answered with ${statusCode}: ${text}`);
      },
      stop: stopAll,
      [Symbol.asyncDispose]: stopAll,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startEtcd(data: string): Promise<{ url: string; process: RunningProcess }> {
  const command = await requireTool('etcd');
  return onFreePorts(2, async ([client = 0, peer = 0]) => {
    const url = `http://127.0.0.1:${client}`;
    const peers = `http://127.0.0.1:${peer}`;
    const args = [
      ...['--name=test', `--data-dir=${data}`, '--unsafe-no-fsync', '--log-level=warn'],
      ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      ...[`--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`, `--initial-cluster=test=${peers}`],
    ];
    const ready = async (): Promise<boolean> => {
      const { statusCode, body } = await request(`${url}/health`);
      await body.dump();
      return statusCode === 200;
    };
    return { url, process: await startProcess({ command, args, ready }) };
  });
}

type Send = (
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  object?: object,
) => Promise<{ statusCode: number; text: string }>;

function sender(agent: Agent, url: () => string): Send {
  return async (method, path, object) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const { statusCode, body } = await request(url() + path, {
      method,
      dispatcher: agent,
      headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': type },
      ...(object === undefined ? {} : { body: JSON.stringify(object) }),
    });
    return { statusCode, text: await body.text() };
  };
}

function kubeconfigText(server: string, ca: string, user: object): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': ca } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
  });
}
