import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, request as send } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generateCertificates, type Certificates } from '../helpers/certificates.ts';
import { findTool, requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { onFreePorts, runOk, startProcess } from '../helpers/processes.ts';

/** A simulated vCenter: datacenter DC0, cluster DC0_C0 of two hosts, network `VM Network`, datastore LocalDS_0 of 2 TiB, no machines. */
export interface Vcsim extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as a specification names it */
  server: string;
  /** of its certificate, which no authority of this machine vouches for */
  sha1: string;
  sha256: string;
  certificates: Certificates;
  user: { name: string; password: string };
  /** Runs govc as its administrator. @throws Error with what it said */
  govc(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Machines that a test finds in vCenter. */
export interface TemplateOptions {
  /** `/DC0/vm/Templates/ubuntu-2204-kube-1.34` */
  path: string;
  diskGiB: number;
  snapshot?: boolean;
  /** stays a virtual machine when false */
  template?: boolean;
  /** names; made when they are not there */
  tags?: readonly string[];
}

/** @returns why there can be no simulated vCenter on this machine, or undefined when there can */
export async function vcsimUnavailable(): Promise<string | undefined> {
  for (const tool of ['vcsim', 'govc']) {
    if ((await findTool(tool)) === undefined) return `${tool} is not in .cache/bin: run \`make setup\``;
  }
  return undefined;
}

/** Starts vcsim over TLS with a log-in of its own, and waits until it answers. */
export async function startVcsim(): Promise<Vcsim> {
  const folder = await temporaryFolder('vcsim');
  try {
    const certificates = await generateCertificates(folder.path);
    return await onFreePorts(1, ([port = 0]) => startOn(`127.0.0.1:${port}`, folder, certificates));
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

async function startOn(server: string, folder: TemporaryFolder, certificates: Certificates): Promise<Vcsim> {
  const [command, govcCommand] = [await requireTool('vcsim'), await requireTool('govc')];
  const user = { name: 'administrator@vsphere.local', password: 'simulated &<"\'> secret' };
  const environment = process.env as Record<string, string>;
  const env = {
    ...environment,
    GOVC_URL: `https://${server}`,
    GOVC_USERNAME: user.name,
    GOVC_PASSWORD: user.password,
    GOVC_INSECURE: 'true',
    GOVC_PERSIST_SESSION: 'false',
    GOVMOMI_HOME: folder.path,
  };
  const govc: Vcsim['govc'] = (...args) => runOk(govcCommand, args, { env });
  const answers = (): Promise<boolean> => govc('about').then(() => true);
  const running = await startProcess({
    command,
    args: ['--listen', server, '--cert', certificates.certificate, '--key', certificates.key],
    // it adds the domain itself
    env: { ...environment, VCSIM_USERNAME: user.name.split('@')[0]!, VCSIM_PASSWORD: user.password },
    ready: answers,
  });
  const stop = async (): Promise<void> => {
    await running.stop();
    await folder.remove();
  };
  const { fingerprint: sha1, fingerprint256: sha256 } = new X509Certificate(await readFile(certificates.certificate));
  return { server, sha1, sha256, certificates, user, govc, stop, [Symbol.asyncDispose]: stop };
}

/** Makes a template, or a virtual machine, in a folder that is there or directly below `/DC0/vm`. */
export async function makeTemplate(
  { govc }: Vcsim,
  { path, diskGiB, snapshot = true, template = true, tags = [] }: TemplateOptions,
): Promise<void> {
  const [folder, name] = [path.slice(0, path.lastIndexOf('/')), path.slice(path.lastIndexOf('/') + 1)];
  if (!(await govc('find', '/DC0', '-type', 'f')).split('\n').includes(folder)) await govc('folder.create', folder);
  const place = ['-dc', 'DC0', '-ds', 'LocalDS_0', '-pool', '/DC0/host/DC0_C0/Resources', '-folder', folder];
  await govc('vm.create', ...place, '-net', 'VM Network', '-disk', `${diskGiB}G`, '-on=false', name);
  if (snapshot) await govc('snapshot.create', '-dc', 'DC0', '-vm', path, 'root');
  if (template) await govc('vm.markastemplate', '-dc', 'DC0', path);
  for (const tag of tags) {
    const category = tag.split(':')[0]!;
    if (!(await govc('tags.category.ls')).split('\n').includes(category)) await govc('tags.category.create', category);
    if (!(await govc('tags.ls')).split('\n').some((line) => line.startsWith(tag))) {
      await govc('tags.create', '-c', category, tag);
    }
    await govc('tags.attach', '-c', category, tag, path);
  }
}

/**
 * Stands before a vCenter simulator, which grants everybody everything, and takes privileges out of its answers.
 * @param lacking names of privileges that the user has nowhere
 */
export async function withoutPrivileges(
  vcsim: Vcsim,
  lacking: readonly string[],
): Promise<AsyncDisposable & { server: string }> {
  const { certificate, key } = vcsim.certificates;
  const front = createServer({ cert: await readFile(certificate), key: await readFile(key) }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const asked = Buffer.concat(chunks);
      const [host, port] = vcsim.server.split(':');
      const { method, url: path, headers } = request;
      const forwarded = send({ host, port, method, path, headers, rejectUnauthorized: false }, (answer) => {
        const received: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => received.push(chunk));
        answer.on('end', () => {
          let body = Buffer.concat(received);
          if (asked.includes('FetchUserPrivilegeOnEntities')) body = Buffer.from(without(String(body), lacking));
          const { 'transfer-encoding': _encoding, ...kept } = answer.headers;
          response.writeHead(answer.statusCode ?? 500, { ...kept, 'content-length': body.length });
          response.end(body);
        });
      });
      forwarded.on('error', () => response.destroy());
      forwarded.end(asked);
    });
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const { port } = front.address() as AddressInfo;
  return {
    server: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        front.close(() => resolve());
        front.closeAllConnections();
      }),
  };
}

function without(answer: string, lacking: readonly string[]): string {
  return lacking.reduce((text, name) => text.replaceAll(`<privileges>${name}</privileges>`, ''), answer);
}
