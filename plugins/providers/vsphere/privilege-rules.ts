import type { Finder } from '../../../core/clusters/spec/findings.ts';
import { SealiftError } from '../../../core/errors.ts';
import type { ImportPlaces } from './ova/rules.ts';
import type { Places } from './placement-rules.ts';
import { readPrivileges } from './soap.ts';
import type { VCenter, VCenterUser } from './vcenter.ts';

/** `--skip-validations` leaves this one out, by the name it has with EKS Anywhere. */
export const PRIVILEGE_VALIDATION = 'vsphere-user-privilege';

// What making, changing and deleting machines from templates takes, out of what EKS Anywhere gives its user.
const onFolder = [
  ...['AddExistingDisk', 'AddNewDisk', 'AddRemoveDevice', 'AdvancedConfig', 'CPUCount', 'DiskExtend'].map(inConfig),
  ...['EditDevice', 'Memory', 'RemoveDisk', 'Settings'].map(inConfig),
  ...['VirtualMachine.Interact.PowerOff', 'VirtualMachine.Interact.PowerOn'],
  ...[
    'VirtualMachine.Inventory.Create',
    'VirtualMachine.Inventory.CreateFromExisting',
    'VirtualMachine.Inventory.Delete',
  ],
];
const onDatastore = ['Datastore.AllocateSpace', 'Datastore.Browse', 'Datastore.FileManagement'];
const onNetwork = ['Network.Assign'];
const onResourcePool = ['Resource.AssignVMToPool'];
const onTemplate = ['VirtualMachine.Provisioning.DeployTemplate'];
// What importing a template takes beside, as govc and vCenter's documentation of OVF templates have it.
const onImport = {
  folder: [
    ...['VirtualMachine.Config.Rename', 'VirtualMachine.State.CreateSnapshot'],
    ...['VirtualMachine.Provisioning.MarkAsTemplate', ...onTemplate],
  ],
  resourcePool: ['VApp.Import'],
  root: ['InventoryService.Tagging.CreateCategory', 'InventoryService.Tagging.CreateTag'],
};
const onRoot = {
  tags: ['InventoryService.Tagging.AttachTag', 'InventoryService.Tagging.ObjectAttachable'],
  storagePolicy: ['StorageProfile.View'],
};

/** What a cluster needs beyond places for its machines. */
export interface Needs {
  templates: ReadonlySet<string>;
  /** folders below these are made */
  folderParents: ReadonlySet<string>;
  tags: boolean;
  storagePolicy: boolean;
  imports: ImportPlaces;
}

/** Finds what the user may not do. @throws SealiftError ConnectionFailed, CertificateUntrusted */
export async function privilegeRules(
  vcenter: VCenter,
  user: VCenterUser,
  places: Places,
  needs: Needs,
  at: Finder,
): Promise<void> {
  const wanted = wantedPrivileges(places, needs);
  const granted = await readPrivileges(vcenter, user, [...wanted.keys()]).catch((error: unknown) => {
    if (!(error instanceof SealiftError) || error.type !== 'RequestRefused') throw error;
    const message = `vCenter does not say which privileges ${user.name} has: ${error.problem.message}`;
    at.warning('privileges-unknown', ['spec', 'server'], message, 'look at the roles of the user by hand');
    return undefined;
  });
  if (granted === undefined) return;
  for (const [path, privileges] of wanted) {
    const missing = [...privileges].filter((privilege) => granted.get(path)?.has(privilege) !== true);
    if (missing.length === 0) continue;
    const message = `${user.name} lacks privileges on ${path}: ${missing.join(', ')}`;
    const remedy = `give the user a role with them on ${path}, or leave the check out with --skip-validations ${PRIVILEGE_VALIDATION}`;
    at.problem('privilege', ['spec', 'server'], message, remedy);
  }
}

function wantedPrivileges(places: Places, needs: Needs): Map<string, Set<string>> {
  const wanted = new Map<string, Set<string>>();
  const want = (paths: Iterable<string>, privileges: readonly string[]): void => {
    for (const path of paths) wanted.set(path, new Set([...(wanted.get(path) ?? []), ...privileges]));
  };
  want(places.folders, onFolder);
  want(needs.folderParents, ['Folder.Create']);
  want(places.datastores, onDatastore);
  want(places.networks, onNetwork);
  want(places.resourcePools, onResourcePool);
  want(needs.templates, onTemplate);
  want(needs.imports.folders, onImport.folder);
  want(needs.imports.resourcePools, onImport.resourcePool);
  if (needs.imports.folders.size > 0) want(['/'], [...onRoot.tags, ...onImport.root]);
  if (needs.tags) want(['/'], onRoot.tags);
  if (needs.storagePolicy) want(['/'], onRoot.storagePolicy);
  return wanted;
}

function inConfig(name: string): string {
  return `VirtualMachine.Config.${name}`;
}
