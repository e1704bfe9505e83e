import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import type { ClusterSpec, KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type {
  ClusterOperation,
  NodeImages,
  ProviderContext,
  ProviderPlugin,
  ProviderStack,
} from '../../contracts/provider-plugin.ts';
import { CLUSTER_NAMESPACE } from '../../core/clusters/render/names.ts';
import type { ReadSpec } from '../../core/clusters/spec/read-spec.ts';
import { readText } from '../../core/clusters/spec/testing.ts';
import { toolRunner } from '../../core/host/run-tool.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Fields = Record<string, any>;
type Change = (cluster: Fields, others: Fields[]) => void;

const operations: ClusterOperation[] = ['create', 'upgrade', 'delete'];
/** As many characters as a cluster's name may have. */
const longName = 'a-name-with-thirtyfive-characters-x';
/** What stands for a password wherever a plugin may have one from. */
const secret = 'conformance-secret-value';
const images: NodeImages = {
  kubernetesRepository: 'origin.test/img/kubernetes',
  etcd: { repository: 'origin.test/img/etcd', tag: 'v3' },
  coreDns: { repository: 'origin.test/img/coredns', tag: 'v1' },
  kubeVip: 'origin.test/img/kube-vip:v1',
  cloudProvider: 'origin.test/img/cloud-provider:v1',
};
const stack: ProviderStack = {
  images: { services: 'origin.test/img/s:v1', interface: 'origin.test/img/i:v1', loadBalancer: 'origin.test/img/l:v1' },
  installer: { files: 'https://origin.test/files', iso: 'https://origin.test/files/boot.iso' },
};
const hardwareCsv = `hostname,bmc_ip,bmc_username,bmc_password,mac,ip_address,netmask,gateway,nameservers,labels,disk
one,127.0.0.2,admin,${secret},00:00:00:00:00:01,10.0.0.1,255.255.255.0,10.0.0.254,1.1.1.1,type=cp,/dev/sda
two,127.0.0.3,admin,${secret},00:00:00:00:00:02,10.0.0.2,255.255.255.0,10.0.0.254,1.1.1.1,type=worker,/dev/sda
`;

/** The rules every provider plugin keeps, run over the specification that it begins with. */
export function providerConformance(plugin: ProviderPlugin, folder: string): void {
  let scratch: string;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'sealift-provider-'));
    await writeFile(join(scratch, 'hardware.csv'), hardwareCsv);
  });
  afterAll(() => rm(scratch, { recursive: true }));

  /** No program is there, and every variable that may hold a password holds one. */
  const context = (): ProviderContext => ({
    env: secretEnvironment(),
    scratch,
    hardwareCsv: join(scratch, 'hardware.csv'),
    run: toolRunner([], { PATH: '/nonexistent' }),
    alive: () => undefined,
    warn: () => undefined,
  });
  const read = (change: Change = () => undefined, name = 'prod'): ReadSpec => {
    const [cluster, ...others] = parseAllDocuments(plugin.specTemplate(name)).map(
      (document) => document.toJS() as { spec: Fields },
    );
    change(
      cluster?.spec ?? {},
      others.map(({ spec }) => spec),
    );
    return readText([cluster, ...others].map((document) => stringify(document)).join('---\n'), [plugin]);
  };
  const specAfter = (change?: Change, name?: string): ClusterSpec => {
    const { spec, findings } = read(change, name);
    if (spec === undefined) throw new Error(`not a specification: ${JSON.stringify(findings)}`);
    return frozen(spec);
  };
  const render = (spec: ClusterSpec, kubernetesVersion = 'v1.34.2'): KubernetesObject[] =>
    plugin.render(frozen({ spec, kubernetesVersion, images }));

  it('has a README, and says what it is', async () => {
    const names = await readdir(folder);
    expect(names).toEqual(expect.arrayContaining(['README.md', 'index.ts', 'schema.ts', 'spec-template.ts']));
    expect(await readFile(join(folder, 'README.md'), 'utf8')).toMatch(new RegExp(`^# ${plugin.name}\n`));
    expect(plugin.summary).toMatch(/^[^\n]{10,120}$/);
  });

  it.each(['prod', 'n', longName])('begins with a specification (%s) that is right', (name) => {
    const { spec, findings } = readText(plugin.specTemplate(name), [plugin]);
    expect(findings.filter(({ status }) => status === 'problem')).toEqual([]);
    expect(spec).toMatchObject({ name, role: 'management', provider: plugin.name });
    expect(plugin.specTemplate(name)).toBe(plugin.specTemplate(name));
  });

  it('knows which fields its documents have', () => {
    for (const index of parseAllDocuments(plugin.specTemplate('prod')).keys()) {
      if (index === 0) continue;
      const { findings } = read((_cluster, others) => (others[index - 1]!['noSuchField'] = 1));
      const found = findings.map(({ id, position }) => `${id} ${position?.field}`);
      expect(found, `document ${index}`).toContain('spec.unknown-field spec.noSuchField');
    }
  });

  it('says what to do about every problem, whatever is wrong in a field', () => {
    const faults: Finding[] = [];
    for (const [index, fields] of ownFields(plugin).entries()) {
      for (const field of fields) {
        for (const value of ['', 'no such value', -1, [], {}, undefined]) {
          const { findings } = read((_cluster, others) => (others[index]![field] = value));
          faults.push(...findings);
        }
      }
    }
    const problems = faults.filter(({ status }) => status === 'problem');
    expect(problems).not.toEqual([]);
    expect(
      problems.filter(({ message, remedy, id }) => message === '' || remedy === '' || !/^[a-z-]+\.[a-z-]+$/.test(id)),
    ).toEqual([]);
  });

  it('asks nobody and changes nothing to judge, plan and render', () => {
    const before = specAfter();
    const next = before.cluster.spec.kubernetesVersion.replace(/\d+$/, (minor) => String(Number(minor) + 1));
    const after = specAfter((cluster) => (cluster['kubernetesVersion'] = next));
    expect(plugin.validateSpec(after, before)).toEqual(plugin.validateSpec(after, before));
    expect(plugin.validateSpec(before, before).filter(({ status }) => status === 'problem')).toEqual([]);
    expect(plugin.upgradePlan(before, before)).toEqual([]);
    const steps = plugin.upgradePlan(before, after);
    expect(steps).toEqual(plugin.upgradePlan(before, after));
    expect(steps[0]).toMatchObject({ subject: 'control plane', reason: expect.stringContaining(next) });
    expect(render(before)).toEqual(render(before));
    for (const place of ['bootstrap', 'self'] as const) {
      const request = frozen({ spec: before, place, stack });
      expect(plugin.charts?.(request)).toEqual(plugin.charts?.(request));
    }
    for (const operation of operations) expect(plugin.needsBootstrap(operation, before)).toBeTypeOf('boolean');
  });

  it.each(['prod', longName])('renders a whole cluster (%s): every reference leads to an object', (name) => {
    const objects = render(specAfter(undefined, name));
    const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(keys).size, 'objects twice').toBe(keys.length);
    expect(keys).toEqual(expect.arrayContaining([`Cluster ${name}`, `KubeadmControlPlane ${name}`]));
    const references = objects.flatMap(({ kind, spec }: Fields) => referencesIn(spec as Fields, kind as string));
    expect(references.length).toBeGreaterThanOrEqual(5);
    expect(references.filter((reference) => !keys.includes(reference))).toEqual([]);
    for (const { kind, metadata } of objects) {
      expect(metadata.namespace, `namespace of ${kind} ${metadata.name}`).toBe(CLUSTER_NAMESPACE);
      if (kind.endsWith('Template')) expect(metadata.name.length, metadata.name).toBeLessThanOrEqual(63 - 11);
    }
  });

  it('renames a template when, and only when, its content changes', () => {
    const variants = [
      render(specAfter()),
      render(specAfter(), 'v1.35.0'),
      render(specAfter((cluster) => (cluster['controlPlaneConfiguration'].count = 5))),
      render(specAfter((cluster) => (cluster['workerNodeGroupConfigurations'][0].count = 7))),
      render(specAfter((cluster) => (cluster['controlPlaneConfiguration'].labels = { a: 'b' }))),
      render(specAfter((cluster) => (cluster['registryMirrorConfiguration'] = { endpoint: 'mirror.test' }))),
      render(specAfter((_cluster, others) => others.forEach((one) => renameUser(one)))),
    ];
    const contents = new Map<string, string>();
    const names = new Map<string, string>();
    const templates = variants.flat().filter(({ kind }) => kind.endsWith('Template'));
    for (const { kind, metadata, ...rest } of templates) {
      const { labels, annotations } = metadata;
      const content = JSON.stringify([kind, labels, annotations, rest]);
      const name = `${kind} ${metadata.name}`;
      const base = `${kind} ${metadata.name.replace(/-[0-9a-f]+$/, '')} ${content}`;
      expect(contents.get(name) ?? content, `content of ${name}`).toBe(content);
      expect(names.get(base) ?? name, 'two names of one content').toBe(name);
      contents.set(name, content);
      names.set(base, name);
    }
    const [first, , counted] = variants.map((objects) => objects.map(({ metadata }) => metadata.name));
    expect(counted, 'more machines are no other machines').toEqual(first);
  });

  it('names images in the mirror only', () => {
    const mirror = {
      endpoint: 'mirror.test',
      port: '5000',
      ociNamespaces: [{ registry: 'origin.test', namespace: 'mirrored' }],
    };
    const text = JSON.stringify(render(specAfter((cluster) => (cluster['registryMirrorConfiguration'] = mirror))));
    expect(text).toContain('mirror.test:5000/mirrored/img/kubernetes');
    expect(text.match(/origin\.test\/img[^"\\]*/g)).toBeNull();
  });

  it('names its charts by an object of theirs, a Deployment where nodes are to run something', () => {
    const spec = specAfter();
    const charts = plugin.charts?.({ spec, place: 'self', stack }) ?? [];
    expect(new Set(charts.map(({ chart }) => chart)).size, 'charts twice').toBe(charts.length);
    for (const { chart, name, mark } of charts) {
      expect(name).toMatch(/^[a-z][a-z0-9-]+$/);
      expect(mark.kind, name).toBe(chart === 'services' ? 'Deployment' : 'CustomResourceDefinition');
    }
  });

  it('has passwords in Secrets only, and takes those along in a move', async () => {
    const spec = specAfter();
    expect(JSON.stringify([render(spec), plugin.upgradePlan(spec, spec), plugin.validateSpec(spec)])).not.toContain(
      secret,
    );
    expect(JSON.stringify(plugin.charts?.({ spec, place: 'self', stack }) ?? [])).not.toContain(secret);
    const objects = [
      ...(await plugin.credentials(spec, context())),
      ...(await plugin.bootstrapPrereqs(spec, context())),
    ];
    expect(JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'))).not.toContain(secret);
    const stay = objects.filter(
      ({ kind, metadata }) => kind === 'Secret' && !('clusterctl.cluster.x-k8s.io/move' in (metadata.labels ?? {})),
    );
    expect(
      stay.map(({ metadata }) => metadata.name),
      'Secrets that a move leaves behind',
    ).toEqual([]);
  });

  it('says what to do when nothing is there to make machines with, and tells no password', async () => {
    const nowhere = plugin.specTemplate('prod').replaceAll('vcenter.example.com', '127.0.0.1:1');
    const { spec } = readText(nowhere.replaceAll('192.0.2.', '127.0.0.'), [plugin]);
    const request = { spec: spec!, operation: 'create' as const, skip: [] };
    const findings = await plugin.preflight(request, context());
    expect(findings.filter(({ status, remedy }) => status === 'problem' && remedy === '')).toEqual([]);
    expect(JSON.stringify(findings)).not.toContain(secret);
  });

  it('names the provider of Cluster API, and the programs of its images', () => {
    const { name, namespace, programs } = plugin.capi(specAfter(), context());
    expect(name).toMatch(/^[a-z]+$/);
    expect(namespace).toMatch(/^cap[a-z]+-system$/);
    expect(Object.values(programs).map(({ binary }) => binary)).not.toEqual([]);
  });
}

/** Top-level fields of each of the plugin's own documents. */
function ownFields(plugin: ProviderPlugin): string[][] {
  const [, ...documents] = parseAllDocuments(plugin.specTemplate('prod')).map(
    (document) => document.toJS() as { spec: Fields },
  );
  return documents.map(({ spec }) => Object.keys(spec));
}

/** `Kind name` of everything that an object of Cluster API refers to among the objects of its cluster. */
function referencesIn(value: unknown, kind: string, key = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { kind: referred, name } = value as Fields;
  if (key.endsWith('Ref') && typeof referred === 'string' && typeof name === 'string') {
    // the Secret of an identity is made with the credentials
    return referred === 'Secret' ? [] : [`${referred} ${name}`];
  }
  return Object.entries(value).flatMap(([inner, one]) => referencesIn(one, kind, inner));
}

function renameUser(fields: Fields): void {
  const users = fields['users'] as { name: string }[] | undefined;
  if (users?.[0] !== undefined) users[0].name = 'somebody';
}

function secretEnvironment(): ProviderContext['env'] {
  return new Proxy<ProviderContext['env']>(
    {},
    {
      get: (_target, name) => {
        if (/PASSWORD|PASSPHRASE|TOKEN|SECRET/.test(String(name))) return secret;
        return String(name).includes('USER') ? 'somebody' : undefined;
      },
    },
  );
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) frozen(inner);
    Object.freeze(value);
  }
  return value;
}
