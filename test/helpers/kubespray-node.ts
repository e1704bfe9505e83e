import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ansibleVenv } from './ansible.ts';
import { startContainerd, type ContainerdBuild, type TestContainerd } from './containerd.ts';
import type { TestNode } from './node-network.ts';
import { run, runOk, type Finished } from './processes.ts';

/** A node that Kubespray sets up, as far as pulling images goes. Its /etc/containerd and /etc/apt are its own. */
export interface KubesprayNode extends AsyncDisposable {
  /** Runs a program on the node. */
  run(...command: string[]): Promise<Finished>;
  /** Runs a playbook with the inventory, on the node itself. @throws Error with what Ansible said */
  play(playbook: string): Promise<void>;
  /**
   * Does what Kubespray's role `containerd` does with these variables, and starts containerd over.
   * @param build Debian's when absent @throws Error when it does not start
   */
  configureContainerd(variables: RegistryVariables, build?: ContainerdBuild): Promise<void>;
  /** Has containerd pull as the kubelet asks it to: without credentials. */
  pull(reference: string): Promise<Finished>;
}

/** Variables of the role, as Ansible resolves them from an inventory. */
export interface RegistryVariables {
  containerd_registries_mirrors: Mirrored[];
  /** for containerd before 2.0 */
  containerd_registry_auth?: { registry: string; auth: string }[];
}

interface Mirrored {
  prefix: string;
  server: string;
  mirrors: {
    host: string;
    capabilities: string[];
    skip_verify: boolean;
    override_path?: boolean;
    ca?: string[];
    header?: Record<string, string[]>;
  }[];
}

/** @param inventory hosts file beside its group_vars @param vaultPassword file with the password of what is encrypted there */
export async function kubesprayNode(
  node: TestNode,
  { folder, inventory, vaultPassword }: { folder: string; inventory: string; vaultPassword: string },
): Promise<KubesprayNode> {
  const at = (...names: string[]): string => join(folder, ...names);
  let containerd: TestContainerd | undefined;
  for (const name of ['apt', 'containerd']) {
    await mkdir(at('etc', name), { recursive: true });
    await runOk(...node.inside('mount', '--bind', at('etc', name), `/etc/${name}`));
  }
  return {
    run: (command = '', ...args) => run(...node.inside(command, ...args)),
    async play(playbook) {
      const program = join(ansibleVenv, 'bin', 'ansible-playbook');
      const args = ['--inventory', inventory, '--vault-password-file', vaultPassword, playbook, '--extra-vars'];
      const python = '{{ ansible_playbook_python }}';
      // it is root on the node already, and the node has no sudo
      const local = { ansible_connection: 'local', ansible_become: false, ansible_python_interpreter: python };
      const [command, all] = node.inside(program, ...args, JSON.stringify(local));
      const env = { PATH: process.env['PATH'] ?? '', HOME: folder, LC_ALL: 'C.UTF-8', ANSIBLE_NOCOLOR: '1' };
      await runOk(command, all, { env });
    },
    async configureContainerd(variables, build = 'debian') {
      await containerd?.[Symbol.asyncDispose]();
      for (const one of variables.containerd_registries_mirrors) {
        await mkdir(at('etc/containerd/certs.d', one.prefix), { recursive: true });
        await writeFile(at('etc/containerd/certs.d', one.prefix, 'hosts.toml'), hostsToml(one), { mode: 0o640 });
      }
      const tables = accountTables(variables);
      const settings = { build, hostsDir: '/etc/containerd/certs.d', inside: node.inside, tables };
      const started = await startContainerd(at(build), settings);
      if (typeof started === 'string') throw new Error(started);
      containerd = started;
    },
    async pull(reference) {
      if (containerd === undefined) throw new Error('containerd is not configured');
      return containerd.criPull(reference);
    },
    [Symbol.asyncDispose]: async () => containerd?.[Symbol.asyncDispose](),
  };
}

/** What Kubespray's template of hosts.toml makes of one mirrored registry (releases from 2.29 on). */
function hostsToml({ server, mirrors }: Mirrored): string {
  const tables = mirrors.flatMap((mirror) => [
    `[host."${mirror.host}"]`,
    `capabilities = ${JSON.stringify(mirror.capabilities)}`,
    `skip_verify = ${mirror.skip_verify}`,
    `override_path = ${mirror.override_path ?? false}`,
    ...(mirror.ca === undefined ? [] : [`ca = ${JSON.stringify(mirror.ca)}`]),
    ...(mirror.header === undefined ? [] : [`[host."${mirror.host}".header]`]),
    ...Object.entries(mirror.header ?? {}).map(([name, values]) => `${name} = ${JSON.stringify(values)}`),
  ]);
  return [`server = "${server}"`, ...tables, ''].join('\n');
}

/** Where Kubespray's config.toml for containerd 1.x has credentials. */
function accountTables({ containerd_registry_auth: accounts = [] }: RegistryVariables): string[] {
  return accounts.flatMap(({ registry, auth }) => [
    `[plugins."io.containerd.grpc.v1.cri".registry.configs."${registry}".auth]`,
    `auth = "${auth}"`,
  ]);
}

/** A playbook that writes the variables of an inventory, as Ansible resolves them, into a JSON file. */
export function variablesPlaybook(output: string, names: readonly string[]): string {
  const content = `{{ {${names.map((name) => `'${name}': ${name}`).join(', ')}} | to_json }}`;
  const task = { name: 'Write the variables', 'ansible.builtin.copy': { dest: output, content, mode: '0600' } };
  return JSON.stringify([{ hosts: 'all', gather_facts: false, tasks: [task] }]);
}

/** Encrypts a file in place, as the warning about it says. */
export async function encryptWithVault(file: string, vaultPassword: string): Promise<void> {
  const vault = join(ansibleVenv, 'bin', 'ansible-vault');
  await runOk(vault, ['encrypt', '--vault-password-file', vaultPassword, file]);
  if (!(await readFile(file, 'utf8')).startsWith('$ANSIBLE_VAULT')) throw new Error(`${file} is not encrypted`);
}
