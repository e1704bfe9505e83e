import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeFinding } from '../../contracts/node-check.ts';
import { generateCertificates, type Certificates } from '../helpers/certificates.ts';
import {
  createNodeNetwork,
  farPorts,
  nodeNetworkUnavailable,
  registryName,
  type NodeNetwork,
  type NodeOptions,
  type TestNode,
} from '../helpers/node-network.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';

// Each check runs on a node of its own: network, mount and host name namespaces without a way out.

const why = await nodeNetworkUnavailable();
if (why !== undefined) console.warn(`no node is checked: ${why}`);

interface Fault {
  options?: NodeOptions;
  /** replaces the arguments of a check on a sound node */
  args?: (node: TestNode) => string[];
  env?: Record<string, string>;
  found: { status?: NodeFinding['status']; subject: string | RegExp; detail: RegExp; remedy: RegExp }[];
}

const registry = (port: number): string => `${registryName}:${port}`;
const soundArgs = ['--port', String(farPorts.nodePort), '--registry', registry(farPorts.registry), '--min-disk', '20G'];
const proxy = { HTTPS_PROXY: 'http://squid.example:3128' };

const faults: Record<string, Fault> = {
  'a node that is not there': {
    args: (node) => [...soundArgs, '--node', node.nobody],
    found: [{ subject: /^node 10\./, detail: /cannot be reached at TCP 6443/, remedy: /ip route get 10\./ }],
  },
  'a firewall that drops one port': {
    args: (node) => [...soundArgs, '--port', String(farPorts.droppedPort), '--node', node.neighbour],
    found: [{ subject: /^node 10\./, detail: /TCP 6400 gets no answer/, remedy: /let TCP 6400 through/ }],
  },
  'a service that does not listen': {
    args: (node) => [...soundArgs, '--port', '10250', '--node', node.neighbour],
    found: [
      {
        status: 'warning',
        subject: /^node 10\./,
        detail: /at TCP 6443, but not at 10250/,
        remedy: /the service there/,
      },
    ],
  },
  'no default route': {
    options: { defaultRoute: false },
    found: [{ subject: 'default route', detail: /there is none/, remedy: /`ip route add default dev eth0`/ }],
  },
  'an interface that is not there': {
    args: () => [...soundArgs, '--interface', 'ens3'],
    found: [{ subject: 'interface ens3', detail: /no such interface/, remedy: /--interface \(eth0\)/ }],
  },
  'an empty resolv.conf': {
    options: { etc: { 'resolv.conf': '# nothing\n' } },
    found: [
      { subject: '/etc/resolv.conf', detail: /no nameservers found/, remedy: /write a line `nameserver ADDRESS`/ },
    ],
  },
  'a resolv.conf that leads CoreDNS back to itself': {
    options: { etc: { 'resolv.conf': 'nameserver 127.0.0.1\n' } },
    found: [{ subject: '/etc/resolv.conf', detail: /Loop detected/, remedy: /not loopback/ }],
  },
  'a node that does not know its own name': {
    options: { etc: { hosts: '127.0.0.1 localhost\n' } },
    args: (node) => ['--registry', `${node.far}:${farPorts.registry}`, '--insecure-skip-tls-verify'],
    found: [
      {
        subject: 'own name node-under-test',
        detail: /cannot be resolved/,
        remedy: /add `10\.\S+ node-under-test` to \/etc\/hosts/,
      },
    ],
  },
  'a registry whose name cannot be resolved': {
    args: () => ['--registry', 'registry.far.example:5000'],
    found: [
      {
        subject: 'name registry.far.example',
        detail: /cannot be resolved/,
        remedy: /`ADDRESS registry.far.example` to \/etc\/hosts/,
      },
    ],
  },
  'a registry that is down': {
    args: () => ['--registry', registry(5999)],
    found: [
      { subject: `registry ${registry(5999)}`, detail: /nothing listens at TCP 5999/, remedy: /start the registry/ },
    ],
  },
  'a file of authorities that is not there': {
    args: () => ['--registry', registry(farPorts.registry), '--ca-file', '/etc/hostname-of-nobody'],
    found: [{ subject: `registry ${registry(farPorts.registry)}`, detail: /no such file/, remedy: /PEM file/ }],
  },
  'a registry whose certificate is not trusted': {
    args: () => ['--registry', registry(farPorts.registry)],
    found: [
      { subject: `registry ${registry(farPorts.registry)}`, detail: /not signed by an authority/, remedy: /--ca-file/ },
    ],
  },
  'something else in place of the registry': {
    args: () => ['--registry', registry(farPorts.website), '--insecure-skip-tls-verify'],
    found: [
      {
        subject: `registry ${registry(farPorts.website)}`,
        detail: /answers \/v2\/ with 404/,
        remedy: /check host and port/,
      },
    ],
  },
  'a clock that is behind': {
    args: () => ['--registry', registry(farPorts.ahead), '--insecure-skip-tls-verify'],
    found: [
      {
        subject: 'clock',
        detail: /(59|60)\d s behind/,
        remedy: /`date -s @\d+`.*one time server/,
      },
    ],
  },
  'a clock that is ahead, behind a certificate that is not trusted': {
    args: () => ['--registry', registry(farPorts.behind)],
    found: [
      { subject: 'clock', detail: /(59|60)\d s ahead of/, remedy: /one time server/ },
      { subject: `registry ${registry(farPorts.behind)}`, detail: /not signed/, remedy: /--ca-file/ },
    ],
  },
  'NO_PROXY without the pods, services and nodes': {
    env: { ...proxy, NO_PROXY: 'localhost,10.1.0.0/24' },
    args: (node) => [...soundArgs, '--node', node.neighbour],
    found: [
      {
        subject: 'proxy in the environment',
        detail: /asked for 10\.99\.\d+\.2, 10\.99\.\d+\.3, registry\.far\.test, 10\.1\.0\.0\/16, 10\.152\.183\.0\/24:/,
        remedy:
          /NO_PROXY=localhost,10\.1\.0\.0\/24,10\.99\.\d+\.2,10\.99\.\d+\.3,registry\.far\.test,10\.1\.0\.0\/16,10\.152\.183\.0\/24 in the env/,
      },
    ],
  },
  'a proxy in /etc/environment without NO_PROXY': {
    options: { etc: { environment: 'HTTPS_PROXY="http://user:secret@squid.example:3128"\n' } },
    found: [
      {
        subject: 'proxy in /etc/environment',
        detail: /^http:\/\/\*\*\*@squid.example:3128 would be asked/,
        remedy: /NO_PROXY=/,
      },
    ],
  },
  'a disk that is too small': {
    options: { varLib: 'size=5g' },
    found: [
      {
        subject: /^disk space of \/var\/lib/,
        detail: /5.0 GiB free, 20.0 GiB are wanted/,
        remedy: /mount a larger disk/,
      },
    ],
  },
  'a disk without inodes': {
    options: { varLib: 'size=64g,nr_inodes=1' },
    found: [{ subject: /^inodes of \/var\/lib/, detail: /0 of 1 free/, remedy: /more inodes/ }],
  },
};

describe.skipIf(why !== undefined)('check node', () => {
  let folder: TemporaryFolder;
  let certificates: Certificates;
  let network: NodeNetwork;

  beforeAll(async () => {
    folder = await temporaryFolder('check-node');
    certificates = await generateCertificates(folder.path, 2, [registryName]);
    network = await createNodeNetwork(certificates);
  });
  afterAll(async () => {
    await network?.[Symbol.asyncDispose]();
    await folder?.remove();
  });

  async function check(node: TestNode, args: string[], env?: Record<string, string>) {
    const { code, stdout, stderr } = await node.sealift(['check', 'node', ...args, '--output-format', 'json'], env);
    expect(stderr).toBe('');
    const { findings } = parseOutput('node-check', stdout) as unknown as { findings: NodeFinding[] };
    return { code, findings };
  }

  it('finds no problem on a sound node, and says so in both forms', async () => {
    await using node = await network.node();
    const args = [...soundArgs, '--ca-file', certificates.ca, '--node', node.neighbour];
    const env = { ...proxy, NO_PROXY: '10.0.0.0/8,.far.test' };
    const { code, findings } = await check(node, args, env);
    expect(findings.filter(({ status }) => status === 'problem')).toEqual([]);
    expect(code).toBe(0);
    expect(findings.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining([
        'interface eth0',
        'default route',
        `node ${node.neighbour}`,
        'clock',
        'proxy in the environment',
      ]),
    );
    const { stdout } = await node.sealift(['check', 'node', ...args], env);
    expect(stdout).toMatch(/^ok {8}interface eth0: 10\.99\.\d+\.2\n/);
  });

  it.each(Object.entries(faults))('finds %s', async (_, { options, args, env, found }) => {
    await using node = await network.node(options);
    const { code, findings } = await check(node, args?.(node) ?? [...soundArgs, '--ca-file', certificates.ca], env);
    expect(JSON.stringify(findings)).not.toContain('secret');
    for (const { status = 'problem', subject, detail, remedy } of found) {
      const matching = findings.filter((one) =>
        typeof subject === 'string' ? one.subject === subject : subject.test(one.subject),
      );
      expect(matching, JSON.stringify(findings, undefined, 1)).toEqual([
        expect.objectContaining({
          status,
          detail: expect.stringMatching(detail),
          remedy: expect.stringMatching(remedy),
        }),
      ]);
      if (status === 'problem') expect(code).toBe(5);
    }
    // what was not broken is not complained of
    const problems = findings.filter(({ status }) => status === 'problem').map(({ subject }) => subject);
    const expected = found.filter(({ status = 'problem' }) => status === 'problem');
    if (args === undefined) expect(problems).toHaveLength(expected.length);
  });
});
