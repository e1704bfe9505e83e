import { basename, dirname } from 'node:path/posix';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import type { ProviderContext } from '../../../contracts/provider-plugin.ts';
import { finder, subjectOf } from '../../../core/clusters/spec/findings.ts';
import { nameOfGroup } from '../../../core/clusters/spec/defaults.ts';
import { SealiftError } from '../../../core/errors.ts';
import { requireUser } from './credentials.ts';
import { createGovc, type Govc } from './govc.ts';
import { readInventory } from './inventory.ts';
import { importTemplate } from './ova/import.ts';
import { planImports } from './ova/planned.ts';
import { placementsOf } from './placements.ts';
import { datacenterOf, vcenterOf } from './vcenter.ts';

/** The letters of Kubernetes' random names (k8s.io/apimachinery/pkg/util/rand). */
const RANDOM = '[bcdfghjklmnpqrstvwxz2456789]{5}';

/**
 * Makes the folders that a cluster's machines go into, and imports the templates that are not there and have an OVA. May be repeated.
 * @throws SealiftError ValidationFailed without a user, or for an OVA; FileMissing, ConnectionFailed, ToolFailed, ToolMissing
 */
export async function prepareAssets(spec: ClusterSpec, context: ProviderContext): Promise<void> {
  const root = `/${datacenterOf(spec).datacenter}`;
  const { ovas = [] } = context;
  const wanted = foldersOf(spec).filter((folder) => folder.startsWith(`${root}/vm/`));
  if (wanted.length === 0 && ovas.length === 0) return;
  const govc = await createGovc(vcenterOf(spec), requireUser(context.env), context);
  await makeFolders(govc, root, wanted);
  if (ovas.length === 0) return;
  const findings: Finding[] = [];
  const inventory = await readInventory(govc, root);
  const planned = [...planImports(spec, placementsOf(spec, []), inventory, ovas, findings).values()];
  const [fault] = findings;
  // preflight has told all of them, so vCenter was changed since
  if (fault !== undefined) {
    const { subject, message, remedy } = fault;
    throw new SealiftError('ValidationFailed', { side: 'local', operation: 'import OVA', subject, message, remedy });
  }
  const folders = planned.map(({ template }) => dirname(template));
  await makeFolders(govc, root, folders);
  for (const one of planned) await importTemplate(one, { govc, inventory, cluster: spec.name, context });
}

async function makeFolders(govc: Govc, root: string, wanted: readonly string[]): Promise<void> {
  if (wanted.length === 0) return;
  const there = new Set(await govc.find('folder', root));
  for (const folder of wanted) {
    const parts = folder.split('/');
    for (let length = 4; length <= parts.length; length += 1) {
      const path = parts.slice(0, length).join('/');
      if (!there.has(path)) await makeFolder(govc, path);
      there.add(path);
    }
  }
}

async function makeFolder(govc: Govc, path: string): Promise<void> {
  try {
    await govc.run('folder.create', path);
  } catch (error) {
    // somebody else may have made it meanwhile
    if (!(error instanceof SealiftError) || !/DuplicateName|already exists/i.test(error.problem.message)) throw error;
  }
}

/**
 * The virtual machines of a deleted cluster that are still there, by the names that Cluster API gives machines.
 * @throws SealiftError ToolFailed, ToolMissing, ValidationFailed
 */
export async function leftMachines(spec: ClusterSpec, context: ProviderContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  const govc = await createGovc(vcenterOf(spec), requireUser(context.env), context);
  const root = `/${datacenterOf(spec).datacenter}`;
  const folders = foldersOf(spec);
  const names = machineNames(spec);
  const at = finder(findings, subjectOf(spec.datacenter), 'vsphere');
  for (const path of await govc.find('virtualMachine', root)) {
    const parent = dirname(path);
    const inFolder = folders.some((folder) => folder === parent || folder === basename(parent));
    if (!inFolder || !names.some((name) => name.test(basename(path)))) continue;
    const message = `the virtual machine ${path} is still there`;
    const remedy = `if nothing needs it, power it off and remove it: govc vm.destroy '${path}'`;
    at.problem('machine-left', ['spec', 'datacenter'], message, remedy);
  }
  return findings;
}

/** The folders of a cluster's machines, by path or by name. */
function foldersOf(spec: ClusterSpec): string[] {
  const root = `/${datacenterOf(spec).datacenter}`;
  const folders = placementsOf(spec, []).map(({ folder }) => folder?.name.replace(/\/+$/, '') ?? `${root}/vm`);
  return [...new Set(folders)];
}

/** `<cluster>-abcde` and `<cluster>-<group>-abcde-fghjk`: without this the machines of a cluster `prod-2` were those of `prod`. */
function machineNames({ name, cluster }: ClusterSpec): RegExp[] {
  const groups = (cluster.spec.workerNodeGroupConfigurations ?? []).map(
    (group, index) => `${name}-${nameOfGroup(group, index)}-${RANDOM}`,
  );
  return [name, ...groups].map((base) => new RegExp(`^${base}-${RANDOM}$`));
}
