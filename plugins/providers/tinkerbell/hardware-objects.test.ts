import { describe, expect, it } from 'vitest';
import { hardwareObjects } from './hardware-objects.ts';
import { defaultPorts } from './bmc/contact.ts';
import { bmcsContacted } from './hardware-on-cluster.ts';
import { exampleHardware } from './testing.ts';

describe('the objects of a machine', () => {
  it('know its BMC, and only the Secret its password', () => {
    const { hardware, bmc } = hardwareObjects(exampleHardware({ vlanId: '12' }), defaultPorts);
    expect(hardware).toMatchObject({
      apiVersion: 'tinkerbell.org/v1alpha1',
      metadata: { name: 'one', namespace: 'eksa-system', labels: { type: 'cp' } },
      spec: {
        bmcRef: { name: 'bmc-one', kind: 'Machine' },
        disks: [{ device: '/dev/sda' }],
        metadata: { instance: { id: '00:00:00:00:00:01', hostname: 'one' } },
        interfaces: [{ netboot: { allowPXE: true }, dhcp: { mac: '00:00:00:00:00:01', vlan_id: '12', uefi: true } }],
      },
    });
    expect(bmc?.machine).toMatchObject({
      apiVersion: 'bmc.tinkerbell.org/v1alpha1',
      spec: {
        connection: {
          host: '127.0.0.1',
          authSecretRef: { name: 'bmc-one-auth', namespace: 'eksa-system' },
          providerOptions: { redfish: { useBasicAuth: true } },
        },
      },
    });
    expect(bmc?.secret).toMatchObject({
      type: 'kubernetes.io/basic-auth',
      metadata: { name: 'bmc-one-auth', labels: { 'clusterctl.cluster.x-k8s.io/move': 'true' } },
      data: { password: Buffer.from('secret').toString('base64') },
    });
    expect(JSON.stringify([hardware, bmc?.machine])).not.toMatch(/secret"|c2VjcmV0/);
  });

  it('say other ports, and nothing of a BMC that is not there', () => {
    const { bmc } = hardwareObjects(exampleHardware(), { redfishPort: 8443, ipmiPort: 6230 });
    expect(bmc?.machine).toMatchObject({
      spec: { connection: { providerOptions: { redfish: { port: 8443 }, ipmitool: { port: 6230 } } } },
    });
    const { bmc: _, ...without } = exampleHardware();
    const objects = hardwareObjects(without, defaultPorts);
    expect(objects).not.toHaveProperty('bmc');
    expect(objects.hardware['spec']).not.toHaveProperty('bmcRef');
  });
});

describe('BMCs as Tinkerbell reaches them', () => {
  const machine = (name: string, status?: string, message?: string) => ({
    ...{ apiVersion: 'bmc.tinkerbell.org/v1alpha1', kind: 'Machine', metadata: { name } },
    ...(status === undefined ? {} : { status: { conditions: [{ type: 'Contactable', status, message }] } }),
  });

  it('are waited for, and those that are not reached are named', () => {
    expect(bmcsContacted([])).toMatchObject({ done: true });
    expect(bmcsContacted([machine('a', 'True')])).toEqual({ done: true, detail: '1 of 1 BMCs are reached' });
    expect(bmcsContacted([machine('a', 'True'), machine('b'), machine('c', 'False', '401')])).toEqual({
      done: false,
      detail: '1 of 3 BMCs are reached; not: b, c (401)',
    });
  });
});
