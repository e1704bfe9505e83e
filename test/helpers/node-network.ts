import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificates } from './certificates.ts';
import { htpasswdAuth, type RegistryCredentials } from './registry.ts';
import { projectRoot, requireTool, temporaryFolder } from './paths.ts';
import { run, runOk, startProcess, type Finished, type RunningProcess } from './processes.ts';

/** TCP ports of the far side. The clock of `ahead` and `behind` is wrong by ten minutes, `website` is no registry. */
export const farPorts = { registry: 5000, ahead: 5001, behind: 5002, website: 5003, nodePort: 6443, droppedPort: 6400 };

/** A network without any way out: a far side with a real registry, and nodes on a cable each, made for one check. */
export interface NodeNetwork extends AsyncDisposable {
  node(options?: NodeOptions): Promise<TestNode>;
  /** A command line that runs another one on the far side. */
  farSide(command: string, ...args: string[]): [string, string[]];
}

/** What the registry of the far side is made of beside its certificate. */
export interface FarRegistry {
  /** storage folder, which another registry may fill; a temporary one when absent */
  dir?: string;
  /** basic authentication */
  htpasswd?: RegistryCredentials;
}

export interface NodeOptions {
  defaultRoute?: boolean;
  /** content of files below /etc of the node */
  etc?: Record<string, string>;
  /** mount options of the file system that the node has in /var/lib */
  varLib?: string;
}

export interface TestNode extends AsyncDisposable {
  /** the far side's address on this node's cable; the neighbour has the next one */
  far: string;
  neighbour: string;
  /** where nobody is */
  nobody: string;
  address: string;
  /** A command line that runs another one in the namespaces of the node. */
  inside(command: string, ...args: string[]): [string, string[]];
  /** Runs bin/sealift on the node. */
  sealift(args: string[], env?: Record<string, string>): Promise<Finished>;
}

/** of a node: unshare's and nsenter's option -> file in /proc/PID/ns */
const namespaces = { net: 'net', mount: 'mnt', uts: 'uts' } as const;

/** in the /etc/hosts of every node */
export const registryName = 'registry.far.test';

/** @returns why no network of its own can be had on this machine, or undefined when it can */
export async function nodeNetworkUnavailable(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces take root';
  const script =
    'mount -t tmpfs tmpfs /mnt && ip link add probe0 type veth peer name probe1 && iptables -A INPUT -j DROP';
  const { code, stderr } = await run('unshare', ['--net', '--mount', '--uts', 'sh', '-c', script]);
  return code === 0 ? undefined : `unshare --net --mount --uts: ${stderr.trim()}`;
}

/** @param tls of the registry, for `registryName` */
export async function createNodeNetwork(tls: Certificates, registry: FarRegistry = {}): Promise<NodeNetwork> {
  const folder = await temporaryFolder('node-network');
  const started: RunningProcess[] = [];
  const far = await holder(['net']);
  started.push(far);
  const inFar = (command: string, ...args: string[]): [string, string[]] => [
    'nsenter',
    [`--net=/proc/${far.pid}/ns/net`, '--', command, ...args],
  ];
  const stop = async (): Promise<void> => {
    for (const one of started.splice(0).reverse()) await one.kill();
    await folder.remove();
  };
  try {
    await runOk(...inFar('ip', 'link', 'set', 'lo', 'up'));
    const config = join(folder.path, 'registry.json');
    const access = registry.htpasswd === undefined ? {} : { auth: await htpasswdAuth(folder.path, registry.htpasswd) };
    const served = registryConfig(registry.dir ?? join(folder.path, 'storage'), tls);
    await writeFile(config, JSON.stringify({ ...served, ...access }));
    started.push(await listening(inFar(await requireTool('registry'), 'serve', config), inFar, farPorts.registry));
    const script = join(projectRoot, 'test', 'helpers', 'far-side.mjs');
    const settings = JSON.stringify({ ...farPorts, certificate: tls.certificate, key: tls.key, ca: tls.ca });
    started.push(await listening(inFar(process.execPath, script, settings), inFar, farPorts.website));
  } catch (error) {
    await stop();
    throw error;
  }
  let cables = 0;
  return {
    node: (options = {}) => connectNode(far.pid, (cables += 1), options),
    farSide: inFar,
    [Symbol.asyncDispose]: stop,
  };
}

async function connectNode(far: number, cable: number, options: NodeOptions): Promise<TestNode> {
  const folder = await temporaryFolder('node');
  const node = await holder(Object.keys(namespaces));
  const own = Object.entries(namespaces).map(([option, file]) => `--${option}=/proc/${node.pid}/ns/${file}`);
  const inside = (...args: string[]): [string, string[]] => ['nsenter', [...own, '--', ...args]];
  const inNode = (...args: string[]): Promise<Finished> => run(...inside(...args));
  const at = (host: number): string => `10.99.${cable}.${host}`;
  const dispose = async (): Promise<void> => {
    await node.kill();
    await folder.remove();
  };
  const etc = {
    hosts: `127.0.0.1 localhost\n${at(1)} ${registryName}\n${at(2)} node-under-test\n`,
    'resolv.conf': 'nameserver 192.0.2.53\noptions timeout:1 attempts:1\n',
    environment: '',
    ...options.etc,
  };
  for (const [name, content] of Object.entries(etc)) await writeFile(join(folder.path, name), content);
  const script = [
    `ip link add eth0 type veth peer name cable${cable} netns ${far}`,
    `ip address add ${at(2)}/24 dev eth0`,
    'ip link set lo up',
    'ip link set eth0 up',
    `nsenter --net=/proc/${far}/ns/net sh -e -c '${farCable(cable, at)}'`,
    options.defaultRoute === false ? '' : 'ip route add default dev eth0',
    'hostname node-under-test',
    ...Object.keys(etc).map((name) => `mount --bind ${join(folder.path, name)} /etc/${name}`),
    `mount -t tmpfs -o ${options.varLib ?? 'size=64g'} tmpfs /var/lib`,
    'test ! -d /var/snap || mount --bind /var/lib /var/snap',
  ];
  const { code, stderr } = await inNode('sh', '-e', '-c', script.join('\n'));
  if (code !== 0) {
    await dispose();
    throw new Error(`the node could not be set up: ${stderr}`);
  }
  const home = { HOME: folder.path, PATH: process.env['PATH'] ?? '', NO_COLOR: '1' };
  return {
    ...{ far: at(1), address: at(2), neighbour: at(3), nobody: at(4), inside },
    sealift: (args, env = {}) => {
      const variables = Object.entries({ ...home, ...env }).map(([name, value]) => `${name}=${value}`);
      return inNode('env', '-i', ...variables, join(projectRoot, 'bin', 'sealift'), ...args);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** The far side's end, with two addresses; what comes for the neighbour's dropped port disappears. */
function farCable(cable: number, at: (host: number) => string): string {
  const drop = `-d ${at(3)} -p tcp --dport ${farPorts.droppedPort}`;
  return [
    `ip address add ${at(1)}/24 dev cable${cable}`,
    `ip address add ${at(3)}/24 dev cable${cable}`,
    `ip link set cable${cable} up`,
    `iptables -A INPUT ${drop} -j DROP`,
  ].join('; ');
}

/** A process that does nothing but keep namespaces; they go with it. */
async function holder(kinds: string[]): Promise<RunningProcess> {
  const own = await runOk('readlink', ['/proc/self/ns/net']);
  const args = [...kinds.map((kind) => `--${kind}`), 'sleep', 'infinity'];
  const holding = await startProcess({ command: 'unshare', args });
  while ((await run('readlink', [`/proc/${holding.pid}/ns/net`])).stdout === own);
  return holding;
}

function listening(
  [command, args]: [string, string[]],
  inFar: (command: string, ...args: string[]) => [string, string[]],
  port: number,
): Promise<RunningProcess> {
  const ready = async (): Promise<boolean> => {
    const { code } = await run(...inFar('bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`));
    return code === 0;
  };
  return startProcess({ command, args, ready, env: { PATH: process.env['PATH'] ?? '', OTEL_TRACES_EXPORTER: 'none' } });
}

function registryConfig(dir: string, tls: Certificates): object {
  return {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: dir } },
    http: { addr: `0.0.0.0:${farPorts.registry}`, tls: { certificate: tls.certificate, key: tls.key } },
  };
}
