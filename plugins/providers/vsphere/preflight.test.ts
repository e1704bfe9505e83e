import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import type { PreflightRequest, ProviderContext } from '../../../contracts/provider-plugin.ts';
import { toolRunner } from '../../../core/host/run-tool.ts';
import { generateCertificates } from '../../../test/helpers/certificates.ts';
import { temporaryFolder, toolsFolder, type TemporaryFolder } from '../../../test/helpers/paths.ts';
import { makeTemplate, startVcsim, vcsimUnavailable, withoutPrivileges, type Vcsim } from '../../../test/lab/vcsim.ts';
import { vsphere } from './index.ts';
import { contextInVcsim, specInVcsim, type Documents, type SeenRun } from './testing.ts';

const unavailable = await vcsimUnavailable();
const template = '/DC0/vm/Templates/ubuntu-2204-kube-1.34';
const unknownTag = 'urn:vmomi:InventoryServiceTag:00000000-0000-0000-0000-000000000000:GLOBAL';

describe.skipIf(unavailable !== undefined)(`preflight on a simulated vCenter ${unavailable ?? ''}`, () => {
  let vcsim: Vcsim;
  let folder: TemporaryFolder;
  const runs: SeenRun[] = [];

  beforeAll(async () => {
    [vcsim, folder] = await Promise.all([startVcsim(), temporaryFolder('vsphere')]);
    await makeTemplate(vcsim, {
      path: template,
      diskGiB: 20,
      tags: ['os:ubuntu', 'eksdRelease:kubernetes-1-34-eks-4'],
    });
    await makeTemplate(vcsim, { path: '/DC0/vm/Other/plain', diskGiB: 40, snapshot: false, template: false });
    await makeTemplate(vcsim, { path: '/DC0/vm/Other/redhat-kube-v1.33', diskGiB: 20, tags: ['os:redhat'] });
    await vcsim.govc('folder.create', '/DC0/vm/Kubernetes');
  });
  afterAll(async () => {
    await vcsim.stop();
    await folder.remove();
  });

  const specAfter = (change?: (documents: Documents) => void, server = vcsim.server): ClusterSpec =>
    specInVcsim({ server, sha256: vcsim.sha256 }, template, change);

  function contextWith(env: Record<string, string> = {}): ProviderContext {
    const context = contextInVcsim(vcsim, { scratch: folder.path, tools: toolsFolder }, runs);
    return { ...context, env: { ...context.env, ...env } };
  }

  async function preflight(
    spec: ClusterSpec,
    { context = contextWith(), ...request }: Partial<PreflightRequest> & { context?: ProviderContext } = {},
  ): Promise<Finding[]> {
    const findings = await vsphere.preflight({ spec, operation: 'create', skip: [], ...request }, context);
    const text = JSON.stringify([findings, runs]);
    expect(text, 'the password is in no finding and on no command line').not.toContain(vcsim.user.password);
    const open = findings.filter(({ status, remedy }) => status === 'problem' && remedy === '');
    expect(open, 'problems without a remedy').toEqual([]);
    return findings;
  }

  function told(findings: readonly Finding[]): string[] {
    return findings.map(({ status, id, subject, path }) => `${status} ${id} ${subject} ${path?.join('.')}`).sort();
  }

  const ids = (findings: readonly Finding[]): string[] => findings.map(({ id }) => id).sort();

  it('has nothing to say where all is as it should be, by SHA-256 and by SHA-1, in small letters too', async () => {
    expect(await preflight(specAfter())).toEqual([]);
    expect(await preflight(specAfter(({ datacenter }) => (datacenter.thumbprint = vcsim.sha1)))).toEqual([]);
    const small = specAfter(({ datacenter }) => (datacenter.thumbprint = vcsim.sha256.toLowerCase()));
    expect(await preflight(small)).toEqual([]);
  });

  it('takes GOVC_* for the user, and lets nothing else of govc in', async () => {
    const context = contextWith({ GOVC_USERNAME: vcsim.user.name, GOVC_PASSWORD: vcsim.user.password });
    context.env = { ...context.env, EKSA_VSPHERE_USERNAME: undefined, GOVC_INSECURE: 'true', GOVC_URL: 'elsewhere' };
    expect(await preflight(specAfter(), { context })).toEqual([]);
  });

  it('finds that there are no credentials, and still looks at the certificate', async () => {
    const context = { ...contextWith(), env: {} };
    const wrong = specAfter(({ datacenter }) => (datacenter.thumbprint = Array(20).fill('00').join(':')));
    expect(ids(await preflight(wrong, { context }))).toEqual(['vsphere.certificate', 'vsphere.credentials']);
  });

  it('finds nobody at the address', async () => {
    const [finding, ...others] = await preflight(specAfter(undefined, '127.0.0.1:1'));
    expect(finding).toMatchObject({ id: 'vsphere.unreachable', path: ['spec', 'server'] });
    expect(others).toEqual([]);
  });

  it.each([20, 32])('finds a wrong pin of %i bytes, and sends no password there', async (length) => {
    const pin = Array(length).fill('00').join(':');
    const before = runs.length;
    const findings = await preflight(specAfter(({ datacenter }) => (datacenter.thumbprint = pin)));
    const actual = length === 20 ? vcsim.sha1 : vcsim.sha256;
    expect(findings).toEqual([
      expect.objectContaining({ id: 'vsphere.certificate', message: expect.stringContaining(actual) }),
    ]);
    expect(runs.slice(before)).toEqual([]);
  });

  it('without a pin, finds a certificate that nobody vouches for, and names its pin', async () => {
    const findings = await preflight(specAfter(({ datacenter }) => delete datacenter.thumbprint));
    expect(findings).toEqual([
      expect.objectContaining({ id: 'vsphere.certificate', remedy: expect.stringContaining(vcsim.sha256) }),
    ]);
  });

  it('finds a certificate that is not valid any more, although it has the thumbprint', async () => {
    const { certificate, key } = await generateCertificates(folder.path, -1);
    const cert = await readFile(certificate);
    const server = createServer({ cert, key: await readFile(key) }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const pinned = specAfter(({ datacenter }) => (datacenter.thumbprint = new X509Certificate(cert).fingerprint));
    pinned.datacenter.spec['server'] = `127.0.0.1:${port}`;
    expect(ids(await preflight(pinned))).toEqual(['vsphere.certificate-expired']);
    server.close();
  });

  it('checks no certificate where the specification says so', async () => {
    const careless = specAfter(({ datacenter }) => {
      datacenter.insecure = true;
      datacenter.thumbprint = Array(20).fill('00').join(':');
    });
    expect(await preflight(careless)).toEqual([]);
  });

  it('finds a wrong password although the right one has just worked', async () => {
    expect(await preflight(specAfter())).toEqual([]);
    const context = contextWith({ EKSA_VSPHERE_PASSWORD: 'wrong' });
    expect(told(await preflight(specAfter(), { context }))).toEqual([
      'problem vsphere.login VSphereDatacenterConfig prod spec.server',
    ]);
  });

  it('finds that govc is missing', async () => {
    const context = contextWith();
    context.run = toolRunner([], { PATH: '/nonexistent' });
    expect(ids(await preflight(specAfter(), { context }))).toEqual(['vsphere.govc']);
  });

  it('finds a missing datacenter', async () => {
    const elsewhere = specAfter(({ datacenter, plane, worker }) => {
      Object.assign(datacenter, { datacenter: 'DC1', network: 'VM Network' });
      for (const machine of [plane, worker]) Object.assign(machine, { template: 'a', folder: 'b', datastore: 'c' });
    });
    const [finding] = await preflight(elsewhere);
    expect(finding).toMatchObject({ id: 'vsphere.datacenter-missing', remedy: expect.stringContaining('DC0') });
    expect(await preflight(elsewhere, { operation: 'delete' }), 'what is deleted').toHaveLength(1);
  });

  it('finds all that is missing at once', async () => {
    const findings = await preflight(
      specAfter(({ datacenter, plane, worker }) => {
        datacenter.network = '/DC0/network/None';
        Object.assign(plane, { resourcePool: '*/None', template: '/DC0/vm/Templates/none', folder: 'Nowhere' });
        Object.assign(worker, { datastore: 'None', folder: '/DC0/vm/Kubernetes/new/deep', tags: [unknownTag] });
        worker.storagePolicyName = 'None';
      }),
    );
    expect(told(findings)).toEqual([
      'problem vsphere.datastore-missing VSphereMachineConfig prod-md spec.datastore',
      'problem vsphere.folder-missing VSphereMachineConfig prod-cp spec.folder',
      'problem vsphere.network-missing VSphereDatacenterConfig prod spec.network',
      'problem vsphere.resource-pool-missing VSphereMachineConfig prod-cp spec.resourcePool',
      'problem vsphere.storage-policy-missing VSphereMachineConfig prod-md spec.storagePolicyName',
      'problem vsphere.tag-missing VSphereMachineConfig prod-md spec.tags.0',
      'problem vsphere.template-missing VSphereMachineConfig prod-cp spec.template',
      'warning vsphere.folder-missing VSphereMachineConfig prod-md spec.folder',
    ]);
  });

  it('finds that a pool means several', async () => {
    const one = specAfter(({ plane }) => (plane.resourcePool = '*/Resources*'));
    expect(await preflight(one)).toEqual([]);
    const several = specAfter(({ plane }) => (plane.resourcePool = '*'));
    expect(await preflight(several)).toEqual([
      expect.objectContaining({
        id: 'vsphere.resource-pool-ambiguous',
        message: expect.stringContaining('DC0_C0_RP1'),
      }),
    ]);
  });

  it('finds a full datastore: all machines for a new cluster, one machine more for an upgrade', async () => {
    const large = specAfter(({ cluster, worker }) => {
      cluster.workerNodeGroupConfigurations[0].count = 3;
      worker.diskGiB = 700;
    });
    const [finding, ...others] = await preflight(large);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ id: 'vsphere.datastore-full', path: ['spec', 'datastore'] });
    expect(finding?.message).toMatch(/need 2\d\d\d GiB on \/DC0\/datastore\/LocalDS_0, and 1\d\d\d GiB are free/);
    expect(await preflight(large, { operation: 'upgrade', previous: large })).toEqual([]);
  });

  it.each<[string, (documents: Documents) => void, string[]]>([
    [
      'what is no template and has a larger disk',
      ({ worker }) => (worker.template = 'plain'),
      ['vsphere.template-disk', 'vsphere.template-kind', 'vsphere.template-version'],
    ],
    [
      'a linked clone of what has no snapshot',
      ({ worker }) => Object.assign(worker, { template: 'plain', cloneMode: 'linkedClone', diskGiB: 40 }),
      ['vsphere.template-kind', 'vsphere.template-snapshot', 'vsphere.template-version'],
    ],
    [
      'a linked clone of another size',
      ({ worker }) => Object.assign(worker, { cloneMode: 'linkedClone', diskGiB: 30 }),
      ['vsphere.template-disk'],
    ],
    [
      'another operating system, and another Kubernetes by its name',
      ({ worker }) => (worker.template = 'redhat-kube-v1.33'),
      ['vsphere.template-os', 'vsphere.template-version'],
    ],
    [
      'another Kubernetes by its tags',
      ({ cluster }) => (cluster.kubernetesVersion = '1.33'),
      ['vsphere.template-version', 'vsphere.template-version'],
    ],
  ])('finds %s', async (_name, change, expected) => {
    expect(ids(await preflight(specAfter(change)))).toEqual(expected);
  });

  it('knows that a worker group may have an older Kubernetes', async () => {
    const older = specAfter(({ cluster, worker }) => {
      cluster.workerNodeGroupConfigurations[0].kubernetesVersion = '1.33';
      Object.assign(worker, { template: 'redhat-kube-v1.33', osFamily: 'redhat' });
    });
    expect(await preflight(older)).toEqual([]);
  });

  it('looks at the places of a failure domain', async () => {
    const domain = { name: 'a', computeCluster: 'DC0_C1', resourcePool: 'DC0_C0_RP1', datastore: 'None' };
    const inDomain = specAfter(({ cluster, datacenter }) => {
      datacenter.failureDomains = [{ ...domain, folder: '/DC0/vm/Kubernetes', network: 'DC0_DVPG0' }];
      cluster.workerNodeGroupConfigurations[0].failureDomains = ['a'];
    });
    expect(told(await preflight(inDomain))).toEqual([
      'problem vsphere.compute-cluster-missing VSphereDatacenterConfig prod spec.failureDomains.0.computeCluster',
      'problem vsphere.datastore-missing VSphereDatacenterConfig prod spec.failureDomains.0.datastore',
    ]);
  });

  it('finds missing privileges, unless it is told not to look', async () => {
    const lacking = ['VirtualMachine.Provisioning.DeployTemplate', 'Datastore.AllocateSpace'];
    await using front = await withoutPrivileges(vcsim, lacking);
    const spec = specAfter(undefined, front.server);
    const findings = await preflight(spec);
    expect(findings.map(({ id, message }) => `${id} ${message}`)).toEqual([
      expect.stringContaining('lacks privileges on /DC0/datastore/LocalDS_0: Datastore.AllocateSpace'),
      expect.stringContaining(`lacks privileges on ${template}: VirtualMachine.Provisioning.DeployTemplate`),
    ]);
    expect(await preflight(spec, { skip: ['vsphere-user-privilege'] })).toEqual([]);
  });

  it('makes the folders that are missing, once', async () => {
    const spec = specAfter(({ worker }) => (worker.folder = '/DC0/vm/Kubernetes/made/deep'));
    for (const time of ['first', 'second']) {
      await vsphere.prepareAssets(spec, contextWith());
      expect(await preflight(spec), time).toEqual([]);
    }
  });

  it('says which machines a deleted cluster has left, and none of another', async () => {
    const spec = specAfter();
    for (const name of ['prod-bcdfg', 'prod-md-0-bcdfg-hjklm', 'prod-2-bcdfg', 'prod-image']) {
      await makeTemplate(vcsim, { path: `/DC0/vm/Kubernetes/${name}`, diskGiB: 1, snapshot: false, template: false });
    }
    await makeTemplate(vcsim, { path: '/DC0/vm/Other/prod-ghjkl', diskGiB: 1, snapshot: false, template: false });
    const left = await vsphere.postDelete(spec, contextWith());
    expect(left.map(({ id, message }) => `${id} ${/\S+(?= is still)/.exec(message)?.[0]}`).sort()).toEqual([
      'vsphere.machine-left /DC0/vm/Kubernetes/prod-bcdfg',
      'vsphere.machine-left /DC0/vm/Kubernetes/prod-md-0-bcdfg-hjklm',
    ]);
  });
});
