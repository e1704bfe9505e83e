import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureControlPlane } from '../../core/bootstrap/control-plane.ts';
import { installProviderCharts } from '../../core/clusters/provider-charts.ts';
import { readText } from '../../core/clusters/spec/testing.ts';
import { toolRunner } from '../../core/host/run-tool.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { acceptsConnections, freePort } from '../../core/server/free-port.ts';
import { tinkerbell } from '../../plugins/providers/tinkerbell/index.ts';
import { requireTool, toolsFolder } from '../helpers/paths.ts';
import { startProcess, type RunningProcess } from '../helpers/processes.ts';
import { startClusterGround, type ClusterGround, type SpecificationChange } from './cluster-ground.ts';
import { labVersions } from './cluster-release.ts';
import type { Lab } from './lab.ts';
import { controlPlaneFolder, findLabBinary, type ManagementCluster } from './management-cluster.ts';
import { definitionsChart, smallStack } from './small-tinkerbell.ts';
import { startRack, type Rack, type RackMachine } from './rack.ts';

/** A ground of cluster tests with a rack of machines, and a management cluster with the real CAPT and Tinkerbell. */
export interface TinkerbellGround extends ClusterGround {
  rack: Rack;
  management: ManagementCluster;
  /** path of the hardware list */
  hardware: string;
  /** Tinkerbell's log */
  log(): string;
}

export async function startTinkerbellGround(machines: readonly RackMachine[]): Promise<TinkerbellGround> {
  const rack = await startRack(machines);
  const ground = await startClusterGround({ provider: tinkerbell, infrastructure: 'tinkerbell', env: rack.env });
  let stack: RunningProcess | undefined;
  const stop = async (): Promise<void> => {
    await ground[Symbol.asyncDispose]();
    await stack?.stop();
    await rack[Symbol.asyncDispose]();
  };
  try {
    const management = await startManagementCluster(ground.lab, ground.home.path);
    const port = await freePort();
    stack = await startStack(management.kubeconfig, port);
    rack.bootFrom(`127.0.0.1:${port}`);
    await ground.lab.bootMachines(management.kubeconfig);
    const hardware = join(ground.home.path, 'hardware.csv');
    await writeFile(hardware, rack.csv);
    const log = (): string => stack?.log() ?? '';
    return { ...ground, rack, management, hardware, log, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes the plugin's own template one for the rack. @param endpoint an address of loopback, of the cluster alone */
export function onRack(endpoint: string): SpecificationChange[] {
  return [
    ['192.0.2.10', endpoint],
    ['count: 3', 'count: 1'],
    ['count: 2', 'count: 1'],
  ];
}

/** Tinkerbell's kinds come first, by the chart of them that a release would have: CAPT watches them from its start. */
async function startManagementCluster(lab: Lab, scratch: string): Promise<ManagementCluster> {
  const folder = controlPlaneFolder(lab.settings('mgmt').folder);
  const { kubeconfig } = await ensureControlPlane({ folder, findBinary: findLabBinary, durable: false });
  await using cluster = await openCluster(kubeconfig);
  const { spec } = readText(tinkerbell.specTemplate('mgmt'), [tinkerbell]);
  const making = {
    ...{ spec: spec!, provider: tinkerbell },
    release: { kubernetesVersion: labVersions.older, stack: smallStack({ definitions: await definitionsChart() }) },
    context: {
      ...{ env: {}, scratch, run: toolRunner([toolsFolder], process.env) },
      ...{ alive: () => undefined, warn: () => undefined },
    },
  };
  await installProviderCharts(making, 'self', cluster, new AbortController().signal);
  return await lab.startManagementCluster('mgmt');
}

async function startStack(kubeconfig: string, port: number): Promise<RunningProcess> {
  return startProcess({
    command: await requireTool('tinkerbell-stack'),
    args: [`--listen=127.0.0.1:${port}`, '--parallel=4'],
    env: { PATH: process.env['PATH'] ?? '', KUBECONFIG: kubeconfig },
    ready: () => acceptsConnections(port),
  });
}
