import { describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import { readText } from '../../../core/clusters/spec/testing.ts';
import { tinkerbell } from './index.ts';
import { specTemplate } from './spec-template.ts';

const stack = {
  images: {
    services: 'origin.test/tinkerbell:v1',
    interface: 'origin.test/relay:v1',
    loadBalancer: 'origin.test/vip:v1',
  },
  installer: { files: 'https://origin.test/hook', iso: 'https://origin.test/hook.iso' },
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Documents = Record<'cluster' | 'datacenter', any>;

function specAfter(change: (documents: Documents) => void = () => undefined): ClusterSpec {
  const objects = parseAllDocuments(specTemplate('prod')).map((document): Documents['cluster'] => document.toJS());
  change({ cluster: objects[0], datacenter: objects[1].spec });
  return readText(objects.map((object) => stringify(object)).join('---\n'), [tinkerbell]).spec!;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function services(spec: ClusterSpec, place: 'bootstrap' | 'self' = 'self'): any {
  return tinkerbell.charts!({ spec, place, stack }).find(({ chart }) => chart === 'services')!.values;
}

describe("Tinkerbell's charts", () => {
  it('come definitions first, where EKS Anywhere has them', () => {
    const charts = tinkerbell.charts!({ spec: specAfter(), place: 'self', stack });
    expect(charts.map(({ chart, namespace, name }) => `${chart} ${namespace}/${name}`)).toEqual([
      'definitions eksa-system/tinkerbell-crds',
      'services eksa-system/tinkerbell',
    ]);
  });

  it('have an address of their own on a management cluster, announced unless somebody else does', () => {
    const values = services(specAfter());
    expect(values).toMatchObject({ publicIP: '192.0.2.11', service: { loadBalancerIP: '192.0.2.11' } });
    expect(values.deployment).toMatchObject({ image: 'origin.test/tinkerbell', imageTag: 'v1', hostNetwork: false });
    expect(values.deployment.init.enabled).toBe(true);
    expect(values.optional.kubevip).toMatchObject({ enabled: true, image: 'origin.test/vip:v1' });
    const skipped = services(specAfter(({ datacenter }) => (datacenter.skipLoadBalancerDeployment = true)));
    expect(skipped.optional.kubevip.enabled).toBe(false);
  });

  it("have a node's network and address on a bootstrap cluster", () => {
    const told = specAfter(({ cluster }) => {
      cluster.metadata.annotations = { 'anywhere.eks.amazonaws.com/tinkerbell-bootstrap-ip': '192.0.2.12' };
    });
    const values = services(told, 'bootstrap');
    expect(values.publicIP).toBe('192.0.2.12');
    expect(values.deployment).toMatchObject({ hostNetwork: true, init: { enabled: false } });
    expect(values.deployment.envs.globals.bindAddr).toBe('192.0.2.12');
    expect(values.deployment.envs.smee.ipxeScriptTinkServerAddrPort).toBe('192.0.2.12:42113');
    expect(values.optional.kubevip.enabled).toBe(false);
    // a delete needs none: the management cluster still has that of the specification
    expect(services(specAfter(), 'bootstrap').deployment.envs.globals).not.toHaveProperty('bindAddr');
    expect(services(told).publicIP).toBe('192.0.2.11');
  });

  it('boot HookOS from where the specification says, or from where the release has it', () => {
    const { smee } = services(specAfter()).deployment.envs;
    expect(smee).toMatchObject({
      ipxeHttpScriptOsieURL: 'http://192.0.2.1:8080/hook',
      isoUpstreamURL: 'https://origin.test/hook.iso',
    });
    const own = specAfter(({ datacenter }) => {
      datacenter.hookImagesURLPath = '';
      Object.assign(datacenter, { isoBoot: true, hookIsoURL: 'http://192.0.2.1/own.iso' });
    });
    expect(services(own).deployment.envs.smee).toMatchObject({
      ipxeHttpScriptOsieURL: 'https://origin.test/hook',
      isoUpstreamURL: 'http://192.0.2.1/own.iso',
    });
  });

  it('tell HookOS the mirror and the proxy, and announce on the interface of the specification', () => {
    expect(services(specAfter()).deployment.envs.smee.ipxeHttpScriptExtraKernelArgs).toEqual([]);
    const values = services(
      specAfter(({ cluster, datacenter }) => {
        datacenter.loadBalancerInterface = 'eno1';
        cluster.spec.registryMirrorConfiguration = { endpoint: 'mirror.test', port: '5000' };
        cluster.spec.proxyConfiguration = { httpProxy: 'http://p:1', httpsProxy: 'http://p:2', noProxy: ['near'] };
      }),
    );
    expect(values.deployment.envs.smee.ipxeHttpScriptExtraKernelArgs).toEqual([
      'insecure_registries=mirror.test:5000',
      'HTTP_PROXY=http://p:1',
      'HTTPS_PROXY=http://p:2',
      'NO_PROXY=near,192.0.2.11',
    ]);
    expect([values.optional.kubevip.interface, values.deployment.init.sourceInterface]).toEqual(['eno1', 'eno1']);
  });
});
