import { vsphere } from '../../plugins/providers/vsphere/index.ts';
import { startClusterGround, type ClusterGround, type SpecificationChange } from './cluster-ground.ts';
import { makeTemplate, startVcsim, type Vcsim } from './vcsim.ts';

/** A ground of cluster tests with a simulated vCenter, its user in the environment of commands, and the real CAPV in lab and bundle. */
export interface VSphereGround extends ClusterGround {
  vcsim: Vcsim;
  /**
   * What makes the plugin's own template one for the simulator.
   * @param endpoint an address of loopback; each cluster has one of its own
   */
  inVcsim(endpoint: string): SpecificationChange[];
}

/** Inventory path of the template with a Kubernetes. @param minor e.g. `1.34` */
export function templateOf(minor: string): string {
  return `/DC0/vm/Templates/ubuntu-2204-kube-${minor}`;
}

/** The template of all machines. @param path its inventory path */
export function ofTemplate(path: string): SpecificationChange {
  return [/template: .*/g, `template: ${path}`];
}

/** Starts it with templates of two Kubernetes versions. */
export async function startVSphereGround(minors: readonly string[]): Promise<VSphereGround> {
  const vcsim = await startVcsim();
  try {
    for (const minor of minors) {
      await makeTemplate(vcsim, { path: templateOf(minor), diskGiB: 20, tags: ['os:ubuntu'] });
    }
    const env = { EKSA_VSPHERE_USERNAME: vcsim.user.name, EKSA_VSPHERE_PASSWORD: vcsim.user.password };
    const ground = await startClusterGround({ provider: vsphere, infrastructure: 'vsphere', env });
    return {
      ...ground,
      vcsim,
      inVcsim: (endpoint) => [
        ['vcenter.example.com', vcsim.server],
        [/thumbprint: .*/, `thumbprint: "${vcsim.sha256}"`],
        ['datacenter: Datacenter', 'datacenter: DC0'],
        [/\/Datacenter\//g, '/DC0/'],
        [/datastore\/Datastore/g, 'datastore/LocalDS_0'],
        ['192.0.2.10', endpoint],
      ],
      async [Symbol.asyncDispose]() {
        await ground[Symbol.asyncDispose]();
        await vcsim.stop();
      },
    };
  } catch (error) {
    await vcsim.stop();
    throw error;
  }
}

/** Virtual machines that are no templates, by inventory path. */
export async function machinesOf({ govc }: Vcsim): Promise<string[]> {
  const found = (await govc('find', '/DC0', '-type', 'm', '-config.template', 'false')).split('\n');
  return found.filter((path) => path !== '').sort();
}
