import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { KubernetesObject } from '../../../contracts/cluster-spec.ts';
import { changedSpec, exampleDocument, type ExampleSpec } from '../spec/testing.ts';
import { named, renderCluster } from './cluster-objects.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Rendered = KubernetesObject & { spec: any };

const group = 'infrastructure.cluster.x-k8s.io/v1beta2';
const image = { repository: 'example.com/a/b', tag: 'v1' };
const images = { kubernetesRepository: 'example.com/kubernetes', etcd: image, coreDns: image };

function rendered(
  change: (spec: ExampleSpec['cluster']['spec'], example: ExampleSpec) => void = () => undefined,
  { nodeStartupTimeout }: { nodeStartupTimeout?: string } = {},
): Rendered[] {
  const spec = changedSpec((example) => {
    change(example.cluster.spec, example);
  });
  const request = {
    spec,
    kubernetesVersion: 'v1.31.4',
    images,
    workerVersions: { '1.31': 'v1.31.4', '1.30': 'v1.30.8' },
  };
  return renderCluster(request, {
    cluster: named(group, 'ExampleCluster', spec.name, spec),
    machineTemplate: { apiVersion: group, kind: 'ExampleMachineTemplate' },
    machineSpec: () => ({}),
    users: () => [],
    kubeletArguments: { 'read-only-port': '0', 'anonymous-auth': 'false' },
    localAddresses: [],
    controlPlane: { files: [], preKubeadmCommands: [], certSans: [] },
    ...(nodeStartupTimeout === undefined ? {} : { nodeStartupTimeout }),
  }) as Rendered[];
}

function only(objects: Rendered[], kind: string): Rendered {
  const found = objects.filter((object) => object.kind === kind);
  expect(found, kind).toHaveLength(1);
  return found[0]!;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function plane(change?: Parameters<typeof rendered>[0]): any {
  return only(rendered(change), 'KubeadmControlPlane').spec.kubeadmConfigSpec;
}

function argumentsOf(list: { name: string; value: string }[]): Record<string, string> {
  return Object.fromEntries(list.map(({ name, value }) => [name, value]));
}

function fileOf(files: { path: string; content: string }[], path: string): string {
  return files.find((file) => file.path === path)?.content ?? '';
}

describe('what a control plane is told', () => {
  it('writes an audit log by a policy that leaves no secret in it, and profiles nothing', () => {
    const { clusterConfiguration, files } = plane();
    const { apiServer, controllerManager, scheduler } = clusterConfiguration;
    const policy = parse(fileOf(files, '/etc/kubernetes/audit-policy.yaml'));
    expect(policy).toMatchObject({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy' });
    const levelOfSecrets = policy.rules.find(({ resources = [] }: { resources?: { resources?: string[] }[] }) =>
      resources.some((one) => one.resources?.includes('secrets') === true),
    ).level;
    expect(levelOfSecrets).toBe('Metadata');
    const mounted = apiServer.extraVolumes.map(({ hostPath }: { hostPath: string }) => hostPath);
    expect(mounted).toEqual(['/etc/kubernetes/audit-policy.yaml', '/var/log/kubernetes']);
    for (const { extraArgs } of [apiServer, controllerManager, scheduler]) {
      expect(argumentsOf(extraArgs)).toMatchObject({ profiling: 'false' });
    }
  });

  it('is what the specification says of its API server', () => {
    const { clusterConfiguration, files } = plane(({ controlPlaneConfiguration, clusterNetwork }) => {
      controlPlaneConfiguration.apiServerExtraArgs = { 'event-ttl': '2h', 'service-account-issuer': 'https://a' };
      controlPlaneConfiguration.auditPolicyContent = 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n';
      controlPlaneConfiguration.certSans = ['api.example.com'];
      clusterNetwork.nodes = { cidrMaskSize: 25 };
    });
    const { apiServer, controllerManager } = clusterConfiguration;
    expect(argumentsOf(apiServer.extraArgs)).toMatchObject({
      'event-ttl': '2h',
      'service-account-issuer': 'https://a',
    });
    expect(apiServer.certSANs).toEqual(['api.example.com']);
    expect(argumentsOf(controllerManager.extraArgs)).toMatchObject({ 'node-cidr-mask-size': '25' });
    expect(fileOf(files, '/etc/kubernetes/audit-policy.yaml')).toContain('rules: []');
  });

  it('keeps no pods away where there are no workers, unless the specification says so', () => {
    const taints = (change?: Parameters<typeof rendered>[0]): unknown =>
      plane(change).initConfiguration.nodeRegistration.taints;
    expect(taints()).toBeUndefined();
    expect(taints((spec) => (spec.workerNodeGroupConfigurations = []))).toEqual([]);
    const own = { key: 'a', effect: 'NoSchedule' } as const;
    expect(taints((spec) => (spec.controlPlaneConfiguration.taints = [own]))).toEqual([own]);
  });

  it('issues tokens of pods by the issuer of podIamConfig, behind one of the specification', () => {
    const issuer = (change?: Parameters<typeof rendered>[0]): string | undefined =>
      argumentsOf(plane(change).clusterConfiguration.apiServer.extraArgs)['service-account-issuer'];
    expect(issuer()).toBeUndefined();
    expect(issuer((spec) => (spec.podIamConfig = { serviceAccountIssuer: 'https://b' }))).toBe('https://b');
    const both = issuer((spec) => {
      spec.podIamConfig = { serviceAccountIssuer: 'https://b' };
      spec.controlPlaneConfiguration.apiServerExtraArgs = { 'service-account-issuer': 'https://a' };
    });
    expect(both).toBe('https://a,https://b');
  });

  it('trusts the OIDC provider that the specification refers to', () => {
    const { clusterConfiguration } = plane((spec, { others }) => {
      spec.identityProviderRefs = [{ kind: 'OIDCConfig', name: 'idp' }];
      const requiredClaims = [{ claim: 'aud', value: 'prod' }];
      const more = { usernameClaim: 'email', groupsPrefix: 'oidc:', requiredClaims };
      others.push(exampleDocument('OIDCConfig', 'idp', { clientId: 'k8s', issuerUrl: 'https://idp', ...more }));
    });
    const all = Object.entries(argumentsOf(clusterConfiguration.apiServer.extraArgs));
    expect(Object.fromEntries(all.filter(([name]) => name.startsWith('oidc-')))).toEqual({
      'oidc-client-id': 'k8s',
      'oidc-issuer-url': 'https://idp',
      'oidc-username-claim': 'email',
      'oidc-groups-prefix': 'oidc:',
      'oidc-required-claim': 'aud=prod',
    });
  });
});

describe('what kubelets are told', () => {
  const path = '/etc/kubernetes/patches/kubeletconfiguration0+strategic.yaml';

  it('is patched into what kubeadm writes, and wins over flags', () => {
    const objects = rendered((spec) => {
      const configuration = { maxPods: 50, readOnlyPort: 10255 };
      spec.controlPlaneConfiguration.kubeletConfiguration = configuration;
      spec.workerNodeGroupConfigurations![0]!.kubeletConfiguration = configuration;
    });
    const controlPlane = only(objects, 'KubeadmControlPlane').spec.kubeadmConfigSpec;
    const worker = only(objects, 'KubeadmConfigTemplate').spec.template.spec;
    for (const { files, joinConfiguration } of [controlPlane, worker]) {
      expect(parse(fileOf(files, path))).toEqual({
        apiVersion: 'kubelet.config.k8s.io/v1beta1',
        kind: 'KubeletConfiguration',
        maxPods: 50,
        readOnlyPort: 10255,
      });
      expect(joinConfiguration.patches).toEqual({ directory: '/etc/kubernetes/patches' });
      const flags = argumentsOf(joinConfiguration.nodeRegistration.kubeletExtraArgs);
      expect(flags).toEqual({ 'anonymous-auth': 'false' });
    }
    expect(controlPlane.initConfiguration.patches).toEqual({ directory: '/etc/kubernetes/patches' });
  });

  it('is the resolver of the cluster, unless a configuration says another', () => {
    const flag = (kubeletConfiguration?: Record<string, unknown>): string | undefined => {
      const objects = rendered((spec) => {
        spec.clusterNetwork.dns = { resolvConf: { path: '/etc/own.conf' } };
        if (kubeletConfiguration !== undefined)
          spec.workerNodeGroupConfigurations![0]!.kubeletConfiguration = kubeletConfiguration;
      });
      const { joinConfiguration } = only(objects, 'KubeadmConfigTemplate').spec.template.spec;
      return argumentsOf(joinConfiguration.nodeRegistration.kubeletExtraArgs)['resolv-conf'];
    };
    expect(flag()).toBe('/etc/own.conf');
    expect(flag({ resolvConf: '/etc/other.conf' })).toBeUndefined();
  });
});

describe('which machines are replaced when they fail', () => {
  const checks = (objects: Rendered[]): Rendered[] => objects.filter(({ kind }) => kind === 'MachineHealthCheck');

  it('are none, where neither the provider nor the specification asks for it', () => {
    expect(checks(rendered())).toEqual([]);
  });

  it('are those whose nodes do not come, or are not ready, with what a group says of itself first', () => {
    const [controlPlane, workers] = checks(
      rendered(
        (spec) => {
          spec.machineHealthCheck = { unhealthyMachineTimeout: '1m30s', maxUnhealthy: '50%' };
          spec.workerNodeGroupConfigurations![0]!.machineHealthCheck = { nodeStartupTimeout: '1h', maxUnhealthy: '1' };
        },
        { nodeStartupTimeout: '20m0s' },
      ),
    );
    expect(controlPlane).toMatchObject({
      metadata: { name: 'prod-kcp-unhealthy' },
      spec: {
        clusterName: 'prod',
        selector: { matchLabels: { 'cluster.x-k8s.io/control-plane': '' } },
        checks: {
          nodeStartupTimeoutSeconds: 1200,
          unhealthyNodeConditions: [
            { type: 'Ready', status: 'Unknown', timeoutSeconds: 90 },
            { type: 'Ready', status: 'False', timeoutSeconds: 90 },
          ],
        },
        remediation: { triggerIf: { unhealthyLessThanOrEqualTo: '50%' } },
      },
    });
    expect(workers).toMatchObject({
      metadata: { name: 'prod-md-0-worker-unhealthy' },
      spec: {
        selector: { matchLabels: { 'cluster.x-k8s.io/deployment-name': 'prod-md-0' } },
        checks: { nodeStartupTimeoutSeconds: 3600 },
        remediation: { triggerIf: { unhealthyLessThanOrEqualTo: 1 } },
      },
    });
  });
});

describe('the Kubernetes version of workers', () => {
  const skip = 'machineset.cluster.x-k8s.io/skip-preflight-checks';

  it('is the cluster’s, or the bundle’s patch release of their own', () => {
    const common = only(rendered(), 'MachineDeployment');
    expect(common.spec.template.spec.version).toBe('v1.31.4');
    expect(common.metadata.annotations).toBeUndefined();
    const older = only(
      rendered((spec) => (spec.workerNodeGroupConfigurations![0]!.kubernetesVersion = '1.30')),
      'MachineDeployment',
    );
    expect(older.spec.template.spec.version).toBe('v1.30.8');
    expect(older.metadata.annotations).toEqual({ [skip]: 'KubeadmVersionSkew' });
  });
});
