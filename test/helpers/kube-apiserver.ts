import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { stringify } from 'yaml';
import { pkiPath, writeControlPlanePki } from '../../core/bootstrap/control-plane-pki.ts';
import {
  apiServerArguments,
  etcdArguments,
  type ControlPlaneLayout,
  type ControlPlanePorts,
} from '../../core/bootstrap/control-plane-programs.ts';
import { acceptsConnections } from '../../core/server/free-port.ts';
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
    const at = (name: string): string => join(folder.path, name);
    await writeControlPlanePki(folder.path);
    await writeFile(at('tokens.csv'), `${tokens.admin},root,1,system:masters\n${tokens.nobody},nobody,2\n`);
    const ca = pkiPath(folder.path, 'ca.crt');
    const agent = new Agent({ connect: { ca: await readFile(ca, 'utf8') } });
    const etcd = await startEtcd(folder.path);
    started.push(etcd.process);
    const send = sender(agent, () => url);
    let url = '';
    const startAt = async (port: number): Promise<RunningProcess> => {
      url = `https://127.0.0.1:${port}`;
      const running = await startProcess({
        command: await requireTool('kube-apiserver'),
        args: [
          ...apiServerArguments(layoutOf(folder.path, { ...etcd.ports, apiServer: port })),
          `--token-auth-file=${at('tokens.csv')}`,
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
        'client-certificate': pkiPath(folder.path, 'admin.crt'),
        'client-key-data': (await readFile(pkiPath(folder.path, 'admin.key'))).toString('base64'),
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

async function startEtcd(folder: string): Promise<{ ports: EtcdPorts; process: RunningProcess }> {
  const command = await requireTool('etcd');
  return onFreePorts(2, async ([etcd = 0, etcdPeer = 0]) => {
    const ports = { etcd, etcdPeer };
    const args = etcdArguments(layoutOf(folder, { ...ports, apiServer: 0 }));
    return { ports, process: await startProcess({ command, args, ready: () => acceptsConnections(etcd) }) };
  });
}

type EtcdPorts = Pick<ControlPlanePorts, 'etcd' | 'etcdPeer'>;

/** That of a bootstrap cluster, whose programs these are; the third of them is not started. */
function layoutOf(folder: string, ports: Omit<ControlPlanePorts, 'controllerManager'>): ControlPlaneLayout {
  return { folder, ports: { ...ports, controllerManager: 0 }, durable: false };
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
