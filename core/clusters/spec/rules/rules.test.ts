import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EksaClusterSpec } from '../../../../contracts/cluster-spec.ts';
import { generateCertificates } from '../../../../test/helpers/certificates.ts';
import { temporaryFolder } from '../../../../test/helpers/paths.ts';
import { specRules } from '../read-spec.ts';
import { changedSpec, exampleDocument, readChanged, summaries } from '../testing.ts';

type Change = (spec: EksaClusterSpec) => void;

function found(change: Change): string[] {
  return summaries(readChanged(({ cluster }) => change(cluster.spec)).findings);
}

const plane = 'spec.controlPlaneConfiguration';
const worker = 'spec.workerNodeGroupConfigurations[0]';
const network = 'spec.clusterNetwork';
const mirror = 'spec.registryMirrorConfiguration';

function group(spec: EksaClusterSpec): NonNullable<EksaClusterSpec['workerNodeGroupConfigurations']>[number] {
  return spec.workerNodeGroupConfigurations![0]!;
}

const cases: [string, Change, string[]][] = [
  [
    'v1.31.4',
    (spec) => (spec.kubernetesVersion = 'v1.31.4'),
    ['problem spec.kubernetes-version spec.kubernetesVersion'],
  ],
  ['a release that is none', (spec) => (spec.eksaVersion = 'latest'), ['problem spec.eksa-version spec.eksaVersion']],
  [
    'two ways to name the release',
    (spec) =>
      Object.assign(spec, { eksaVersion: 'v0.21.0', bundlesRef: { apiVersion: 'a', name: 'b', namespace: 'c' } }),
    ['problem spec.eksa-version spec.bundlesRef', 'warning spec.inert spec.bundlesRef'],
  ],
  ['no control plane', (spec) => (spec.controlPlaneConfiguration.count = 0), [`problem spec.count ${plane}.count`]],
  [
    'an even control plane',
    (spec) => (spec.controlPlaneConfiguration.count = 4),
    [`problem spec.count ${plane}.count`],
  ],
  [
    'an even control plane beside etcd',
    (spec) => {
      spec.controlPlaneConfiguration.count = 2;
      spec.externalEtcdConfiguration = { count: 3, machineGroupRef: { kind: 'ExampleMachineConfig', name: 'prod-cp' } };
    },
    [],
  ],
  [
    'an even etcd',
    (spec) => (spec.externalEtcdConfiguration = { count: 2 }),
    ['problem spec.count spec.externalEtcdConfiguration.count'],
  ],
  [
    'one member of etcd',
    (spec) => (spec.externalEtcdConfiguration = { count: 1 }),
    ['warning spec.count spec.externalEtcdConfiguration.count'],
  ],
  ...['', 'a b', '1.2.3', 'https://a', '192.0.2.1:6443', '-a'].map((host): [string, Change, string[]] => [
    `the endpoint ${JSON.stringify(host)}`,
    (spec) => (spec.controlPlaneConfiguration.endpoint = { host }),
    [`problem spec.endpoint ${plane}.endpoint.host`],
  ]),
  ...['api.example.com', '2001:db8::1', 'a'].map((host): [string, Change, string[]] => [
    `the endpoint ${host}`,
    (spec) => (spec.controlPlaneConfiguration.endpoint = { host }),
    [],
  ]),
  ...['192.168.3.4', '10.96.0.1'].map((host): [string, Change, string[]] => [
    `the endpoint ${host} within the cluster`,
    (spec) => (spec.controlPlaneConfiguration.endpoint = { host }),
    [`problem spec.endpoint ${plane}.endpoint.host`],
  ]),
  [
    'a wrong SAN',
    (spec) => (spec.controlPlaneConfiguration.certSans = ['*.example.com', '1.2']),
    [`problem spec.cert-sans ${plane}.certSans[1]`],
  ],
  [
    'labels',
    (spec) => (spec.controlPlaneConfiguration.labels = { 'a/b/c': 'd', 'ok.example/name': '', name: 'a b' }),
    [`problem spec.label ${plane}.labels.a/b/c`, `problem spec.label ${plane}.labels.name`],
  ],
  [
    'taints',
    (spec) =>
      (spec.controlPlaneConfiguration.taints = [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', value: 'b', effect: 'NoSchedule' },
        { key: '', effect: 'NoSchedule' },
      ]),
    [`problem spec.taint ${plane}.taints[1]`, `problem spec.taint ${plane}.taints[2]`],
  ],
  [
    'a control plane that rolls two at a time',
    (spec) =>
      (spec.controlPlaneConfiguration.upgradeRolloutStrategy = { rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } }),
    ['maxSurge', 'maxUnavailable'].map(
      (field) => `problem spec.rollout ${plane}.upgradeRolloutStrategy.rollingUpdate.${field}`,
    ),
  ],
  [
    'a strategy that rolls nothing, and says how',
    (spec) => (spec.controlPlaneConfiguration.upgradeRolloutStrategy = { type: 'InPlace', rollingUpdate: {} }),
    [`problem spec.rollout ${plane}.upgradeRolloutStrategy.rollingUpdate`],
  ],
  [
    'health checks',
    (spec) => {
      spec.machineHealthCheck = { nodeStartupTimeout: '10m0s', unhealthyMachineTimeout: '1h30m', maxUnhealthy: 2 };
      group(spec).machineHealthCheck = { nodeStartupTimeout: '10 minutes', maxUnhealthy: '140%' };
    },
    [
      `problem spec.duration ${worker}.machineHealthCheck.nodeStartupTimeout`,
      `problem spec.max-unhealthy ${worker}.machineHealthCheck.maxUnhealthy`,
    ],
  ],
  [
    'an audit policy that is none',
    (spec) => (spec.controlPlaneConfiguration.auditPolicyContent = 'a: ['),
    [`problem spec.audit-policy ${plane}.auditPolicyContent`],
  ],
  [
    'a providerID',
    (spec) => (group(spec).kubeletConfiguration = { providerID: 'a', maxPods: 50 }),
    [`problem spec.kubelet ${worker}.kubeletConfiguration.providerID`],
  ],
  ['a first group without a name', (spec) => delete (group(spec) as { name?: string }).name, []],
  [
    'a second group without a name, and a third with that of the first',
    (spec) => spec.workerNodeGroupConfigurations!.push({ ...group(spec), name: '' }, group(spec)),
    [
      'problem spec.group-name spec.workerNodeGroupConfigurations[1].name',
      'problem spec.group-name spec.workerNodeGroupConfigurations[2].name',
    ],
  ],
  ['a name of a group', (spec) => (group(spec).name = 'MD_0'), [`problem spec.group-name ${worker}.name`]],
  ['a long name of a group', (spec) => (group(spec).name = 'a'.repeat(60)), [`problem spec.group-name ${worker}.name`]],
  ['fewer than no workers', (spec) => (group(spec).count = -1), [`problem spec.count ${worker}.count`]],
  ['autoscaling', (spec) => (group(spec).autoscalingConfiguration = { minCount: 1, maxCount: 3 }), []],
  [
    'autoscaling upside down',
    (spec) => (group(spec).autoscalingConfiguration = { minCount: 3, maxCount: 1 }),
    [`problem spec.autoscaling ${worker}.autoscalingConfiguration.maxCount`],
  ],
  [
    'autoscaling away from the count',
    (spec) => (group(spec).autoscalingConfiguration = { minCount: 3, maxCount: 5 }),
    [`problem spec.autoscaling ${worker}.count`],
  ],
  [
    'a group that cannot roll',
    (spec) => (group(spec).upgradeRolloutStrategy = { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } }),
    [`problem spec.rollout ${worker}.upgradeRolloutStrategy.rollingUpdate`],
  ],
  [
    'only tainted workers',
    (spec) => (group(spec).taints = [{ key: 'a', effect: 'NoExecute' }]),
    ['problem spec.taint spec.workerNodeGroupConfigurations'],
  ],
  [
    'only tainted workers of a workload cluster',
    (spec) => {
      spec.management = false;
      group(spec).taints = [{ key: 'a', effect: 'NoExecute' }];
    },
    [],
  ],
  ...(
    [
      ['1.32', 1],
      ['1.29', 0],
      ['1.28', 1],
      ['1.31', 0],
    ] as const
  ).map(([version, problems]): [string, Change, string[]] => [
    `workers with ${version}`,
    (spec) => (group(spec).kubernetesVersion = version),
    Array<string>(problems).fill(`problem spec.version-skew ${worker}.kubernetesVersion`),
  ]),
  ['no CIDR', (spec) => (spec.clusterNetwork.pods.cidrBlocks = []), [`problem spec.cidr ${network}.pods.cidrBlocks`]],
  [
    'a wrong CIDR',
    (spec) => (spec.clusterNetwork.pods.cidrBlocks = ['192.168.0.0/33']),
    [`problem spec.cidr ${network}.pods.cidrBlocks[0]`],
  ],
  [
    'two CIDRs',
    (spec) => spec.clusterNetwork.services.cidrBlocks.push('10.0.0.0/16'),
    [`problem spec.cidr ${network}.services.cidrBlocks[1]`],
  ],
  [
    'CIDRs that overlap',
    (spec) => (spec.clusterNetwork.services.cidrBlocks = ['192.168.128.0/24']),
    [`problem spec.cidr ${network}.services.cidrBlocks[0]`],
  ],
  [
    'few addresses for pods',
    (spec) => (spec.clusterNetwork.pods.cidrBlocks = ['192.168.0.0/24']),
    [`problem spec.node-mask ${network}.pods.cidrBlocks[0]`],
  ],
  [
    'too small a node',
    (spec) => (spec.clusterNetwork.nodes = { cidrMaskSize: 33 }),
    [`problem spec.node-mask ${network}.nodes.cidrMaskSize`],
  ],
  [
    'too many nodes',
    (spec) => (spec.clusterNetwork.pods.cidrBlocks = ['96.0.0.0/7']),
    [`problem spec.node-mask ${network}.pods.cidrBlocks[0]`],
  ],
  ['no CNI', (spec) => delete spec.clusterNetwork.cniConfig, [`problem spec.cni ${network}`]],
  ['CNI said twice', (spec) => (spec.clusterNetwork.cni = 'cilium'), [`problem spec.cni ${network}.cni`]],
  [
    'two CNIs',
    (spec) => (spec.clusterNetwork.cniConfig = { cilium: {}, kindnetd: {} }),
    [`problem spec.cni ${network}.cniConfig`],
  ],
  [
    'Cilium',
    (spec) =>
      (spec.clusterNetwork.cniConfig = {
        cilium: { policyEnforcementMode: 'sometimes', routingMode: 'direct', ipv6NativeRoutingCIDR: 'x' },
      }),
    [
      `problem spec.cni ${network}.cniConfig.cilium.policyEnforcementMode`,
      `problem spec.cni ${network}.cniConfig.cilium.routingMode`,
      `problem spec.cidr ${network}.cniConfig.cilium.ipv6NativeRoutingCIDR`,
    ],
  ],
  [
    'a mirror',
    (spec) =>
      (spec.registryMirrorConfiguration = {
        endpoint: 'harbor.example.com/eks-a',
        port: '70000',
        ociNamespaces: [
          { registry: 'public.ecr.aws', namespace: 'eks-a' },
          { registry: 'public.ecr.aws', namespace: 'Eks//a' },
        ],
        caCertContent: 'no certificate',
        insecureSkipVerify: true,
      }),
    [
      `problem spec.mirror-ca ${mirror}.caCertContent`,
      `problem spec.mirror-endpoint ${mirror}.endpoint`,
      `warning spec.mirror-insecure ${mirror}.insecureSkipVerify`,
      `problem spec.mirror-namespace ${mirror}.ociNamespaces[1].namespace`,
      `problem spec.mirror-namespace ${mirror}.ociNamespaces[1].registry`,
      `problem spec.mirror-port ${mirror}.port`,
    ],
  ],
  [
    'a good proxy',
    (spec) =>
      (spec.proxyConfiguration = {
        httpProxy: 'http://proxy.example:80',
        httpsProxy: '192.0.2.5:3128',
        noProxy: ['.example.com', '192.0.2.0/24', 'a', '10.0.0.1', '*.b', '*'],
      }),
    [],
  ],
  [
    'a proxy',
    (spec) =>
      (spec.proxyConfiguration = {
        httpProxy: 'proxy.example',
        httpsProxy: 'http://u:p@proxy.example:3128',
        noProxy: ['a b'],
      }),
    [
      'problem spec.proxy spec.proxyConfiguration.httpProxy',
      'problem spec.proxy spec.proxyConfiguration.noProxy[0]',
      'warning spec.proxy-credentials spec.proxyConfiguration.httpsProxy',
    ],
  ],
];

describe('the rules of a specification', () => {
  it.each(cases)('%s', (_name, change, expected) => {
    expect(found(change).sort()).toEqual([...expected].sort());
  });

  it.each([
    ['Prod', 1],
    ['1prod', 1],
    ['a'.repeat(35), 0],
    ['a'.repeat(36), 1],
    ['prod.eu', 1],
  ])('the name %s', (name, problems) => {
    const { findings } = readChanged(({ cluster }) => (cluster.metadata.name = name));
    expect(summaries(findings)).toEqual(Array<string>(problems).fill('problem spec.name metadata.name'));
  });

  it('keep passwords out of what they say', () => {
    const { findings } = readChanged(({ cluster, others }) => {
      cluster.spec.proxyConfiguration = {
        httpProxy: 'http://user:secret@proxy',
        httpsProxy: 'http://user:secret@proxy:1',
      };
      cluster.spec.registryMirrorConfiguration = { endpoint: 'https://user:secret@mirror' };
      cluster.spec.gitOpsRef = { kind: 'FluxConfig', name: 'git' };
      others.push(
        exampleDocument('FluxConfig', 'git', { git: { repositoryUrl: 'https://user:secret@git.example/fleet' } }),
      );
    });
    expect(findings.length).toBeGreaterThan(3);
    expect(JSON.stringify(findings)).not.toContain('secret');
  });
});

describe('the certificate of a mirror', () => {
  let pem: string;
  beforeAll(async () => {
    const folder = await temporaryFolder('mirror-ca');
    const { certificate } = await generateCertificates(folder.path, 2);
    pem = await readFile(certificate, 'utf8');
    await folder.remove();
  });

  function foundAt(content: string, days: number): string[] {
    const spec = changedSpec(({ cluster }) => {
      cluster.spec.registryMirrorConfiguration = { endpoint: 'mirror', caCertContent: content };
    });
    return specRules(spec, new Date(Date.now() + days * 24 * 3600 * 1000)).map(({ message }) => message);
  }

  it('is valid now', () => {
    expect(foundAt(pem, 1)).toEqual([]);
    expect(foundAt(`# our CA\n${pem}${pem}`, 1)).toEqual([]);
    expect(foundAt(pem, 3)).toEqual([expect.stringContaining('the certificate is no longer valid: it ended on')]);
    expect(foundAt(pem, -3)).toEqual([expect.stringContaining('the certificate is not valid yet: it begins on')]);
  });

  it('is whole, and no key', () => {
    expect(foundAt(pem + pem.replace(/\n.{40}/, '\n'), 1)).toEqual([
      'certificate 2 is damaged: it is no X.509 certificate',
    ]);
    expect(foundAt(`${pem}-----BEGIN EC PRIVATE KEY-----`, 1)).toEqual(['there is a private key in it']);
  });
});

describe('a FluxConfig', () => {
  it.each([
    [{}, ['problem spec.flux spec']],
    [{ git: { repositoryUrl: 'ssh://git@git.example/fleet.git' }, branch: 'main' }, []],
    [{ git: { repositoryUrl: 'git@git.example:me/fleet.git' } }, []],
    [{ git: { repositoryUrl: 'file:///srv/fleet.git' } }, []],
    [{ git: { repositoryUrl: 'fleet' } }, ['problem spec.flux spec.git.repositoryUrl']],
    [{ github: { owner: 'a/b', repository: 'fleet' } }, ['problem spec.flux spec.github.owner']],
    [{ github: { owner: 'a', repository: 'b' }, branch: 'a..b' }, ['problem spec.flux spec.branch']],
    [
      { github: { owner: 'a', repository: 'b' }, clusterConfigPath: '/clusters' },
      ['problem spec.flux spec.clusterConfigPath'],
    ],
    [{ github: { owner: 'a', repository: 'b' }, systemNamespace: 'A' }, ['problem spec.flux spec.systemNamespace']],
  ])('%j', (flux, expected) => {
    const { findings } = readChanged(({ cluster, others }) => {
      cluster.spec.gitOpsRef = { kind: 'FluxConfig', name: 'git' };
      others.push(exampleDocument('FluxConfig', 'git', flux));
    });
    expect(summaries(findings)).toEqual(expected);
  });
});
