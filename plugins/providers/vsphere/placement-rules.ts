import { dirname } from 'node:path/posix';
import type { PreflightRequest } from '../../../contracts/provider-plugin.ts';
import { machineUses, type MachineUse } from '../../../core/clusters/spec/machine-uses.ts';
import type { Govc } from './govc.ts';
import { resolve, type Inventory, type InventoryType } from './inventory.ts';
import { machineDefaults, type Named, type Placement } from './placements.ts';

const BYTES_PER_GIB = 1024 ** 3;
/** One machine more while others are replaced, unless the specification says otherwise. */
const DEFAULT_SURGE = 1;

type OperationOn = Pick<PreflightRequest, 'spec' | 'operation' | 'previous'>;

/** The inventory paths that a cluster's machines use, as far as they exist. */
export interface Places {
  networks: Set<string>;
  datastores: Set<string>;
  resourcePools: Set<string>;
  folders: Set<string>;
  /** folders that others are made in */
  folderParents: Set<string>;
}

/**
 * Looks for the network, datastore, folder and resource pool of every machine, and for room on the datastores for their disks.
 * @param imports bytes that are needed beside, where a placement is
 */
export async function placementRules(
  request: OperationOn,
  placements: readonly Placement[],
  inventory: Inventory,
  govc: Govc,
  imports: ReadonlyMap<Placement, number>,
): Promise<Places> {
  const places: Places = {
    networks: new Set(),
    datastores: new Set(),
    resourcePools: new Set(),
    folders: new Set(),
    folderParents: new Set(),
  };
  const wanted = new Map<string, { bytes: number; named: Named }>();
  for (const placement of placements) {
    const { use, machine, networks, resourcePool, folder, datastore, computeCluster } = placement;
    if (computeCluster !== undefined) findOne(inventory, 'computeCluster', computeCluster);
    for (const network of networks) addTo(places.networks, findOne(inventory, 'network', network));
    addTo(places.resourcePools, findOne(inventory, 'resourcePool', resourcePool));
    if (folder === undefined) places.folders.add(`${inventory.root}/vm`);
    else folderRules(inventory, folder, places);
    const store = findOne(inventory, 'datastore', datastore);
    addTo(places.datastores, store);
    if (store === undefined) continue;
    const { diskGiB = machineDefaults.diskGiB } = machine.spec;
    const bytes = newMachines(use, request) * diskGiB * BYTES_PER_GIB + (imports.get(placement) ?? 0);
    wanted.set(store, { named: datastore, bytes: bytes + (wanted.get(store)?.bytes ?? 0) });
  }
  for (const [store, { bytes, named }] of wanted) await datastoreRules(store, bytes, named, govc);
  return places;
}

const nouns: Record<InventoryType, { id: string; noun: string }> = {
  computeCluster: { id: 'compute-cluster', noun: 'compute cluster' },
  datastore: { id: 'datastore', noun: 'datastore' },
  folder: { id: 'folder', noun: 'folder' },
  network: { id: 'network', noun: 'network' },
  resourcePool: { id: 'resource-pool', noun: 'resource pool' },
  virtualMachine: { id: 'template', noun: 'template' },
};

/** @returns the path of the one object that a name means; without exactly one there is a finding */
export function findOne(inventory: Inventory, type: InventoryType, { name, at, path }: Named): string | undefined {
  const [found, ...others] = resolve(inventory, type, name);
  const { id, noun } = nouns[type];
  if (found === undefined) {
    const message = `there is no ${noun} ${name} in ${inventory.root}, or the user may not see it`;
    at.problem(`${id}-missing`, path, message, remedyForMissing(inventory, type));
    return undefined;
  }
  if (others.length === 0) return found;
  const message = `${name} means ${others.length + 1} things: ${[found, ...others].join(', ')}`;
  at.problem(`${id}-ambiguous`, path, message, 'write the whole path of one of them');
  return undefined;
}

const TOLD_PATHS = 5;

function remedyForMissing({ paths }: Inventory, type: InventoryType): string {
  const some = type === 'virtualMachine' ? [] : paths[type].slice(0, TOLD_PATHS);
  const there =
    some.length === 0 ? '' : `; there are ${some.join(', ')}${paths[type].length > some.length ? ', ...' : ''}`;
  return `make it, correct the name, or give the user the right to see it${there}`;
}

/**
 * Looks for a folder; one that is not there is made before the machines.
 * @returns the folder whose privileges count: itself, or the nearest one above it
 */
export function folderRules(inventory: Inventory, folder: Named, places: Places): string | undefined {
  const { name, at, path } = folder;
  const top = `${inventory.root}/vm`;
  if (resolve(inventory, 'folder', name).length > 0 || name.includes('*') || !name.startsWith(`${top}/`)) {
    const found = findOne(inventory, 'folder', folder);
    addTo(places.folders, found);
    return found;
  }
  at.warning('folder-missing', path, `there is no folder ${name}; it will be made`, 'correct the name if it is wrong');
  let nearest = name;
  while (nearest !== top && !inventory.paths.folder.includes(nearest)) nearest = dirname(nearest);
  // privileges are handed down, so what is missing there will be missing below
  places.folders.add(nearest);
  places.folderParents.add(nearest);
  return nearest;
}

/** How many machines of a use there are at the most beside those that are there now. */
function newMachines({ role, count }: MachineUse, { spec, operation, previous }: OperationOn): number {
  if (operation === 'create') return count;
  const before = previous === undefined ? count : machineUses(previous).find((use) => use.role === role)?.count;
  const { controlPlaneConfiguration: plane, workerNodeGroupConfigurations: groups = [] } = spec.cluster.spec;
  const group = groups.find(({ name }) => role === `worker group ${name}`);
  const surge = (group ?? plane).upgradeRolloutStrategy?.rollingUpdate?.maxSurge ?? DEFAULT_SURGE;
  return Math.max(0, count - (before ?? 0)) + surge;
}

async function datastoreRules(store: string, bytes: number, { at, path }: Named, govc: Govc): Promise<void> {
  const answer = (await govc.json('datastore.info', store)) as { datastores?: { summary: DatastoreSummary }[] | null };
  const summary = answer.datastores?.[0]?.summary;
  if (summary === undefined) return;
  if (!summary.accessible || summary.maintenanceMode !== 'normal') {
    const state = summary.accessible ? `in maintenance (${summary.maintenanceMode})` : 'not accessible';
    at.problem('datastore-unusable', path, `the datastore ${store} is ${state}`, 'mend it, or use another');
  }
  if (bytes <= summary.freeSpace) return;
  const message = `new disks need ${inGiB(bytes)} on ${store}, and ${inGiB(summary.freeSpace)} are free`;
  at.problem('datastore-full', path, message, 'make room there, use another datastore, or ask for less diskGiB');
}

interface DatastoreSummary {
  accessible: boolean;
  maintenanceMode: string;
  /** bytes */
  freeSpace: number;
}

function inGiB(bytes: number): string {
  return `${Math.floor(bytes / BYTES_PER_GIB)} GiB`;
}

function addTo(set: Set<string>, path: string | undefined): void {
  if (path !== undefined) set.add(path);
}
