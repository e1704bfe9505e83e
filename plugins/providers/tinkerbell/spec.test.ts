import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { SpecProvider } from '../../../core/clusters/spec/read-documents.ts';
import type { ReadSpec } from '../../../core/clusters/spec/read-spec.ts';
import { exampleDocument, readText, summaries } from '../../../core/clusters/spec/testing.ts';
import { samplesFolder } from '../../../test/helpers/paths.ts';
import type { Hardware } from './hardware-csv.ts';
import { hardwareRules } from './hardware-rules.ts';
import { datacenterKind, machineKind, templateKind } from './schema.ts';
import { specTemplate } from './spec-template.ts';
import { checkDocument, validateSpec } from './validate.ts';

const tinkerbell: SpecProvider = {
  name: 'tinkerbell',
  kinds: { datacenter: datacenterKind, machine: machineKind, others: [templateKind] },
  checkDocument,
  validateSpec,
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Documents = Record<'cluster' | 'datacenter' | 'plane' | 'worker', any> & { others: object[] };

/** The template after a change of its documents' specs. */
function changed(change: (documents: Documents) => void): ReadSpec {
  const objects = parseAllDocuments(specTemplate('prod')).map((document): Documents['cluster'] => document.toJS());
  const [cluster, datacenter, plane, worker] = objects.map((object) => object.spec);
  change({ cluster, datacenter, plane, worker, others: objects });
  return readText(objects.map((object) => stringify(object)).join('---\n'), [tinkerbell]);
}

function found(change: (documents: Documents) => void): string[] {
  return summaries(changed(change).findings);
}

function specAfter(change: (documents: Documents) => void): ClusterSpec {
  return changed(change).spec!;
}

describe('a specification for bare metal', () => {
  it('begins with a template that has nothing to find', () => {
    const { spec, findings } = readText(specTemplate('prod'), [tinkerbell]);
    expect(findings).toEqual([]);
    expect(spec).toMatchObject({ name: 'prod', role: 'management', provider: 'tinkerbell' });
  });

  it.skipIf(!existsSync(`${samplesFolder}/eks-anywhere`)).each([
    ['tinkerbell-cluster.yaml', []],
    ['tinkerbell-cluster-registry-mirror.yaml', ['warning spec.unquoted spec.registryMirrorConfiguration.port']],
  ])("is upstream's own %s", (name, more) => {
    const { spec, findings } = readText(readFileSync(`${samplesFolder}/eks-anywhere/${name}`, 'utf8'), [tinkerbell]);
    expect(summaries(findings)).toEqual([
      'warning spec.cni spec.clusterNetwork.cni',
      ...more,
      'warning spec.unused metadata.name',
    ]);
    expect(spec?.others.map(({ kind }) => kind)).toEqual([templateKind]);
    expect(spec?.cluster.spec.registryMirrorConfiguration?.port).toBe(more.length === 0 ? undefined : '1234');
  });

  it.each<[string, (documents: Documents) => void, string[]]>([
    [
      'no address',
      ({ datacenter }) => (datacenter.tinkerbellIP = 'a'),
      ['problem tinkerbell.address spec.tinkerbellIP'],
    ],
    [
      'the address of the API server',
      ({ datacenter }) => (datacenter.tinkerbellIP = '192.0.2.10'),
      ['problem tinkerbell.address spec.tinkerbellIP'],
    ],
    [
      'an address of pods',
      ({ datacenter }) => (datacenter.tinkerbellIP = '192.168.0.1'),
      ['problem tinkerbell.address spec.tinkerbellIP'],
    ],
    [
      'no URL',
      ({ datacenter }) => (datacenter.hookImagesURLPath = 'a'),
      ['problem tinkerbell.url spec.hookImagesURLPath'],
    ],
    [
      'an ISO image that is none',
      ({ datacenter }) => (datacenter.hookIsoURL = 'http://a/b.img'),
      ['problem tinkerbell.iso spec.hookIsoURL', 'problem tinkerbell.iso spec.hookIsoURL'],
    ],
    [
      'an ISO image',
      ({ datacenter }) => Object.assign(datacenter, { isoBoot: true, hookIsoURL: 'http://a/b.iso' }),
      [],
    ],
    [
      'a proxy without HookOS',
      ({ cluster, datacenter }) => {
        cluster.proxyConfiguration = { httpProxy: 'a:1', httpsProxy: 'a:1' };
        delete datacenter.hookImagesURLPath;
      },
      ['problem tinkerbell.hook spec.hookImagesURLPath'],
    ],
    [
      'external etcd',
      ({ cluster }) =>
        (cluster.externalEtcdConfiguration = { count: 3, machineGroupRef: { kind: machineKind, name: 'prod-cp' } }),
      ['problem tinkerbell.etcd spec.externalEtcdConfiguration'],
    ],
    [
      'no workers',
      ({ cluster }) => (cluster.workerNodeGroupConfigurations = []),
      ['warning tinkerbell.workers spec.workerNodeGroupConfigurations', 'warning spec.unused metadata.name'],
    ],
    [
      'two operating systems',
      ({ worker }) => (worker.osFamily = 'redhat'),
      ['problem tinkerbell.os-family spec.workerNodeGroupConfigurations[0].machineGroupRef'],
    ],
    [
      'Bottlerocket',
      ({ plane, worker }) => {
        plane.osFamily = worker.osFamily = 'bottlerocket';
      },
      [
        'problem tinkerbell.os-family spec.controlPlaneConfiguration.machineGroupRef',
        'problem tinkerbell.os-family spec.workerNodeGroupConfigurations[0].machineGroupRef',
      ],
    ],
    [
      'two ways to upgrade',
      ({ cluster }) => (cluster.controlPlaneConfiguration.upgradeRolloutStrategy = { type: 'InPlace' }),
      ['problem tinkerbell.rollout spec.workerNodeGroupConfigurations[0].upgradeRolloutStrategy'],
    ],
    [
      'no image',
      ({ datacenter }) => delete datacenter.osImageURL,
      Array<string>(2).fill('problem tinkerbell.os-image spec.osImageURL'),
    ],
    [
      'images twice',
      ({ plane }) => (plane.osImageURL = 'http://a/1-34.gz'),
      ['problem tinkerbell.os-image spec.osImageURL'],
    ],
    [
      'an image for another version',
      ({ cluster }) => (cluster.workerNodeGroupConfigurations[0].kubernetesVersion = '1.33'),
      ['problem tinkerbell.os-image spec.osImageURL'],
    ],
    [
      'no selector',
      ({ plane }) => delete plane.hardwareSelector,
      ['problem tinkerbell.selector spec.hardwareSelector'],
    ],
    [
      'two labels',
      ({ plane }) => (plane.hardwareSelector = { type: 'a b', rack: '1' }),
      ['problem tinkerbell.selector spec.hardwareSelector', 'problem tinkerbell.selector spec.hardwareSelector.type'],
    ],
    [
      'affinity',
      ({ plane }) => {
        const matchExpressions = [
          { key: 'a', operator: 'In' },
          { key: 'a', operator: 'Exists', values: ['b'] },
          { key: 'a', operator: 'NotIn', values: ['b'] },
        ];
        plane.hardwareAffinity = {
          required: [],
          preferred: [{ weight: 101, hardwareAffinityTerm: { labelSelector: { matchExpressions } } }],
        };
      },
      [
        'problem tinkerbell.selector spec.hardwareSelector',
        'problem tinkerbell.affinity spec.hardwareAffinity.required',
        'problem tinkerbell.affinity spec.hardwareAffinity.preferred[0].weight',
        ...[0, 1].map(
          (index) =>
            `problem tinkerbell.affinity spec.hardwareAffinity.preferred[0].hardwareAffinityTerm.labelSelector.matchExpressions[${index}]`,
        ),
      ],
    ],
    [
      'a template',
      ({ plane, others }) => {
        plane.templateRef = { kind: templateKind, name: 'install' };
        const action = { name: 'a', image: '', timeout: 0 };
        const tasks = [
          { name: 'a', worker: '{{.device_1}}', actions: [action, { ...action, image: 'a', timeout: 1 }] },
        ];
        const template = { version: '0.1', name: 'a', global_timeout: 1, tasks };
        others.push(exampleDocument(templateKind, 'install', { template }));
      },
      [
        'problem tinkerbell.template spec.template.tasks[0].actions[0].image',
        'problem tinkerbell.template spec.template.tasks[0].actions[0].timeout',
        'problem tinkerbell.template spec.template.tasks[0].actions[1].name',
      ],
    ],
  ])('finds %s', (_name, change, expected) => {
    expect(found(change).sort()).toEqual([...expected].sort());
  });

  it('keeps what machines were installed with, and how many there are while they are exchanged', () => {
    const before = specAfter(() => undefined);
    const after = specAfter(({ cluster, datacenter, plane }) => {
      cluster.kubernetesVersion = '1.35';
      cluster.workerNodeGroupConfigurations[0].count = 3;
      cluster.controlPlaneConfiguration.labels = { a: 'b' };
      datacenter.osImageURL = 'http://192.0.2.1/1.35.gz';
      datacenter.tinkerbellIP = '192.0.2.12';
      plane.users[0].name = 'other';
    });
    expect(summaries(validateSpec(after, before))).toEqual([
      'problem tinkerbell.immutable spec.tinkerbellIP',
      'problem tinkerbell.immutable spec.users',
      'problem tinkerbell.immutable spec.controlPlaneConfiguration.labels',
      'problem tinkerbell.scale spec.workerNodeGroupConfigurations[0].count',
    ]);
  });
});

describe('the hardware of a cluster', () => {
  function hardware(counts: Record<string, number>): Hardware[] {
    return Object.entries(counts).flatMap(([type, count]) =>
      Array.from({ length: count }, (_, index) => ({
        hostname: `${type}-${index}`,
        mac: '',
        ipAddress: '',
        netmask: '',
        gateway: '',
        nameservers: [],
        disk: '',
        labels: { type },
        line: 1,
      })),
    );
  }

  it('is enough, with one spare machine of each kind for an upgrade', () => {
    const spec = specAfter(() => undefined);
    expect(hardwareRules(spec, hardware({ cp: 3, worker: 2 }), false)).toEqual([]);
    expect(hardwareRules(spec, hardware({ cp: 4, worker: 3 }), true)).toEqual([]);
    expect(hardwareRules(spec, hardware({ cp: 3, worker: 3 }), true)).toMatchObject([
      {
        subject: 'TinkerbellMachineConfig prod-cp',
        message:
          'it takes 4 machines (control plane, the spare ones of a rolling upgrade included), and its selection finds 3',
      },
    ]);
    expect(hardwareRules(spec, [], false)).toHaveLength(2);
  });

  it('counts together for those who select the same', () => {
    const spec = specAfter(({ worker }) => (worker.hardwareSelector = { type: 'cp' }));
    expect(hardwareRules(spec, hardware({ cp: 4 }), false)).toMatchObject([
      { message: 'it takes 5 machines (control plane, worker group md-0), and its selection finds 4' },
    ]);
  });

  it('is selected by one only', () => {
    const spec = specAfter(({ worker }) => {
      delete worker.hardwareSelector;
      const matchExpressions = [{ key: 'type', operator: 'Exists' }];
      worker.hardwareAffinity = { required: [{ labelSelector: { matchExpressions } }] };
    });
    expect(hardwareRules(spec, hardware({ cp: 3, worker: 2 }), false).map(({ subject }) => subject)).toEqual([
      'cp-0',
      'cp-1',
      'cp-2',
    ]);
  });
});
