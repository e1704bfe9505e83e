import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import { readText, summaries } from '../../../core/clusters/spec/testing.ts';
import { samplesFolder } from '../../../test/helpers/paths.ts';
import { specTemplate } from './spec-template.ts';
import { changedTemplate, specProvider, type Documents } from './testing.ts';
import { validateSpec } from './validate.ts';

function found(change: (documents: Documents) => void): string[] {
  return summaries(changedTemplate(change).findings);
}

function specAfter(change: (documents: Documents) => void): ClusterSpec {
  return changedTemplate(change).spec!;
}

describe('a specification for vSphere', () => {
  it.each(['prod', 'n'])('begins with a template (%s) that has nothing to find', (name) => {
    const { spec, findings } = readText(specTemplate(name), [specProvider]);
    expect(findings).toEqual([]);
    expect(spec).toMatchObject({ name, role: 'management', provider: 'vsphere' });
  });

  it.skipIf(!existsSync(`${samplesFolder}/eks-anywhere`))("is upstream's own", () => {
    const text = readFileSync(`${samplesFolder}/eks-anywhere/vsphere-cluster.yaml`, 'utf8');
    const { spec, findings } = readText(text, [specProvider]);
    expect(summaries(findings)).toEqual([
      'problem vsphere.external-etcd spec.externalEtcdConfiguration',
      'warning spec.cni spec.clusterNetwork.cni',
      'warning vsphere.thumbprint spec.thumbprint',
    ]);
    expect(Object.keys(spec?.machines ?? {}).sort()).toEqual(['test-cp', 'test-etcd', 'test-wn']);
  });

  it.each<[string, (documents: Documents) => void, string[]]>([
    ['no server', ({ datacenter }) => (datacenter.server = ''), ['problem vsphere.missing spec.server']],
    ['a URL', ({ datacenter }) => (datacenter.server = 'https://vcenter'), ['problem vsphere.server spec.server']],
    [
      'a network elsewhere',
      ({ datacenter }) => (datacenter.network = '/Other/network/a'),
      ['problem vsphere.network spec.network'],
    ],
    ['a network by name', ({ datacenter }) => (datacenter.network = 'VM Network'), []],
    ['no check', ({ datacenter }) => (datacenter.insecure = true), ['warning vsphere.insecure spec.insecure']],
    ['no pin', ({ datacenter }) => delete datacenter.thumbprint, ['warning vsphere.thumbprint spec.thumbprint']],
    ['a SHA-256 pin', ({ datacenter }) => (datacenter.thumbprint = Array(32).fill('aB').join(':')), []],
    ['an unknown field', ({ plane }) => (plane.numCPU = 2), ['problem spec.unknown-field spec.numCPU']],
    ['no template', ({ plane }) => delete plane.template, ['problem vsphere.template spec.template']],
    [
      'paths elsewhere',
      ({ plane }) => Object.assign(plane, { folder: '/Datacenter2/vm', datastore: '/Datacenter/vm/a' }),
      ['problem vsphere.path spec.folder', 'problem vsphere.path spec.datastore'],
    ],
    ['the root folder', ({ plane }) => (plane.folder = '/Datacenter/vm'), []],
    [
      'small machines',
      ({ plane, worker }) => {
        Object.assign(plane, { numCPUs: 1, memoryMiB: 1024 });
        Object.assign(worker, { numCPUs: 1, diskGiB: 10 });
      },
      ['problem vsphere.size spec.numCPUs', 'problem vsphere.size spec.memoryMiB', 'problem vsphere.size spec.diskGiB'],
    ],
    ['a tag by name', ({ worker }) => (worker.tags = ['blue']), ['problem vsphere.tag spec.tags[0]']],
    [
      'networks',
      ({ plane, worker }) => {
        plane.networks = ['a'];
        worker.networks = ['a', 'b', 'c'];
      },
      ['problem vsphere.networks spec.networks', 'problem vsphere.networks spec.networks[2]'],
    ],
    ['no user', ({ plane }) => delete plane.users, ['problem vsphere.users spec.users']],
    [
      'no key',
      ({ plane }) => (plane.users = [{ name: 'capv' }]),
      ['problem vsphere.users spec.users[0].sshAuthorizedKeys'],
    ],
    [
      'the user of Bottlerocket',
      ({ plane }) => (plane.osFamily = 'bottlerocket'),
      ['problem vsphere.bottlerocket spec.osFamily', 'problem vsphere.users spec.users[0].name'],
    ],
    [
      'no operating system',
      ({ worker }) => {
        delete worker.osFamily;
        worker.users[0].name = 'ec2-user';
      },
      ['problem vsphere.bottlerocket spec.osFamily'],
    ],
    [
      'what is for Bottlerocket',
      ({ plane }) => {
        const bottlerocketConfiguration = { kubernetes: { maxPods: -1, clusterDNSIPs: ['a'] } };
        const ntpConfiguration = { servers: ['ntp.example.com:123', 'a b'] };
        plane.hostOSConfiguration = {
          bottlerocketConfiguration,
          ntpConfiguration,
          certBundles: [{ name: '', data: '' }],
        };
      },
      [
        'problem vsphere.ntp spec.hostOSConfiguration.ntpConfiguration.servers[1]',
        'problem vsphere.bottlerocket spec.hostOSConfiguration.bottlerocketConfiguration',
        'problem vsphere.bottlerocket spec.hostOSConfiguration.certBundles',
        'problem vsphere.cert-bundle spec.hostOSConfiguration.certBundles[0].name',
        'problem vsphere.cert-bundle spec.hostOSConfiguration.certBundles[0].data',
        'problem vsphere.bottlerocket spec.hostOSConfiguration.bottlerocketConfiguration.kubernetes.clusterDNSIPs[0]',
        'problem vsphere.bottlerocket spec.hostOSConfiguration.bottlerocketConfiguration.kubernetes.maxPods',
      ],
    ],
    [
      'no endpoint and no machines',
      ({ cluster }) => {
        delete cluster.controlPlaneConfiguration.endpoint;
        delete cluster.workerNodeGroupConfigurations[0].machineGroupRef;
      },
      [
        'problem spec.endpoint spec.controlPlaneConfiguration.endpoint',
        'problem spec.machine-group spec.workerNodeGroupConfigurations[0].machineGroupRef',
        'warning spec.unused metadata.name',
      ],
    ],
    [
      'an endpoint by name',
      ({ cluster }) => (cluster.controlPlaneConfiguration.endpoint.host = 'api.example.com'),
      ['problem spec.endpoint spec.controlPlaneConfiguration.endpoint.host'],
    ],
    [
      'kindnetd',
      ({ cluster }) => (cluster.clusterNetwork.cniConfig = { kindnetd: {} }),
      ['problem spec.cni spec.clusterNetwork.cniConfig'],
    ],
    [
      'upgrades in place',
      ({ cluster }) => (cluster.controlPlaneConfiguration.upgradeRolloutStrategy = { type: 'InPlace' }),
      ['problem vsphere.rollout spec.controlPlaneConfiguration.upgradeRolloutStrategy.type'],
    ],
    [
      'failure domains',
      ({ cluster, datacenter }) => {
        const a = { name: 'a', computeCluster: 'c', resourcePool: 'p', datastore: 'd', folder: '', network: '/Other' };
        datacenter.failureDomains = [a, { ...a, folder: 'f', network: 'n' }];
        cluster.workerNodeGroupConfigurations[0].failureDomains = ['a', 'b'];
      },
      [
        'problem vsphere.failure-domain spec.workerNodeGroupConfigurations[0].failureDomains',
        'problem vsphere.failure-domain spec.workerNodeGroupConfigurations[0].failureDomains[1]',
        'problem vsphere.missing spec.failureDomains[0].folder',
        'problem vsphere.network spec.failureDomains[0].network',
        'problem vsphere.failure-domain spec.failureDomains[1].name',
      ],
    ],
  ])('finds %s', (_name, change, expected) => {
    expect(found(change).sort()).toEqual([...expected].sort());
  });

  it('keeps what machines were made with', () => {
    const before = specAfter(() => undefined);
    const after = specAfter(({ datacenter, plane, worker }) => {
      datacenter.network = '/Datacenter/network/Other';
      plane.osFamily = 'redhat';
      worker.memoryMiB = 4096;
    });
    expect(summaries(validateSpec(after, before))).toEqual([
      'problem vsphere.immutable spec.network',
      'problem vsphere.immutable spec.osFamily',
    ]);
  });
});
