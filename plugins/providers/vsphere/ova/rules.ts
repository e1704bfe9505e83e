import { dirname } from 'node:path/posix';
import type { Finding } from '../../../../contracts/clusters.ts';
import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { finder, subjectOf } from '../../../../core/clusters/spec/findings.ts';
import { SealiftError } from '../../../../core/errors.ts';
import type { Inventory } from '../inventory.ts';
import { folderRules, type Places } from '../placement-rules.ts';
import { openOva, proveDigests, type Ova } from './archive.ts';
import type { PlannedImport } from './planned.ts';

/** An OVA of a planned import that is as it should be, and what the user needs to import it. */
export interface CheckedImport extends PlannedImport {
  ova: Ova;
}

/**
 * Looks at the OVAs of planned imports: that each can be read, is whole by every digest of its manifest, and is what vCenter takes.
 * @returns all of them by the template's name in machine configs; undefined those that are not
 */
export async function ovaRules(
  planned: ReadonlyMap<string, PlannedImport>,
  findings: Finding[],
  { alive }: Pick<ProviderContext, 'alive'>,
): Promise<Map<string, CheckedImport | undefined>> {
  const checked = new Map<string, CheckedImport | undefined>();
  for (const [name, one] of planned) {
    const at = finder(findings, subjectOf(one.placement.machine), 'vsphere');
    const path = ['spec', 'template'];
    const told = (): void => alive(`proving the digests of ${one.file}`);
    try {
      const ova = await openOva(one.file, told);
      await proveDigests(ova, told);
      checked.set(name, { ...one, ova });
      const message = `there is no template ${one.template}; it will be imported from ${one.file}`;
      at.warning('template-missing', path, message, 'correct the name if it is wrong');
    } catch (error) {
      if (!(error instanceof SealiftError)) throw error;
      const { message, remedy } = error.problem;
      checked.set(name, undefined);
      at.problem('ova', path, `${one.file}, which ${name} is to be imported from: ${message}`, remedy);
    }
  }
  return checked;
}

/** Folders and resource pools that imports go to. */
export interface ImportPlaces {
  folders: Set<string>;
  resourcePools: ReadonlySet<string>;
}

/** Looks for the folders of templates; those that are not there are made. */
export function importPlaces(
  imports: Iterable<PlannedImport>,
  inventory: Inventory,
  places: Places,
  findings: Finding[],
): ImportPlaces {
  const folders = new Set<string>();
  for (const { template, placement } of imports) {
    const at = finder(findings, subjectOf(placement.machine), 'vsphere');
    const folder = folderRules(inventory, { name: dirname(template), at, path: ['spec', 'template'] }, places);
    if (folder !== undefined) folders.add(folder);
  }
  return { folders, resourcePools: folders.size === 0 ? new Set() : places.resourcePools };
}

/** What a template takes on its datastore, in bytes: disks are thin. */
export function spaceOf({ ova }: CheckedImport): number {
  return ova.descriptor.disks.reduce((sum, { populated }) => sum + populated, 0);
}
