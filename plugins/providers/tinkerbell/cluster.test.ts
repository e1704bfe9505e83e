import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { ProviderContext } from '../../../contracts/provider-plugin.ts';
import { openCluster } from '../../../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../../../core/kubernetes/cluster.ts';
import { readText } from '../../../core/clusters/spec/testing.ts';
import { generateCertificates } from '../../../test/helpers/certificates.ts';
import {
  kubeApiserverUnavailable,
  startKubeApiserver,
  type KubeApiserver,
} from '../../../test/helpers/kube-apiserver.ts';
import { looseDefinition } from '../../../test/helpers/loose-definition.ts';
import { temporaryFolder, type TemporaryFolder } from '../../../test/helpers/paths.ts';
import { freePort } from '../../../core/server/free-port.ts';
import { hasBmcEmulators } from '../../../test/lab/bmc-emulators.ts';
import { startRedfish } from '../../../test/lab/redfish.ts';
import { defaultPorts } from './bmc/contact.ts';
import { bmcMachineKind, hardwareKind } from './hardware-objects.ts';
import { applyHardware, awaitContact } from './hardware-on-cluster.ts';
import { tinkerbell } from './index.ts';
import { specTemplate } from './spec-template.ts';
import { exampleHardware } from './testing.ts';

const unavailable = await kubeApiserverUnavailable();
if (unavailable !== undefined) console.warn(`hardware on a cluster not tested: ${unavailable}`);

const namespace = 'eksa-system';
const one = exampleHardware();
const two = exampleHardware({ hostname: 'two', bmc: { ip: '127.0.2.2', username: 'admin', password: 'secret' } });
const spec: ClusterSpec = readText(specTemplate('prod'), [tinkerbell]).spec!;

describe.skipIf(unavailable !== undefined)('hardware on a cluster', () => {
  let server: KubeApiserver;
  let cluster: Cluster;

  beforeAll(async () => {
    server = await startKubeApiserver();
    cluster = await openCluster(server.kubeconfig);
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    await server.stop();
  });

  it('is refused where Tinkerbell is not installed', async () => {
    await expect(applyHardware([one], cluster, defaultPorts)).rejects.toMatchObject({ type: 'ContentMissing' });
  });

  describe('with Tinkerbell', () => {
    let folder: TemporaryFolder;
    let context: ProviderContext;

    beforeAll(async () => {
      await cluster.applyAll([
        looseDefinition(hardwareKind, 'hardware'),
        looseDefinition(bmcMachineKind, 'machines'),
        looseDefinition(machineKind, 'tinkerbellmachines'),
      ]);
    });
    beforeEach(async () => {
      folder = await temporaryFolder('tinkerbell');
      context = {
        env: {},
        scratch: folder.path,
        run: () => Promise.reject(new Error('nothing is run')),
        alive: () => undefined,
        warn: () => undefined,
      };
      return () => folder.remove();
    });

    it('is applied again and again, and what is a machine already is not installed anew', async () => {
      await applyHardware([one, two], cluster, defaultPorts);
      await applyHardware([one, two], cluster, defaultPorts);
      await own('one', 'prod-cp-1');
      await cluster.patch(hardware('one'), { spec: { interfaces: [{ netboot: { allowPXE: false } }] } });
      const newPassword = { ...one, bmc: { ...one.bmc!, password: 'changed' } };
      await applyHardware([newPassword, two], cluster, defaultPorts);
      expect(await cluster.get(hardware('one'))).toMatchObject({
        metadata: { labels: { type: 'cp', [ownerLabel]: 'prod-cp-1' } },
        spec: { interfaces: [{ netboot: { allowPXE: false } }] },
      });
      const secret = await cluster.get({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'bmc-one-auth', namespace },
      });
      expect(secret?.['data']).toMatchObject({ password: Buffer.from('changed').toString('base64') });
    });

    it('is waited for until every BMC is reached', async () => {
      await applyHardware([one, two], cluster, defaultPorts);
      const told: string[] = [];
      const waiting = awaitContact(cluster, {
        alive(detail) {
          told.push(detail);
          if (detail.includes('0 of 2')) void contact('one').then(() => contact('two'));
        },
      });
      await waiting;
      expect(told.some((detail) => detail.includes('bmc-two'))).toBe(true);
    });

    it('is waited for only where it is in the list', async () => {
      await applyHardware([one, exampleHardware({ hostname: 'silent' })], cluster, defaultPorts);
      await contact('one');
      await awaitContact(cluster, { alive: () => undefined }, [one]);
      await awaitContact(cluster, { alive: () => undefined }, []);
      await cluster.delete(bmcMachine('silent'));
      await cluster.delete(hardware('silent'));
    });

    it('can be given up while it is waited for', async () => {
      await applyHardware([exampleHardware({ hostname: 'three' })], cluster, defaultPorts);
      const cancelled = new Error('cancelled');
      const alive = (): never => {
        throw cancelled;
      };
      await expect(awaitContact(cluster, { alive })).rejects.toBe(cancelled);
      await cluster.delete(bmcMachine('three'));
      await cluster.delete(hardware('three'));
    });

    it.skipIf(!hasBmcEmulators('hardware that is left on'))(
      'is told when a deleted cluster left it claimed or on',
      async () => {
        await applyHardware([one, two], cluster, defaultPorts);
        await own('one', 'prod-cp-1');
        const machine = {
          metadata: { name: 'prod-cp-1', namespace, labels: { 'cluster.x-k8s.io/cluster-name': 'prod' } },
        };
        await cluster.apply({ ...machineKind, ...machine, spec: { hardwareName: 'one' } });
        await tinkerbell.preDelete(spec, cluster, context);
        await using certificates = await temporaryFolder('bmc');
        const port = await freePort();
        const login = { host: '127.0.0.1', port, user: 'admin', password: 'secret' };
        const files = await generateCertificates(certificates.path);
        const asked = { ...context, env: { SEALIFT_BMC_REDFISH_PORT: String(port) } };
        const left = async (): Promise<string[]> =>
          (await tinkerbell.postDelete(spec, asked, cluster)).map(
            ({ status, id, subject }) => `${status} ${id} ${subject}`,
          );
        {
          await using _on = await startRedfish({ ...login, certificates: files, power: 'On' });
          expect(await left()).toEqual([
            'problem tinkerbell.left-behind TinkerbellMachine prod-cp-1',
            'problem tinkerbell.left-behind Hardware one',
            'problem tinkerbell.power one',
          ]);
        }
        await cluster.delete({ ...machineKind, metadata: machine.metadata });
        await cluster.patch(hardware('one'), { metadata: { labels: { [ownerLabel]: null } } });
        // again, after the machines went: what was noted is kept
        await tinkerbell.preDelete(spec, cluster, context);
        {
          await using _off = await startRedfish({ ...login, certificates: files, power: 'Off' });
          expect(await left()).toEqual([]);
        }
      },
    );

    function own(name: string, owner: string): Promise<void> {
      return cluster.patch(hardware(name), { metadata: { labels: { [ownerLabel]: owner } } });
    }

    function contact(name: string): Promise<void> {
      const conditions = [{ type: 'Contactable', status: 'True' }];
      return cluster.patch(bmcMachine(name), { status: { conditions } }, 'status');
    }
  });
});

const ownerLabel = 'v1alpha1.tinkerbell.org/ownerName';
const machineKind = { apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta1', kind: 'TinkerbellMachine' };

function hardware(name: string) {
  return { ...hardwareKind, metadata: { name, namespace } };
}

function bmcMachine(name: string) {
  return { ...bmcMachineKind, metadata: { name: `bmc-${name}`, namespace } };
}
