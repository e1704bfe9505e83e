import { createHash } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { basename, dirname } from 'node:path/posix';
import { setTimeout as pause } from 'node:timers/promises';
import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { SealiftError } from '../../../../core/errors.ts';
import type { Govc } from '../govc.ts';
import { resolve, type Inventory } from '../inventory.ts';
import { openOva, proveDigests, type Ova } from './archive.ts';
import { tagsOf } from './descriptor.ts';
import type { PlannedImport } from './planned.ts';

/** Letters of each digest in a temporary name. */
const DIGEST_LETTERS = 8;
/** vCenter ends the upload of a client that went away after five minutes, and what was uploaded cannot be removed before. */
const LEASE_MS = 6 * 60_000;
const AGAIN_MS = 5_000;
/** The slowest upload that is waited for, and what is granted beside. */
const LEAST_BYTES_PER_MS = 1024;
const GRANTED_MS = 10 * 60_000;

/** What an import works with. */
export interface Importing {
  govc: Govc;
  inventory: Inventory;
  /** name of the cluster: two of them may import the same template at the same time */
  cluster: string;
  context: ProviderContext;
}

/**
 * Imports an OVA as a template. It is uploaded under a name of its own, gets its snapshot and tags, is marked as a template, and takes
 * its final name as the last step: whatever has that name is whole. May be repeated after it was broken off anywhere: what is
 * uploaded is gone on with, half an upload is removed, and so is what an earlier try with another OVA has left.
 * @throws SealiftError FileMissing and ValidationFailed for the OVA; ConnectionFailed, ToolFailed, ToolMissing
 */
export async function importTemplate(planned: PlannedImport, importing: Importing): Promise<void> {
  const { govc, inventory, context } = importing;
  const { file, template } = planned;
  const ova = await openOva(file, () => context.alive(`reading ${file}`));
  const own = `${basename(template)}-sealift-${digestOf(importing.cluster)}-`;
  const path = join(dirname(template), `${own}${ova.identity.slice(0, DIGEST_LETTERS)}`);
  for (const left of inventory.paths.virtualMachine) {
    if (left !== path && dirname(left) === dirname(path) && isTemporary(basename(left), own))
      await remove(left, importing);
  }
  let state = await stateOf(path, govc);
  if (state === 'partial') {
    await remove(path, importing);
    state = 'absent';
  }
  if (state === 'absent') {
    await proveDigests(ova, () => context.alive(`proving the digests of ${file}`));
    await upload(ova, path, planned, importing);
    // whoever finds it knows that the upload was complete; linked clones need it besides
    await govc.run('snapshot.create', '-dc', inventory.root, '-vm', path, 'root');
  }
  await tag(path, tagsOf(ova.descriptor), govc);
  if (state !== 'template') await govc.run('vm.markastemplate', path);
  await publish(path, template, importing);
}

type State = 'absent' | 'partial' | 'uploaded' | 'template';

async function stateOf(path: string, govc: Govc): Promise<State> {
  const { virtualMachines } = (await govc.json('vm.info', path)) as {
    virtualMachines?: { config?: { template?: boolean }; snapshot?: unknown }[] | null;
  };
  const found = virtualMachines?.[0];
  if (found === undefined) return 'absent';
  if (found.config?.template === true) return 'template';
  return found.snapshot === undefined || found.snapshot === null ? 'partial' : 'uploaded';
}

async function upload(
  ova: Ova,
  path: string,
  { file, placement }: PlannedImport,
  { govc, inventory, context }: Importing,
): Promise<void> {
  const one = (type: 'datastore' | 'resourcePool' | 'network', name = ''): string =>
    resolve(inventory, type, name)[0] ?? name;
  const options = join(context.scratch, 'ova-options.json');
  const annotation = `imported by Sealift from ${basename(file)}, whose manifest has the SHA256 ${ova.identity}`;
  await writeFile(`${options}.new`, JSON.stringify({ DiskProvisioning: 'thin', Annotation: annotation }));
  await rename(`${options}.new`, options);
  const place = [
    ...['-dc', inventory.root, '-folder', dirname(path), '-name', basename(path)],
    ...['-ds', one('datastore', placement.datastore.name), '-pool', one('resourcePool', placement.resourcePool.name)],
    ...['-net', one('network', placement.networks[0]?.name), '-options', options],
  ];
  const timeoutMs = GRANTED_MS + Math.ceil(ova.size / LEAST_BYTES_PER_MS);
  try {
    await govc.runLong({ detail: `importing ${file}`, timeoutMs }, 'import.ova', ...place, file);
  } catch (error) {
    throw dropped(error, file);
  }
}

/** What broke off on the way is worth another try without anybody's help. */
function dropped(error: unknown, file: string): unknown {
  const cut = /connection (refused|reset)|broken pipe|unexpected EOF|: EOF|i\/o timeout|TLS handshake timeout/i;
  if (!(error instanceof SealiftError) || error.type !== 'ToolFailed' || !cut.test(error.problem.message)) return error;
  return new SealiftError('ConnectionFailed', {
    side: 'cluster',
    operation: 'import OVA',
    subject: file,
    message: error.problem.message,
    remedy: 'check the way from the worker to vCenter, and to its hosts: disks are uploaded to a host',
    cause: error,
  });
}

/** Attaches tags, `category:value` each; makes those that are missing, as EKS Anywhere does. */
async function tag(path: string, tags: readonly string[], govc: Govc): Promise<void> {
  for (const name of tags) {
    const category = name.split(':')[0]!;
    await unlessThere(govc.run('tags.category.create', '-t', 'VirtualMachine', category));
    await unlessThere(govc.run('tags.create', '-c', category, name));
    await govc.run('tags.attach', '-c', category, name, path);
  }
}

async function unlessThere(making: Promise<unknown>): Promise<void> {
  await making.catch((error: unknown) => {
    if (!(error instanceof SealiftError) || !error.problem.message.includes('already_exists')) throw error;
  });
}

/** Gives it its final name, unless another operation was faster: then the other one's is the template. */
async function publish(path: string, template: string, importing: Importing): Promise<void> {
  const { govc } = importing;
  try {
    await govc.run('object.rename', path, basename(template));
  } catch (error) {
    if (!(error instanceof SealiftError) || (await stateOf(template, govc)) !== 'template') throw error;
    await remove(path, importing);
  }
}

/** Removes what an import has left. As long as vCenter waits for the rest of an upload it refuses that. */
async function remove(path: string, { govc, context }: Importing): Promise<void> {
  const until = Date.now() + LEASE_MS;
  for (;;) {
    try {
      await govc.run('object.destroy', path);
      return;
    } catch (error) {
      if ((await stateOf(path, govc)) === 'absent') return;
      if (!(error instanceof SealiftError) || error.type !== 'ToolFailed' || Date.now() > until) throw error;
    }
    context.alive(`waiting until ${path}, half an import, can be removed`);
    await pause(AGAIN_MS);
  }
}

function isTemporary(name: string, own: string): boolean {
  return name.startsWith(own) && new RegExp(`^[0-9a-f]{${DIGEST_LETTERS}}$`).test(name.slice(own.length));
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LETTERS);
}
