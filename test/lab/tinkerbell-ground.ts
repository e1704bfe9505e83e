import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { ensureControlPlane } from '../../core/bootstrap/control-plane.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { acceptsConnections, freePort } from '../../core/server/free-port.ts';
import { tinkerbell } from '../../plugins/providers/tinkerbell/index.ts';
import { projectRoot, requireTool } from '../helpers/paths.ts';
import { startProcess, type RunningProcess } from '../helpers/processes.ts';
import { startClusterGround, type ClusterGround, type SpecificationChange } from './cluster-ground.ts';
import type { Lab } from './lab.ts';
import { controlPlaneFolder, findLabBinary, type ManagementCluster } from './management-cluster.ts';
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
    const management = await startManagementCluster(ground.lab);
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

/** Tinkerbell's kinds come first, as with its chart `tinkerbell-crds`: CAPT watches them from its start. */
async function startManagementCluster(lab: Lab): Promise<ManagementCluster> {
  const folder = controlPlaneFolder(lab.settings('mgmt').folder);
  const { kubeconfig } = await ensureControlPlane({ folder, findBinary: findLabBinary, durable: false });
  await using cluster = await openCluster(kubeconfig);
  await cluster.applyAll(await definitions());
  return await lab.startManagementCluster('mgmt');
}

/** As `make setup` leaves them (tools/tinkerbell/definitions.sh). */
async function definitions(): Promise<KubernetesObject[]> {
  const root = join(projectRoot, '.cache', 'tinkerbell');
  const version = (await readdir(root).catch(() => [])).find((name) => name.startsWith('v'));
  if (version === undefined) throw new Error(`there is nothing in ${root}: run \`make setup\``);
  const text = await readFile(join(root, version, 'definitions.yaml'), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

async function startStack(kubeconfig: string, port: number): Promise<RunningProcess> {
  return startProcess({
    command: await requireTool('tinkerbell-stack'),
    args: [`--listen=127.0.0.1:${port}`, '--parallel=4'],
    env: { PATH: process.env['PATH'] ?? '', KUBECONFIG: kubeconfig },
    ready: () => acceptsConnections(port),
  });
}
