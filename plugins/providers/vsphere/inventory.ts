import { basename } from 'node:path/posix';
import type { FindType, Govc } from './govc.ts';

/** What a datacenter holds. */
export type InventoryType = Exclude<FindType, 'datacenter'>;

/** What there is in a datacenter, as far as the user may see it. */
export interface Inventory {
  /** e.g. `/Datacenter` */
  root: string;
  /** paths of all objects of a type */
  paths: Record<InventoryType, readonly string[]>;
}

/** Where relative paths of a type begin, below the datacenter. */
const baseFolders: Record<InventoryType, string> = {
  computeCluster: 'host',
  datastore: 'datastore',
  folder: 'vm',
  network: 'network',
  resourcePool: 'host',
  virtualMachine: 'vm',
};
const inventoryTypes = Object.keys(baseFolders) as InventoryType[];

/** Lists a datacenter once: a question for each name would take a log-in each. @param root path of the datacenter */
export async function readInventory(govc: Govc, root: string): Promise<Inventory> {
  const paths: Partial<Inventory['paths']> = {};
  for (const type of inventoryTypes) paths[type] = await govc.find(type, root);
  return { root, paths: paths as Inventory['paths'] };
}

/**
 * The objects that a name, a path or a pattern with `*` means, as govmomi's finder has it: names are looked for everywhere,
 * relative paths begin in the datacenter's folder for that type.
 */
export function resolve({ root, paths }: Inventory, type: InventoryType, asked: string): string[] {
  const all = paths[type];
  if (!asked.includes('/')) return all.filter((path) => matches(basename(path), asked));
  const pattern = asked.startsWith('/') ? asked : `${root}/${baseFolders[type]}/${asked}`;
  return all.filter((path) => matches(path, pattern.replace(/\/+$/, '')));
}

/** `*` stands for anything within one part of a path. */
function matches(path: string, pattern: string): boolean {
  const expression = pattern
    .split('*')
    .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
    .join('[^/]*');
  return new RegExp(`^${expression}$`).test(path);
}
