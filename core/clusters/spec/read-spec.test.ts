import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readClusterSpec } from './read-spec.ts';
import { exampleDocument, exampleProvider, exampleSpec, readChanged, readText, summaries } from './testing.ts';

const head = 'apiVersion: anywhere.eks.amazonaws.com/v1alpha1\n';

function documentsOf(change: (example: ReturnType<typeof exampleSpec>) => void = () => undefined): string[] {
  const example = exampleSpec();
  change(example);
  return [example.cluster, ...example.others].map((document) => stringify(document));
}

describe('a specification', () => {
  it('is read with nothing to find', () => {
    const { spec, findings } = readText(documentsOf().join('---\n'));
    expect(findings).toEqual([]);
    expect(spec).toMatchObject({
      name: 'prod',
      namespace: 'default',
      role: 'management',
      managementCluster: 'prod',
      provider: 'example',
      datacenter: { spec: { region: 'here' } },
      machines: { 'prod-cp': { spec: { size: 2 } }, 'prod-md': { metadata: { name: 'prod-md' } } },
      others: [],
    });
  });

  it('may have its documents in any order', () => {
    const documents = documentsOf();
    const { spec, findings } = readText([...documents].reverse().join('---\n'));
    expect(findings).toEqual([]);
    expect(spec).toEqual(readText(documents.join('---\n')).spec);
  });

  it('tells all that is wrong at once, with lines, in the order of the file', () => {
    const { spec, findings } = readText(`${head}kind: Cluster
metadata: {name: prod}
spec:
  kubernetesVersion: "1.31"
  controlPlaneConfiguration:
    count: "3"
    lables: {a: b}
  workerNodeGroupConfiguration: []
  datacenterRef: {kind: ExampleDatacenterConfig, name: prod}
---
${head}kind: ExampleDatacenterConfig
metadata: {name: prod}
spec:
  region: [a]
`);
    expect(spec).toBeUndefined();
    expect(
      findings.map(({ id, position, message, remedy }) => [id, position?.line, position?.field, message, remedy]),
    ).toEqual([
      ['spec.missing-field', 4, 'spec.clusterNetwork', 'it is missing', 'add it'],
      [
        'spec.wrong-type',
        7,
        'spec.controlPlaneConfiguration.count',
        'it is "3", and has to be a whole number',
        'take the quotes away, or correct the value',
      ],
      [
        'spec.unknown-field',
        8,
        'spec.controlPlaneConfiguration.lables',
        'there is no such field',
        'did you mean labels?',
      ],
      [
        'spec.unknown-field',
        9,
        'spec.workerNodeGroupConfiguration',
        'there is no such field',
        'did you mean workerNodeGroupConfigurations?',
      ],
      ['spec.wrong-type', 16, 'spec.region', 'it is a list, and has to be text', 'correct it'],
    ]);
  });

  it('looks at values although another document cannot be read', () => {
    const { findings } = readChanged(({ cluster, others }) => {
      cluster.spec.controlPlaneConfiguration.count = 2;
      Object.assign(others[0]!, { spec: { regoin: 1 } });
    });
    expect(summaries(findings)).toEqual([
      'problem spec.count spec.controlPlaneConfiguration.count',
      'problem spec.unknown-field spec.regoin',
    ]);
  });

  it('takes unquoted versions as they were written, and says what others read', () => {
    const text = documentsOf().join('---\n').replace('kubernetesVersion: "1.31"', 'kubernetesVersion: 1.30');
    const { spec, findings } = readText(text);
    expect(spec?.cluster.spec.kubernetesVersion).toBe('1.30');
    expect(findings).toMatchObject([
      {
        id: 'spec.unquoted',
        status: 'warning',
        message: 'without quotes YAML reads 1.30 as the number 1.3; it is taken as the text 1.30',
        remedy: 'write "1.30", so that all tools read the same',
        position: { field: 'spec.kubernetesVersion' },
      },
    ]);
  });

  it('counts empty fields as absent', () => {
    const { spec, findings } = readChanged(({ cluster }) => Object.assign(cluster.spec, { proxyConfiguration: null }));
    expect(findings).toEqual([]);
    expect(spec?.cluster.spec).not.toHaveProperty('proxyConfiguration');
  });

  it('leaves out what an API server wrote', () => {
    const { spec, findings } = readChanged(({ cluster }) => {
      Object.assign(cluster.metadata, { uid: 'a-b', resourceVersion: '12' });
      Object.assign(cluster, { status: { conditions: [] } });
    });
    expect(summaries(findings)).toEqual([
      'warning spec.server-field metadata.uid',
      'warning spec.server-field metadata.resourceVersion',
      'warning spec.server-field status',
    ]);
    expect(spec?.cluster).toEqual(exampleSpec().cluster);
  });

  it('says which fields nothing is done with', () => {
    const { findings } = readChanged(({ cluster }) => {
      cluster.spec.packages = { disable: true };
      cluster.spec.workerNodeGroupConfigurations![0]!.taints = [
        Object.assign({ key: 'a', effect: 'PreferNoSchedule' as const }, { timeAdded: '2026-01-01T00:00:00Z' }),
      ];
    });
    expect(summaries(findings).sort()).toEqual([
      'warning spec.inert spec.packages',
      'warning spec.inert spec.workerNodeGroupConfigurations[0].taints[0].timeAdded',
    ]);
  });

  it.each([
    ['', 'problem spec.yaml'],
    ['a: [', 'problem spec.yaml'],
    ['a: 1\na: 2', 'problem spec.yaml'],
    ['- 1', 'problem spec.missing-field kind'],
    ['kind: Cluster', 'problem spec.missing-field apiVersion'],
    [`${head}kind: Clutser\nmetadata: {name: a}`, 'problem spec.unknown-kind kind'],
    [`${head}kind: SnowMachineConfig\nmetadata: {name: a}`, 'problem spec.unknown-kind kind'],
    ['apiVersion: anywhere.eks.amazonaws.com/v1beta1\nkind: Cluster', 'problem spec.api-version apiVersion'],
    ['apiVersion: anywhere.eks.aws.com/v1alpha1\nkind: Cluster', 'problem spec.api-version apiVersion'],
    [`${head}kind: ExampleMachineConfig\nmetadata: {name: a}\nspec: {}`, 'problem spec.no-cluster'],
  ])('refuses %j', (text, summary) => {
    const { spec, findings } = readText(text);
    expect(spec).toBeUndefined();
    expect(summaries(findings)).toEqual([summary]);
    expect(findings[0]?.position).toMatchObject({ file: 'spec.yaml', line: expect.any(Number) });
  });

  it('says that a document for a newer API needs a newer Sealift', () => {
    const { findings } = readText(documentsOf().join('---\n').replace('/v1alpha1', '/v1beta1'));
    expect(findings).toMatchObject([
      {
        message:
          'this Sealift understands v1alpha1 of anywhere.eks.amazonaws.com, and the document is written for v1beta1',
        remedy: expect.stringContaining('use a newer Sealift'),
      },
    ]);
  });

  it('leaves other objects alone', () => {
    const { spec, findings } = readText(
      [...documentsOf(), 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n'].join('---\n'),
    );
    expect(spec).toBeDefined();
    expect(summaries(findings)).toEqual(['warning spec.other-document kind']);
  });

  it('describes one cluster, and everything once', () => {
    const [cluster, datacenter, ...machines] = documentsOf();
    const { findings } = readText([cluster, cluster, datacenter, datacenter, ...machines].join('---\n'));
    expect(summaries(findings).filter((line) => line.startsWith('problem'))).toEqual([
      'problem spec.duplicate metadata.name',
      'problem spec.duplicate metadata.name',
    ]);
  });

  it('never throws, whatever is in the file', () => {
    const words = ['apiVersion', 'kind', 'metadata', 'spec', 'name', 'Cluster', 'count', '__proto__', 'constructor'];
    const key = fc.constantFrom(...words);
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.dictionary(key, tie('node'), { maxKeys: 4 }),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    }));
    const whole = fc.record({ at: fc.nat(), from: fc.nat(), junk: node }).map(({ at, from, junk }) => {
      const documents = documentsOf();
      const text = documents.join('---\n');
      const start = from % text.length;
      return `${text.slice(0, start)}${JSON.stringify(junk)}${text.slice(start + (at % 40))}`;
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          node.map((value) => stringify(value)),
          whole,
        ),
        (text) => {
          const { spec, findings } = readText(text);
          expect(spec !== undefined || findings.some(({ status }) => status === 'problem')).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(whole, node, (text, junk) => {
        const { cluster, others } = exampleSpec();
        const changed = [{ ...cluster, spec: { ...cluster.spec, clusterNetwork: junk } }, ...others];
        readText(changed.map((document) => stringify(document)).join('---\n'));
        readText(text.replaceAll('prod', '&a'));
      }),
      { numRuns: 50 },
    );
  });

  it('may be bytes that are no text', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(readClusterSpec('spec.yaml', bytes, [exampleProvider]).findings).not.toEqual([]);
      }),
    );
  });
});

describe('references', () => {
  it('have to lead somewhere, and to the right kind', () => {
    const { findings } = readChanged(({ cluster, others }) => {
      cluster.spec.controlPlaneConfiguration.machineGroupRef = { kind: 'ExampleMachineConfig', name: 'prod-pc' };
      cluster.spec.workerNodeGroupConfigurations![0]!.machineGroupRef = {
        kind: 'ExampleDatacenterConfig',
        name: 'prod',
      };
      cluster.spec.gitOpsRef = { kind: 'FluxConfig', name: 'git' };
      others.pop();
    });
    expect(findings.map(({ status, message, remedy }) => [status, message, remedy])).toEqual([
      ['problem', 'it refers to ExampleMachineConfig prod-pc, which is not in the file', 'did you mean prod-cp?'],
      ['problem', 'it cannot refer to a ExampleDatacenterConfig', 'refer to a ExampleMachineConfig'],
      [
        'problem',
        'it refers to FluxConfig git, which is not in the file',
        'add it to the file, or correct the reference: the file has no FluxConfig',
      ],
      ['warning', 'nothing in the file refers to it; nothing is done with it', 'refer to it, or take it out'],
    ]);
  });

  it('choose the provider', () => {
    const { findings } = readChanged(({ cluster, others }) => {
      cluster.spec.datacenterRef.kind = 'SnowDatacenterConfig';
      others.shift();
    });
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'spec.provider', remedy: 'use one of ExampleDatacenterConfig' }),
    );
  });

  it('stay in one namespace', () => {
    const { spec, findings } = readChanged(({ cluster, others }) => {
      cluster.metadata.namespace = 'clusters';
      Object.assign(others[0]!, { metadata: { name: 'prod', namespace: 'default' } });
    });
    expect(spec).toBeUndefined();
    expect(summaries(findings)).toEqual(['problem spec.namespace metadata.namespace']);
  });

  it('find a GitOpsConfig, which is read as a FluxConfig', () => {
    const { spec, findings } = readChanged(({ cluster, others }) => {
      cluster.spec.gitOpsRef = { kind: 'GitOpsConfig', name: 'git' };
      const github = {
        owner: 'me',
        repository: 'fleet',
        branch: 'main',
        fluxSystemNamespace: 'flux',
        clusterConfigPath: '../up',
      };
      others.push(exampleDocument('GitOpsConfig', 'git', { flux: { github } }));
    });
    expect(spec?.gitOps).toMatchObject({
      kind: 'FluxConfig',
      spec: {
        systemNamespace: 'flux',
        branch: 'main',
        clusterConfigPath: '../up',
        github: { owner: 'me', repository: 'fleet' },
      },
    });
    expect(findings).toMatchObject([{ id: 'spec.flux', subject: 'FluxConfig git', position: { file: 'spec.yaml' } }]);
  });
});

describe('management and workload clusters', () => {
  it.each([
    [undefined, undefined, 'management', 'prod'],
    [undefined, 'prod', 'management', 'prod'],
    [undefined, 'mgmt', 'workload', 'mgmt'],
    [true, undefined, 'management', 'prod'],
    [true, 'prod', 'management', 'prod'],
    [false, undefined, 'workload', undefined],
    [false, 'mgmt', 'workload', 'mgmt'],
  ])('management %s and managementCluster %s is a %s cluster of %s', (management, manager, role, managementCluster) => {
    const { spec, findings } = readChanged(({ cluster }) => {
      if (management !== undefined) cluster.spec.management = management;
      if (manager !== undefined) cluster.spec.managementCluster = { name: manager };
    });
    expect(findings).toEqual([]);
    expect([spec?.role, spec?.managementCluster]).toEqual([role, managementCluster]);
  });

  it.each([
    [true, 'mgmt'],
    [false, 'prod'],
  ])('management %s contradicts managementCluster %s', (management, manager) => {
    const { spec, findings } = readChanged(({ cluster }) => {
      Object.assign(cluster.spec, { management, managementCluster: { name: manager } });
    });
    expect(spec).toBeUndefined();
    expect(summaries(findings)).toEqual(['problem spec.role spec.managementCluster.name']);
  });
});

describe('a provider', () => {
  it('is asked about the whole specification, and its findings get positions', () => {
    const finding = {
      id: 'example.size',
      status: 'problem' as const,
      subject: 'ExampleMachineConfig prod-cp',
      message: 'too small',
      remedy: '',
      path: ['spec', 'size'],
    };
    const strict = { ...exampleProvider, validateSpec: () => [finding] };
    const { spec, findings } = readText(documentsOf().join('---\n'), [strict]);
    expect(spec).toBeDefined();
    expect(findings).toMatchObject([{ ...finding, position: { line: 45, column: 3, field: 'spec.size' } }]);
  });
});
