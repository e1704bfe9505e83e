import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ArchivedImage } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourceSelection } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { listedReferences, type ListedReference } from '../../../core/sources/image-list.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { readShape, type YamlDocument } from '../../../core/sources/yaml-documents.ts';
import { onlyDocument } from './charm.ts';
import { unpackCharms } from './charm-archive.ts';
import { bundleShape, type Bundle } from './schema.ts';

export interface GivenBundle {
  document: YamlDocument;
  content: Bundle;
  /** the whole file, byte by byte */
  bytes: Uint8Array;
}

/** What the operator gave, by what it is. */
export interface Inputs {
  bundle?: GivenBundle;
  /** absolute paths of `.charm` files, sorted */
  charms: string[];
  /** in archives */
  images: ArchivedImage[];
  lists: { file: string; references: ListedReference[] }[];
}

/**
 * Tells folders, charms, archives of charms or images, bundles and image lists apart, and reads the small ones.
 * @throws SealiftError InvalidInput with file and line; whatever the context throws
 */
export async function readInputs(selection: SourceSelection, context: SourceContext): Promise<Inputs> {
  const inputs: Inputs = { charms: [], images: [], lists: [] };
  for (const given of new Set(selection.files)) {
    const location = given.startsWith('file:') ? fileURLToPath(given) : given;
    const names = isUrl(location) ? undefined : await context.names(location);
    if (names !== undefined) inputs.charms.push(...charmsIn(location, names));
    else if (location.endsWith('.charm')) inputs.charms.push(localPath(location));
    else if (/\.(tar|tar\.gz|tgz)$/.test(location)) await addArchive(inputs, localPath(location), context);
    else sortIn(inputs, location, await context.read(location));
  }
  inputs.charms = [...new Set(inputs.charms)].sort();
  return inputs;
}

async function addArchive(inputs: Inputs, path: string, context: SourceContext): Promise<void> {
  const images = await context.images(path);
  if (images === undefined) inputs.charms.push(...(await unpackCharms(path, context)));
  else inputs.images.push(...images);
}

function charmsIn(folder: string, names: readonly string[]): string[] {
  const charms = names.filter((name) => name.endsWith('.charm'));
  if (charms.length > 0) return charms.map((name) => join(folder, name));
  throw inputError({ file: folder }, 'the folder holds no .charm file', {
    remedy: 'give the folder that `juju download` filled',
  });
}

function sortIn(inputs: Inputs, file: string, bytes: Uint8Array): void {
  const text = decodeText(file, bytes);
  if (/\.(ya?ml|json)$/.test(file) || /^(bundle|applications):/m.test(text)) {
    const document = onlyDocument(file, bytes);
    if (inputs.bundle !== undefined) {
      throw inputError(document.positionOf([]), `${inputs.bundle.document.file} is a bundle already`, {
        remedy: 'give one bundle; export each release into a tar of its own',
      });
    }
    inputs.bundle = { document, content: readShape(document, bundleShape), bytes };
    return;
  }
  const references = listedReferences(text);
  if (references.length === 0) {
    throw inputError({ file, line: 1 }, 'the file lists no image', { remedy: 'write one image reference a line' });
  }
  inputs.lists.push({ file, references });
}

function isUrl(location: string): boolean {
  return /^https?:\/\//.test(location);
}

function localPath(location: string): string {
  if (!isUrl(location)) return location;
  throw new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'read archive',
    subject: location,
    message: 'charms and archives are opened where they lie, and this is a URL',
    remedy: 'fetch it first (e.g. `curl -C - -O URL`), then give the path',
  });
}
