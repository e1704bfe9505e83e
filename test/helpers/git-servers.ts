import { spawn } from 'node:child_process';
import { access, chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { onFreePorts, run, runOk, startProcess } from './processes.ts';

/** A bare repository, and a look into it without any code of Sealift's. */
export interface BareRepository {
  path: string;
  /** content of a file on a branch; undefined when it is not there */
  show(file: string, branch?: string): Promise<string | undefined>;
  /** messages of a branch, newest first, each with its author */
  log(branch?: string): Promise<string[]>;
  /** Pushes one file as somebody else, in a clone of its own; undefined removes it. */
  pushAsOther(file: string, content: string | undefined, branch?: string): Promise<void>;
}

/** Makes an empty bare repository. */
export async function bareRepository(path: string): Promise<BareRepository> {
  await runOk('git', ['init', '--quiet', '--bare', '--initial-branch=main', path]);
  let clones = 0;
  return {
    path,
    async show(file, branch = 'main') {
      const { code, stdout } = await run('git', ['-C', path, 'show', `${branch}:${file}`]);
      return code === 0 ? stdout : undefined;
    },
    async log(branch = 'main') {
      const { code, stdout } = await run('git', ['-C', path, 'log', '--format=%s (%an <%ae>)', branch]);
      return code === 0 ? stdout.trim().split('\n') : [];
    },
    async pushAsOther(file, content, branch = 'main') {
      const clone = `${path}.clone-${(clones += 1)}`;
      const inClone = (...args: string[]): Promise<string> =>
        runOk('git', ['-C', clone, '-c', 'user.name=Other', '-c', 'user.email=other@example', ...args]);
      await runOk('git', ['clone', '--quiet', path, clone]);
      await inClone('checkout', '--quiet', '-B', branch);
      await mkdir(dirname(join(clone, file)), { recursive: true });
      if (content === undefined) await inClone('rm', '--quiet', file);
      else await writeFile(join(clone, file), content);
      await inClone('add', '--all');
      await inClone('commit', '--quiet', '--message', `other: ${file}`);
      await inClone('push', '--quiet', 'origin', branch);
    },
  };
}

export interface GitServer extends AsyncDisposable {
  /** URL of the folder that the repositories are in */
  url: string;
}

/** git's own HTTP backend (git-http-backend(1)) below `folder`, for one user. */
export async function startGitHttp(folder: string, user: { name: string; password: string }): Promise<GitServer> {
  const backend = join((await runOk('git', ['--exec-path'])).trim(), 'git-http-backend');
  const wanted = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    if (request.headers.authorization === wanted) return answerByBackend(backend, folder, request, response);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** One request as a CGI program gets it (RFC 3875). */
function answerByBackend(backend: string, folder: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn(backend, [], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'pusher',
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
    },
  });
  request.pipe(child.stdin);
  child.stdin.on('error', () => undefined);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.once('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const lines = answer.subarray(0, end).toString('utf8').split('\r\n');
    const headers = lines.map((line): [string, string] => {
      const [name = '', ...value] = line.split(': ');
      return [name.toLowerCase(), value.join(': ')];
    });
    const status = headers.find(([name]) => name === 'status')?.[1].split(' ')[0] ?? '200';
    response.writeHead(Number(status), Object.fromEntries(headers.filter(([name]) => name !== 'status')));
    response.end(answer.subarray(end + 4));
  });
}

export interface SshServer extends GitServer {
  /** of a key with a passphrase that is let in */
  privateKey: string;
  passphrase: string;
  knownHosts: string;
}

/** Path of sshd, which is only started by its absolute path. */
export async function findSshd(): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin']) {
    const path = join(folder, 'sshd');
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** OpenSSH's server on a free loopback port, for the user who runs the tests. */
export async function startSshd(sshd: string, folder: string): Promise<SshServer> {
  await mkdir(folder, { recursive: true });
  const at = (name: string): string => join(folder, name);
  const passphrase = 'a long passphrase';
  await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('host')]);
  await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', at('client')]);
  await runOk('cp', [at('client.pub'), at('authorized_keys')]);
  await chmod(at('authorized_keys'), 0o600);
  return onFreePorts(1, async ([port = 0]) => {
    const config = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey "${at('host')}"`,
      `AuthorizedKeysFile "${at('authorized_keys')}"`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PidFile none',
    ];
    await writeFile(at('sshd_config'), `${config.join('\n')}\n`);
    const key = await runOk('cat', [at('host.pub')]);
    await writeFile(at('known_hosts'), `[127.0.0.1]:${port} ${key}`);
    const running = await startProcess({
      command: sshd,
      args: ['-D', '-e', '-f', at('sshd_config')],
      ready: async () => (await run('ssh-keyscan', ['-T', '2', '-p', String(port), '127.0.0.1'])).stdout !== '',
    });
    return {
      url: `ssh://${userInfo().username}@127.0.0.1:${port}`,
      privateKey: at('client'),
      passphrase,
      knownHosts: at('known_hosts'),
      [Symbol.asyncDispose]: () => running.stop(),
    };
  });
}
