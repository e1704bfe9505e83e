import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import type { ClusterSpec, KubernetesObject } from '../../../contracts/cluster-spec.ts';
import type { RenderRequest } from '../../../contracts/provider-plugin.ts';
import { exampleDocument, readText } from '../../../core/clusters/spec/testing.ts';
import { samplesFolder } from '../../../test/helpers/paths.ts';
import { tinkerbell } from './index.ts';
import { templateKind, type TinkerbellTemplateSpec } from './schema.ts';
import { specTemplate } from './spec-template.ts';

const images: RenderRequest['images'] = {
  kubernetesRepository: 'public.ecr.aws/eks-distro/kubernetes',
  etcd: { repository: 'public.ecr.aws/eks-distro/etcd-io/etcd', tag: 'v3.5' },
  coreDns: { repository: 'public.ecr.aws/eks-distro/coredns/coredns', tag: 'v1.12' },
  kubeVip: 'public.ecr.aws/kube-vip/kube-vip:v1',
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Documents = Record<'cluster' | 'datacenter' | 'plane' | 'worker', any> & { others: object[] };

function specAfter(change: (documents: Documents) => void): ClusterSpec {
  const objects = parseAllDocuments(specTemplate('prod')).map((document): Documents['cluster'] => document.toJS());
  const [cluster, datacenter, plane, worker] = objects;
  change({ cluster, datacenter: datacenter.spec, plane: plane.spec, worker: worker.spec, others: objects });
  return readText(objects.map((object) => stringify(object)).join('---\n'), [tinkerbell]).spec!;
}

function rendered(spec: ClusterSpec): KubernetesObject[] {
  return tinkerbell.render({ spec, kubernetesVersion: 'v1.34.1', images });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function ofKind(objects: readonly KubernetesObject[], kind: string): any[] {
  return objects.filter((object) => object.kind === kind);
}

function installTemplates(spec: ClusterSpec): TinkerbellTemplateSpec['template'][] {
  return ofKind(rendered(spec), 'TinkerbellMachineTemplate').map((object) =>
    parse(object.spec.template.spec.templateOverride),
  );
}

const mirror = { endpoint: 'mirror.local', port: '5000', ociNamespaces: [{ registry: 'quay.io', namespace: 'q' }] };

describe('the objects of a cluster on bare metal', () => {
  it('choose hardware, and say where the API server will be', () => {
    const objects = rendered(specAfter(() => undefined));
    const [{ spec }] = ofKind(objects, 'TinkerbellCluster');
    expect(spec).toEqual({ controlPlaneEndpoint: { host: '192.0.2.10', port: 6443 } });
    const templates = ofKind(objects, 'TinkerbellMachineTemplate').map(({ spec }) => spec.template.spec);
    expect(templates).toMatchObject(
      ['cp', 'worker'].map((type) => ({
        hardwareAffinity: { required: [{ labelSelector: { matchLabels: { type } } }] },
        bootOptions: { bootMode: 'netboot' },
      })),
    );
    const { initConfiguration, files } = ofKind(objects, 'KubeadmControlPlane')[0].spec.kubeadmConfigSpec;
    expect(files.map(({ path }: { path: string }) => path)).toContain('/etc/kubernetes/manifests/kube-vip.yaml');
    expect(initConfiguration.nodeRegistration.kubeletExtraArgs).toContainEqual({
      name: 'provider-id',
      value: 'PROVIDER_ID',
    });
  });

  it('carry over affinity, and boot from an image of Tinkerbell', () => {
    const required = [{ labelSelector: { matchExpressions: [{ key: 'rack', operator: 'Exists' }] } }];
    const spec = specAfter(({ cluster, datacenter, plane }) => {
      delete plane.hardwareSelector;
      plane.hardwareAffinity = { required };
      datacenter.isoBoot = true;
      cluster.metadata.annotations = { 'anywhere.eks.amazonaws.com/tinkerbell-bootstrap-ip': '192.0.2.7' };
    });
    expect(ofKind(rendered(spec), 'TinkerbellMachineTemplate')[0].spec.template.spec).toMatchObject({
      hardwareAffinity: { required },
      bootOptions: { bootMode: 'iso', isoURL: 'http://192.0.2.7:7171/iso/hook.iso' },
    });
  });

  it('get another template when what is installed changes, and only then', () => {
    const names = (spec: ClusterSpec): string[] =>
      ofKind(rendered(spec), 'TinkerbellMachineTemplate').map(({ metadata }) => metadata.name);
    const before = specAfter(() => undefined);
    expect(names(specAfter(({ cluster }) => (cluster.spec.controlPlaneConfiguration.count = 5)))).toEqual(
      names(before),
    );
    const after = names(specAfter(({ datacenter }) => (datacenter.osImageURL = 'http://192.0.2.1/ubuntu-1.34-2.gz')));
    expect(after.filter((name) => names(before).includes(name))).toEqual([]);
  });

  it('name no registry but the mirror', () => {
    const spec = specAfter(({ cluster }) => (cluster.spec.registryMirrorConfiguration = mirror));
    expect(ofKind(rendered(spec), 'TinkerbellCluster')[0].spec.imageLookupBaseRegistry).toBe('mirror.local:5000');
    const withoutMirror = ofKind(rendered(specAfter(() => undefined)), 'TinkerbellCluster');
    expect(withoutMirror[0].spec).not.toHaveProperty('imageLookupBaseRegistry');
  });
});

describe('what a machine is installed by', () => {
  it.each([
    ['ubuntu', '2', '/etc/netplan/config.yaml'],
    ['redhat', '1', '/etc/NetworkManager/system-connections/static-connection.nmconnection'],
  ])("is upstream's actions for %s, out of HookOS", (osFamily, partition, networkFile) => {
    const [template] = installTemplates(
      specAfter(({ plane, worker, cluster, datacenter }) => {
        plane.osFamily = worker.osFamily = osFamily;
        datacenter.osImageURL = 'http://192.0.2.1/os-1.34.gz';
        cluster.spec.proxyConfiguration = {
          httpProxy: 'http://p:1',
          httpsProxy: 'http://p:2',
          noProxy: ['10.0.0.0/8'],
        };
      }),
    );
    const [{ actions, worker }] = template!.tasks as [TinkerbellTemplateSpec['template']['tasks'][number]];
    expect(worker).toBe('{{.device_1}}');
    expect(actions.map(({ image, environment }) => [image, environment?.['DEST_PATH']])).toEqual([
      ['127.0.0.1/embedded/image2disk', undefined],
      ['127.0.0.1/embedded/writefile', networkFile],
      ['127.0.0.1/embedded/writefile', '/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg'],
      ['127.0.0.1/embedded/writefile', '/etc/cloud/cloud.cfg.d/10_tinkerbell.cfg'],
      ['127.0.0.1/embedded/writefile', '/etc/cloud/ds-identify.cfg'],
      ['127.0.0.1/embedded/reboot', undefined],
    ]);
    expect(actions[0]!.environment).toEqual({
      DEST_DISK: '{{ index .Hardware.Disks 0 }}',
      IMG_URL: 'http://192.0.2.1/os-1.34.gz',
      COMPRESSED: 'true',
      ...{ HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://p:2', NO_PROXY: '10.0.0.0/8,192.0.2.11' },
    });
    expect(actions[1]!.environment?.['DEST_DISK']).toBe(
      `{{ formatPartition ( index .Hardware.Disks 0 ) ${partition} }}`,
    );
    const { datasource } = parse(actions[3]!.environment!['CONTENTS']!) as { datasource: object };
    expect(datasource).toEqual({ Ec2: { metadata_urls: ['http://192.0.2.11:7172'], strict_id: false } });
  });

  it('is the template of the specification, with its images from the mirror', () => {
    const imagesOf = ['quay.io/a/b:1', 'image2disk:v1', '127.0.0.1/embedded/reboot', 'library/writefile'];
    const spec = specAfter(({ cluster, plane, others }) => {
      cluster.spec.registryMirrorConfiguration = mirror;
      plane.templateRef = { kind: templateKind, name: 'install' };
      const actions = imagesOf.map((image, index) => ({ name: `a${index}`, image, timeout: 1 }));
      const tasks = [{ name: 'a', worker: '{{.device_1}}', actions }];
      const template = { version: '0.1', name: 'a', global_timeout: 1, tasks };
      others.push(exampleDocument(templateKind, 'install', { template }));
    });
    const [own, usual] = installTemplates(spec);
    expect(own!.tasks[0]!.actions.map(({ image }) => image)).toEqual([
      'mirror.local:5000/q/a/b:1',
      ...imagesOf.slice(1),
    ]);
    expect(usual!.tasks[0]!.actions).toHaveLength(6);
  });

  it.skipIf(!existsSync(`${samplesFolder}/eks-anywhere`)).each([
    ['tinkerbell-cluster.yaml', 'kexec-image', 6],
    ['tinkerbell-cluster-registry-mirror.yaml', 'reboot', 5],
  ])("is what upstream's own %s has", (name, last, count) => {
    const { spec } = readText(readFileSync(`${samplesFolder}/eks-anywhere/${name}`, 'utf8'), [tinkerbell]);
    for (const template of installTemplates(spec!)) {
      expect(template.tasks[0]!.actions).toHaveLength(count);
      expect(template.tasks[0]!.actions.at(-1)!.name).toBe(last);
    }
    const kinds = rendered(spec!).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'TinkerbellMachineTemplate').length).toBe(
      kinds.filter((kind) => kind === 'MachineDeployment').length + 1,
    );
  });
});
