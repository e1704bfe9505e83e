import { writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import type { ClusterSpec, KubernetesObject } from '../../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../../contracts/clusters.ts';
import type { ClusterAccess, PreflightRequest, ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { finder } from '../../../../core/clusters/spec/findings.ts';
import { readText } from '../../../../core/clusters/spec/testing.ts';
import { SealiftError } from '../../../../core/errors.ts';
import { generateCertificates, type Certificates } from '../../../../test/helpers/certificates.ts';
import { temporaryFolder, type TemporaryFolder } from '../../../../test/helpers/paths.ts';
import { freePort } from '../../../../core/server/free-port.ts';
import { run } from '../../../../test/helpers/processes.ts';
import { hasBmcEmulators } from '../../../../test/lab/bmc-emulators.ts';
import { startIpmi } from '../../../../test/lab/ipmi.ts';
import { startRedfish } from '../../../../test/lab/redfish.ts';
import type { BmcAnswer } from '../bmc/answer.ts';
import { tinkerbell } from '../index.ts';
import { specTemplate } from '../spec-template.ts';
import { answerRules } from './bmcs.ts';
import { imageFindings } from './images.ts';
import { addressFindings, isAddressUsed, portFindings } from './network.ts';
import { skippable } from './preflight.ts';

const heading = 'hostname,bmc_ip,bmc_username,bmc_password,mac,ip_address,netmask,gateway,nameservers,labels,disk';

let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder('preflight');
});
afterAll(() => folder.remove());

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Documents = Record<'cluster' | 'datacenter' | 'plane' | 'worker', any>;

function specAfter(change: (documents: Documents) => void): ClusterSpec {
  const objects = parseAllDocuments(specTemplate('prod')).map((document): Documents['cluster'] => document.toJS());
  const [cluster, datacenter, plane, worker] = objects.map(({ spec }) => spec);
  change({ cluster, datacenter, plane, worker });
  return readText(objects.map((object) => stringify(object)).join('---\n'), [tinkerbell]).spec!;
}

/** A line of the hardware list; the BMC is at 127.0.1.`index`. */
function line(index: number, type: string, password = 'secret'): string {
  const at = String(index);
  return `m${at},127.0.1.${at},admin,${password},00:00:00:00:00:0${at},10.0.0.${at},255.255.255.0,10.0.0.254,1.1.1.1,type=${type},/dev/sda`;
}

async function contextWith(
  lines: readonly string[] | undefined,
  env: ProviderContext['env'] = {},
): Promise<ProviderContext> {
  const hardwareCsv = join(folder.path, 'hardware.csv');
  if (lines !== undefined) await writeFile(hardwareCsv, [heading, ...lines, ''].join('\n'));
  return {
    env,
    scratch: folder.path,
    ...(lines === undefined ? {} : { hardwareCsv }),
    async run(command, args, options) {
      const { code, stdout, stderr } = await run(command, [...args], {
        env: { PATH: process.env['PATH'] ?? '', ...options?.env },
      });
      if (code === 0) return stdout;
      throw new SealiftError('ToolFailed', { side: 'local', operation: 'run', subject: command, message: stderr });
    },
    alive: () => undefined,
    warn: () => undefined,
  };
}

function only(...names: readonly (typeof skippable)[number][]): string[] {
  return skippable.filter((name) => !names.includes(name)).map((name) => `tinkerbell-${name}`);
}

function summary({ status, id, subject, position }: Finding): string {
  return [status, id, subject, ...(position === undefined ? [] : [`line ${position.line}`])].join(' ');
}

const small = specAfter(({ cluster }) => {
  cluster.controlPlaneConfiguration.count = 1;
  cluster.workerNodeGroupConfigurations[0].count = 1;
});

describe.skipIf(!hasBmcEmulators('preflight of BMCs'))('preflight asks every BMC', () => {
  let certificates: Certificates;
  beforeAll(async () => {
    certificates = await generateCertificates(folder.path);
  });

  it('and tells all faults at once, with lines', async () => {
    const [redfish, ipmi] = [await freePort(), await freePort()];
    const login = { user: 'admin', password: 'secret' };
    await using _one = await startRedfish({ ...login, host: '127.0.1.1', port: redfish, certificates });
    await using _two = await startRedfish({ ...login, host: '127.0.1.2', port: redfish, certificates, power: 'On' });
    await using _three = await startIpmi({ ...login, host: '127.0.1.3', port: ipmi });
    const lines = [
      line(1, 'cp'),
      line(2, 'cp'),
      line(3, 'worker'),
      line(1, 'cp', 'wrong').replace('m1', 'm4').replace('0:01', '0:04').replace('10.0.0.1,', '10.0.0.4,'),
      line(3, 'cp', 'wrong').replace('m3', 'm5').replace('0:03', '0:05').replace('10.0.0.3,', '10.0.0.5,'),
      line(6, 'cp').replace('/dev/sda', 'sda'),
      line(7, 'cp'),
    ];
    const env = { SEALIFT_BMC_REDFISH_PORT: String(redfish), SEALIFT_BMC_IPMI_PORT: String(ipmi) };
    const context = await contextWith(lines, env);
    const request: PreflightRequest = { spec: small, operation: 'create', skip: only('bmcs', 'hardware') };
    expect((await tinkerbell.preflight(request, context)).map(summary)).toEqual([
      'problem hardware.bmc-ip m4 line 5',
      'problem hardware.bmc-ip m5 line 6',
      'problem hardware.disk m6 line 7',
      'warning tinkerbell.bmc-unverified hardware list',
      'warning tinkerbell.power m2 line 3',
      'problem tinkerbell.bmc-silent m7 line 8',
    ]);
    const wrong = await contextWith([line(1, 'cp', 'wrong'), line(3, 'worker', 'wrong')], env);
    const findings = await tinkerbell.preflight(request, wrong);
    expect(findings.map(summary).slice(1)).toEqual([
      'problem tinkerbell.bmc-refused m1 line 2',
      'problem tinkerbell.bmc-refused m3 line 3',
    ]);
    expect(JSON.stringify(findings)).not.toMatch(/secret|wrong/);
  });
});

describe('what a BMC answers', () => {
  const answers = { kind: 'answers', protocol: 'Redfish', power: 'off' } as const;

  it.each<[BmcAnswer, string, string[]]>([
    [answers, 'Pxe', []],
    [{ ...answers, bootTargets: ['Pxe', 'Hdd'] }, 'Pxe', []],
    [{ ...answers, bootTargets: ['Hdd'] }, 'Pxe', ['problem tinkerbell.bmc-boot m']],
    [{ ...answers, bootTargets: ['Pxe'] }, 'Cd', ['problem tinkerbell.bmc-boot m']],
    [
      { ...answers, power: 'on', bootTargets: [] },
      'Cd',
      ['problem tinkerbell.bmc-boot m', 'warning tinkerbell.power m'],
    ],
    [{ kind: 'untrusted', detail: 'self-signed' }, 'Pxe', ['problem tinkerbell.bmc-untrusted m']],
  ])('%j, wanted to boot from %s', (answer, bootTarget, expected) => {
    const findings: Finding[] = [];
    answerRules(answer, finder(findings, 'm', 'tinkerbell'), { bootTarget, installs: true });
    expect(findings.map(summary)).toEqual(expected);
  });
});

describe('preflight of hardware', () => {
  const hardware = async (request: Omit<PreflightRequest, 'skip'>, lines?: readonly string[]): Promise<string[]> =>
    (await tinkerbell.preflight({ ...request, skip: only('hardware') }, await contextWith(lines))).map(summary);

  it('wants a list, and one machine more of each kind to upgrade', async () => {
    expect(await hardware({ spec: small, operation: 'create' })).toEqual(['problem tinkerbell.hardware Cluster prod']);
    expect(await hardware({ spec: small, operation: 'upgrade' })).toEqual(['warning tinkerbell.hardware Cluster prod']);
    const lines = [line(1, 'cp'), line(2, 'worker'), line(3, 'worker')];
    expect(await hardware({ spec: small, operation: 'create' }, lines)).toEqual([]);
    expect(await hardware({ spec: small, operation: 'upgrade' }, lines)).toEqual([
      'problem tinkerbell.hardware TinkerbellMachineConfig prod-cp',
    ]);
    expect(await hardware({ spec: small, operation: 'upgrade', previous: small }, lines)).toEqual([]);
    expect(await hardware({ spec: small, operation: 'delete' }, [])).toEqual([
      'problem hardware.file ' + join(folder.path, 'hardware.csv') + ' line 1',
    ]);
  });

  it('counts what the management cluster has, but not what other clusters have of it', async () => {
    const owned = (name: string, type: string, owner?: string): KubernetesObject => ({
      ...{ apiVersion: 'tinkerbell.org/v1alpha1', kind: 'Hardware' },
      metadata: {
        name,
        labels: { type, ...(owner === undefined ? {} : { 'v1alpha1.tinkerbell.org/ownerName': owner }) },
      },
    });
    const machine = { apiVersion: '', kind: 'TinkerbellMachine', metadata: { name: 'prod-cp-1' }, spec: {} };
    const management = managementWith({
      Hardware: [owned('m1', 'cp', 'prod-cp-1'), owned('m8', 'cp', 'other-cp-1'), owned('m9', 'worker')],
      TinkerbellMachine: [machine],
    });
    const upgrade = { spec: small, operation: 'upgrade', management } as const;
    expect(await hardware(upgrade)).toEqual([
      'problem tinkerbell.hardware TinkerbellMachineConfig prod-cp',
      'problem tinkerbell.hardware TinkerbellMachineConfig prod-md',
    ]);
    expect(await hardware(upgrade, [line(1, 'cp'), line(2, 'cp'), line(3, 'worker')])).toEqual([]);
  });
});

function managementWith(objects: Record<string, KubernetesObject[]>): ClusterAccess {
  const list: ClusterAccess['list'] = ({ kind }) => Promise.resolve(objects[kind] ?? []);
  return { list } as Partial<ClusterAccess> as ClusterAccess;
}

function withBootstrapAddress(address: string, spec: ClusterSpec): ClusterSpec {
  const annotations = { 'anywhere.eks.amazonaws.com/tinkerbell-bootstrap-ip': address };
  return { ...spec, cluster: { ...spec.cluster, metadata: { ...spec.cluster.metadata, annotations } } };
}

describe('preflight of the network', () => {
  it('finds addresses that are used', async () => {
    expect(await isAddressUsed('127.0.0.1')).toBe(true);
    const path = ['spec', 'tinkerbellIP'];
    const wanted = ['192.0.2.1', '192.0.2.2'].map((address) => ({ address, subject: address, path }));
    const findings = await addressFindings(wanted, (address) => Promise.resolve(address === '192.0.2.2'));
    expect(findings.map(summary)).toEqual(['problem tinkerbell.address-used 192.0.2.2']);
  });

  it('asks for the address of Tinkerbell only where it is new', async () => {
    const spec = withBootstrapAddress(
      '127.0.0.3',
      specAfter(({ cluster, datacenter }) => {
        cluster.controlPlaneConfiguration.endpoint.host = '127.0.0.1';
        datacenter.tinkerbellIP = '127.0.0.2';
      }),
    );
    const skip = only('addresses');
    const context = await contextWith(undefined);
    const used = async (one: ClusterSpec, operation: 'create' | 'upgrade'): Promise<string[]> =>
      (await tinkerbell.preflight({ spec: one, operation, skip }, context)).map(({ subject }) => subject);
    expect(await used(spec, 'create')).toEqual(['Cluster prod', 'TinkerbellDatacenterConfig prod']);
    expect(await used({ ...spec, role: 'workload' }, 'create')).toEqual(['Cluster prod']);
    expect(await used(spec, 'upgrade')).toEqual([]);
  });

  it('wants to be told where Tinkerbell answers before there is a management cluster, and nowhere else', async () => {
    const spec = specAfter(({ cluster, datacenter }) => {
      cluster.controlPlaneConfiguration.endpoint.host = '192.0.2.1';
      datacenter.tinkerbellIP = '192.0.2.2';
    });
    const context = await contextWith(undefined);
    const found = async (one: ClusterSpec, operation: 'create' | 'delete' = 'create'): Promise<string[]> =>
      (await tinkerbell.preflight({ spec: one, operation, skip: only('addresses') }, context))
        .map(summary)
        // whether anything answers there is another question
        .filter((line) => !line.includes('address-used'));
    const wrong = ['problem tinkerbell.bootstrap-address Cluster prod'];
    const asked: [Promise<string[]>, string[]][] = [
      [found(spec), wrong],
      [found(withBootstrapAddress('192.0.2.2', spec)), wrong],
      [found(withBootstrapAddress('node-1', spec)), wrong],
      [found(withBootstrapAddress('192.0.2.3', spec)), []],
      [found({ ...spec, role: 'workload' }), []],
      [found(spec, 'delete'), []],
    ];
    expect(await Promise.all(asked.map(([one]) => one))).toEqual(asked.map(([, expected]) => expected));
  });

  it('finds ports of Tinkerbell that are taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      expect((await portFindings([port])).map(summary)).toEqual([`problem tinkerbell.port port ${port}`]);
    } finally {
      server.close();
    }
    expect(await portFindings([await freePort()])).toEqual([]);
  });
});

describe('preflight of images', () => {
  it('asks for each that is named', async () => {
    const asked: string[] = [];
    const server = createHttpServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.statusCode = request.url!.includes('initramfs') ? 404 : 200;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const away = `http://127.0.0.1:${await freePort()}`;
    try {
      const findings = await imageFindings(
        specAfter(({ datacenter, plane, worker }) => {
          delete datacenter.osImageURL;
          plane.osImageURL = `http://127.0.0.1:${port}/ubuntu-1.34.gz`;
          worker.osImageURL = `${away}/ubuntu-1.34.gz`;
          datacenter.hookImagesURLPath = `http://127.0.0.1:${port}/hook/`;
        }),
      );
      expect(findings.map(summary)).toEqual([
        'problem tinkerbell.image TinkerbellDatacenterConfig prod',
        'warning tinkerbell.image TinkerbellMachineConfig prod-md',
      ]);
      expect(asked.sort()).toEqual([
        'HEAD /hook/initramfs-x86_64',
        'HEAD /hook/vmlinuz-x86_64',
        'HEAD /ubuntu-1.34.gz',
      ]);
    } finally {
      server.close();
    }
  });

  it('tells of those that are named nowhere', async () => {
    const spec = specAfter(({ cluster, datacenter, plane, worker }) => {
      cluster.kubernetesVersion = '1.28';
      cluster.registryMirrorConfiguration = { endpoint: 'mirror.local' };
      delete datacenter.osImageURL;
      delete datacenter.hookImagesURLPath;
      plane.osFamily = worker.osFamily = 'bottlerocket';
    });
    expect((await imageFindings(spec)).map(summary)).toEqual([
      'warning tinkerbell.hook TinkerbellDatacenterConfig prod',
      'problem tinkerbell.template TinkerbellMachineConfig prod-cp',
      'problem tinkerbell.template TinkerbellMachineConfig prod-md',
    ]);
  });
});
