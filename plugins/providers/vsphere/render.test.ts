import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { ClusterSpec, KubernetesObject } from '../../../contracts/cluster-spec.ts';
import type { NodeImages } from '../../../contracts/provider-plugin.ts';
import { readText } from '../../../core/clusters/spec/testing.ts';
import { samplesFolder } from '../../../test/helpers/paths.ts';
import { vsphere } from './index.ts';
import { changedTemplate, specProvider, type Documents } from './testing.ts';

const images: NodeImages = {
  kubernetesRepository: 'public.ecr.aws/eks-distro/kubernetes',
  etcd: { repository: 'public.ecr.aws/eks-distro/etcd-io/etcd', tag: 'v3.5.1' },
  coreDns: { repository: 'public.ecr.aws/eks-distro/coredns/coredns', tag: 'v1.11.1' },
  kubeVip: 'public.ecr.aws/vip/kube-vip:v1',
  cloudProvider: 'public.ecr.aws/cpi/manager:v1.34',
};
const hostName = '{{ ds.meta_data.hostname }}';
const pin = Array(20).fill('AB').join(':');

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Rendered = KubernetesObject & { spec: any };

function specAfter(change: (documents: Documents) => void = () => undefined): ClusterSpec {
  const { spec, findings } = changedTemplate((documents) => {
    documents.datacenter.thumbprint = pin.toLowerCase();
    change(documents);
  });
  if (spec === undefined) throw new Error(JSON.stringify(findings));
  return spec;
}

function rendered(spec: ClusterSpec, kubernetesVersion = 'v1.34.2'): Record<string, Rendered> {
  const objects = vsphere.render({ spec, kubernetesVersion, images }) as Rendered[];
  return Object.fromEntries(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object]));
}

/** The one object of a kind whose name begins so. */
function find(objects: Record<string, Rendered>, start: string): Rendered {
  const names = Object.keys(objects).filter((name) => name.startsWith(start));
  expect(names, start).toHaveLength(1);
  return objects[names[0]!]!;
}

describe('the objects of a cluster on vSphere', () => {
  it('are those of its provider, with the certificate pinned', () => {
    const objects = rendered(specAfter());
    expect(Object.keys(objects).map((name) => name.replace(/-[0-9a-f]{8}$/, ''))).toEqual([
      'Cluster prod',
      'VSphereCluster prod',
      'VSphereMachineTemplate prod-control-plane',
      'KubeadmControlPlane prod',
      'VSphereMachineTemplate prod-md-0',
      'KubeadmConfigTemplate prod-md-0',
      'MachineDeployment prod-md-0',
      'MachineHealthCheck prod-kcp-unhealthy',
      'MachineHealthCheck prod-md-0-worker-unhealthy',
      'ConfigMap prod-cloud-provider',
      'ClusterResourceSet prod-cloud-provider',
    ]);
    expect(find(objects, 'VSphereCluster prod')).toMatchObject({
      apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta2',
      spec: {
        controlPlaneEndpoint: { host: expect.any(String), port: 6443 },
        identityRef: { kind: 'Secret', name: 'prod-vsphere-credentials' },
        server: 'vcenter.example.com',
        thumbprint: pin,
      },
    });
    expect(find(objects, 'VSphereMachineTemplate prod-md-0').spec.template.spec).toEqual({
      cloneMode: 'fullClone',
      datacenter: 'Datacenter',
      datastore: '/Datacenter/datastore/Datastore',
      diskGiB: 25,
      folder: '/Datacenter/vm/Kubernetes',
      memoryMiB: 16384,
      network: { devices: [{ dhcp4: true, networkName: '/Datacenter/network/VM Network' }] },
      numCPUs: 2,
      os: 'Linux',
      powerOffMode: 'trySoft',
      resourcePool: '*/Resources',
      template: '/Datacenter/vm/Templates/ubuntu-2204-kube-1.34',
      server: 'vcenter.example.com',
      thumbprint: pin,
    });
  });

  it('name nodes as vCenter does, and leave them to the cloud provider', () => {
    const { kubeadmConfigSpec: plane } = find(rendered(specAfter()), 'KubeadmControlPlane').spec;
    const worker = find(rendered(specAfter()), 'KubeadmConfigTemplate').spec.template.spec;
    for (const { nodeRegistration } of [plane.initConfiguration, plane.joinConfiguration, worker.joinConfiguration]) {
      expect(nodeRegistration.name).toBe(hostName);
      expect(nodeRegistration.kubeletExtraArgs).toContainEqual({ name: 'cloud-provider', value: 'external' });
    }
    expect(plane.clusterConfiguration.controllerManager.extraArgs).toContainEqual({
      name: 'cloud-provider',
      value: 'external',
    });
    for (const { preKubeadmCommands } of [plane, worker])
      expect(preKubeadmCommands).toContain(`hostname "${hostName}"`);
  });

  it.each([
    ['v1.28.9', 0],
    ['v1.29.0', 1],
    ['v1.34.2', 1],
  ])('give kube-vip of Kubernetes %s the rights that it needs before the first join', (version, commands) => {
    const { kubeadmConfigSpec: plane } = find(rendered(specAfter(), version), 'KubeadmControlPlane').spec;
    const file = plane.files.find(({ path }: { path: string }) => path === '/etc/kubernetes/manifests/kube-vip.yaml');
    const pod = parse(file.content);
    expect(pod.spec.containers[0]).toMatchObject({ image: images.kubeVip, args: ['manager'] });
    expect(pod.spec.containers[0].env).toContainEqual({ name: 'address', value: expect.stringMatching(/^[0-9.]+$/) });
    const superAdmin = plane.preKubeadmCommands.filter((command: string) => command.includes('super-admin.conf'));
    expect(superAdmin).toHaveLength(commands);
    // what the command replaces is there, once, and is not what the container mounts it as
    expect(file.content.match(/(?<![A-Za-z])path: \/etc\/kubernetes\/admin\.conf/g)).toHaveLength(1);
  });

  it('leave the load balancer to others where the specification says so', () => {
    const spec = specAfter(({ cluster }) => (cluster.controlPlaneConfiguration.skipLoadBalancerDeployment = true));
    expect(JSON.stringify(rendered(spec))).not.toContain('kube-vip');
  });

  it('name images in the mirror only, and reach vCenter without the proxy', () => {
    const spec = specAfter(({ cluster, datacenter }) => {
      cluster.registryMirrorConfiguration = { endpoint: 'mirror.example.com', port: '5000' };
      cluster.proxyConfiguration = { httpProxy: 'proxy.example.com:3128', httpsProxy: 'proxy.example.com:3128' };
      datacenter.server = 'vcenter.example.com:8443';
    });
    const text = JSON.stringify(rendered(spec));
    expect(text).toContain('mirror.example.com:5000/vip/kube-vip:v1');
    expect(text).toContain('mirror.example.com:5000/cpi/manager:v1.34');
    expect(text).not.toMatch(/public\.ecr\.aws\/(vip|cpi|eks-distro)/);
    expect(text).toMatch(/NO_PROXY=[^"]*,vcenter\.example\.com,/);
  });

  it('have time servers, tags, storage policies, networks and linked clones', () => {
    const tag = 'urn:vmomi:InventoryServiceTag:a:GLOBAL';
    const objects = rendered(
      specAfter(({ worker }) => {
        Object.assign(worker, {
          tags: [tag],
          storagePolicyName: 'Fast',
          networks: ['a', 'b'],
          cloneMode: 'linkedClone',
        });
        worker.hostOSConfiguration = { ntpConfiguration: { servers: ['ntp.example.com'] } };
      }),
    );
    expect(find(objects, 'VSphereMachineTemplate prod-md-0').spec.template.spec).toMatchObject({
      cloneMode: 'linkedClone',
      tagIDs: [tag],
      storagePolicyName: 'Fast',
      network: { devices: [{ networkName: 'a' }, { networkName: 'b' }] },
    });
    expect(find(objects, 'KubeadmConfigTemplate').spec.template.spec.ntp).toEqual({
      enabled: true,
      servers: ['ntp.example.com'],
    });
    expect(find(objects, 'KubeadmControlPlane').spec.kubeadmConfigSpec.ntp).toBeUndefined();
  });

  it('put a worker group where its failure domain says', () => {
    const places = { resourcePool: 'p', datastore: 'd', folder: 'f', network: 'n' };
    const spec = specAfter(({ cluster, datacenter }) => {
      datacenter.failureDomains = [{ name: 'a', computeCluster: 'c', ...places }];
      cluster.workerNodeGroupConfigurations[0].failureDomains = ['a'];
    });
    const { network, ...others } = places;
    const templates = rendered(spec);
    expect(find(templates, 'VSphereMachineTemplate prod-md-0').spec.template.spec).toMatchObject({
      ...others,
      network: { devices: [{ networkName: network }] },
    });
    expect(find(templates, 'VSphereMachineTemplate prod-control-plane').spec.template.spec.datastore).not.toBe('d');
  });

  it('have no thumbprint where nothing is to be checked', () => {
    expect(JSON.stringify(rendered(specAfter(({ datacenter }) => (datacenter.insecure = true))))).not.toContain(pin);
  });

  it('bring the cloud provider with its settings, and a Secret for them', async () => {
    const spec = specAfter();
    const objects = rendered(spec);
    const { data } = find(objects, 'ConfigMap') as unknown as { data: Record<string, string> };
    const manifests = parseAllDocuments(data['cloud-provider.yaml']!).map((document) => document.toJS());
    expect(manifests.map(({ kind }: { kind: string }) => kind)).toEqual([
      ...['ConfigMap', 'ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'RoleBinding', 'DaemonSet'],
    ]);
    expect(parse(manifests[0].data['vsphere.conf']).vcenter['vcenter.example.com']).toMatchObject({
      datacenters: ['Datacenter'],
      thumbprint: pin,
      port: 443,
    });
    const env = { EKSA_VSPHERE_USERNAME: 'capv', EKSA_VSPHERE_PASSWORD: 'one' };
    const other = { EKSA_VSPHERE_CP_USERNAME: 'cpi', EKSA_VSPHERE_CP_PASSWORD: 'two' };
    const context = { env: { ...env, ...other }, scratch: '', run: never, alive: never, warn: never };
    const [machines, cloud] = await vsphere.credentials(spec, context);
    expect(machines).toMatchObject({
      metadata: { name: 'prod-vsphere-credentials', labels: { 'clusterctl.cluster.x-k8s.io/move': '' } },
      stringData: { username: 'capv', password: 'one' },
    });
    expect(cloud?.metadata.name).toBe('prod-cloud-provider');
    expect(JSON.stringify(cloud)).toContain('vcenter.example.com.password: two');
    await expect(vsphere.credentials(spec, { ...context, env: other })).rejects.toMatchObject({
      type: 'ValidationFailed',
      problem: { remedy: expect.stringContaining('EKSA_VSPHERE_PASSWORD') },
    });
  });

  it.skipIf(!existsSync(`${samplesFolder}/eks-anywhere`))("are made of upstream's own specification too", () => {
    const text = readFileSync(`${samplesFolder}/eks-anywhere/vsphere-cluster.yaml`, 'utf8');
    const objects = rendered(readText(text, [specProvider]).spec!, 'v1.19.8');
    expect(find(objects, 'VSphereMachineTemplate test-control-plane').spec.template.spec).toMatchObject({
      cloneMode: 'linkedClone',
      datacenter: 'SDDC-Datacenter',
      diskGiB: 25,
      folder: '/SDDC-Datacenter/vm',
      memoryMiB: 8192,
      numCPUs: 2,
      storagePolicyName: 'vSAN Default Storage Policy',
      thumbprint: 'ABCDEFG',
    });
    const deployments = Object.keys(objects).filter((name) => name.startsWith('MachineDeployment'));
    expect(deployments).toEqual(['MachineDeployment test-md-0', 'MachineDeployment test-md-1']);
  });
});

function never(): never {
  throw new Error('rendering asks nobody');
}
