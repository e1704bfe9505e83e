import { pathToFileURL } from 'node:url';
import type { SourceContents, SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { inputError, type InputPosition } from '../../../core/sources/input-error.ts';
import { createItemCollection, type ItemCollection } from '../../../core/sources/item-collection.ts';
import { parseReferenceAt, pinnedDigest } from '../../../core/sources/reference-at.ts';
import { checkSelection, selectionError } from '../../../core/sources/selection.ts';
import { applicationsOf, charmNameOf, imagesOfCharm, type Application } from './applications.ts';
import { addArchivedImages } from './archived-images.ts';
import { readCharm, type Charm } from './charm.ts';
import { deploymentDocuments } from './deployment.ts';
import { imagesOf } from './image-settings.ts';
import { readInputs, type GivenBundle, type Inputs } from './inputs.ts';
import { charmBaseImages, controllerImagesOf } from './juju-images.ts';
import { charmFileName, downloadCharms, type WantedCharm } from './juju-download.ts';

const yes = 'yes';
const CHARM_NAME = /^[a-z][a-z0-9-]*$/;

/** Everything that a Juju bundle, its charms and further lists name. @throws SealiftError InvalidInput with file and line */
export async function listCharmedKubeflow(
  plugin: SourcePlugin,
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceContents> {
  checkSelection(plugin, selection);
  const jujuVersion = jujuVersionOf(selection);
  const inputs = await readInputs(selection, context);
  const charms = await readCharms(inputs, selection, context);
  const warnings = new Set<string>();
  const warn = (message: string): void => void warnings.add(message);
  const applications = inputs.bundle === undefined ? [] : applicationsOf(inputs.bundle, charms, warn);
  const used = new Set(applications.map(({ charm }) => charm?.path));
  const others = charms.filter(({ path }) => !used.has(path)).map((charm) => alone(charm, warn));
  warnAboutMissing(inputs.bundle, applications, warn);

  const collection = createItemCollection();
  for (const application of [...applications, ...others]) addApplication(collection, application);
  for (const charm of charms) addCharm(collection, charm, warn);
  addLists(collection, inputs);
  addJujuImages(collection, charms, jujuVersion);
  addArchivedImages(collection, inputs.images, selection);
  for (const warning of [...warnings].sort()) context.warn(warning);
  return {
    items: collection.items(),
    documents: inputs.bundle === undefined ? [] : deploymentDocuments(inputs.bundle, applications, others, jujuVersion),
  };
}

async function readCharms(inputs: Inputs, selection: SourceSelection, context: SourceContext): Promise<Charm[]> {
  const charms: Charm[] = [];
  for (const path of inputs.charms) addDistinct(charms, await readCharm(path, context));
  if (!(selection.options?.['juju-download'] ?? []).includes(yes)) return charms;
  const there = new Set(charms.map(({ name }) => name));
  const wanted = wantedCharms(inputs.bundle, selection).filter(({ name }) => !there.has(name));
  for (const path of await downloadCharms(wanted, context)) addDistinct(charms, await readCharm(path, context));
  return charms;
}

/** All charms lie in one folder on the far side, so a file name means one charm. */
function addDistinct(charms: Charm[], charm: Charm): void {
  const earlier = charms.find(({ file }) => file === charm.file);
  if (earlier === undefined) charms.push(charm);
  else if (earlier.sha256 !== charm.sha256) {
    throw inputError({ file: charm.path }, `${earlier.path} is another charm of the same file name`, {
      remedy: 'leave one of them, or rename it',
    });
  }
}

function wantedCharms(bundle: GivenBundle | undefined, selection: SourceSelection): WantedCharm[] {
  const named = Object.values(bundle?.content.applications ?? {}).map(({ charm, channel, revision }): WantedCharm => ({
    name: charmNameOf(charm),
    channel,
    revision,
  }));
  const extra = (selection.options?.['extra-charm'] ?? []).map((text): WantedCharm => {
    const [name = '', channel] = text.split('@');
    if (CHARM_NAME.test(name)) return { name, channel };
    throw selectionError(selection, `extra-charm ${text} is no charm`, 'write NAME@CHANNEL');
  });
  return [...new Map([...named, ...extra].map((wanted) => [charmFileName(wanted), wanted])).values()];
}

function jujuVersionOf(selection: SourceSelection): string | undefined {
  const version = selection.options?.['juju-version']?.at(-1);
  if (version === undefined || /^\d+\.\d+\.\d+$/.test(version)) return version;
  throw selectionError(selection, `juju-version ${version} is no version`, 'write it as `juju --version` does: 3.6.11');
}

/** A charm that no application of the bundle deploys, with what it would use by itself. */
function alone(charm: Charm, warn: (message: string) => void): Application {
  const at = (): InputPosition => ({ file: charm.path });
  return { name: charm.name, charmName: charm.name, charm, ...imagesOfCharm(charm, {}, at, warn) };
}

function warnAboutMissing(
  bundle: GivenBundle | undefined,
  applications: readonly Application[],
  warn: (message: string) => void,
): void {
  const missing = applications.filter(({ charm }) => charm === undefined);
  if (bundle === undefined || missing.length === 0) return;
  const named = missing.map(({ name, charmName }) => (name === charmName ? name : `${name} (${charmName})`));
  warn(
    `${bundle.document.file}: no charm was given for ${named.join(', ')}; neither they nor their images are carried. ` +
      'Give their .charm files, or --source-option juju-download=yes',
  );
}

function addApplication(collection: ItemCollection, { name, charm, resources, settings }: Application): void {
  if (charm === undefined) return;
  const place = `${name}/${charm.file}`;
  for (const [resource, { image, position }] of resources) {
    addImage(collection, image, position, `${place}/resources.${resource}`);
  }
  for (const { setting, position } of settings) {
    for (const { key, image } of imagesOf(setting)) addImage(collection, image, position, `${place}/options.${key}`);
  }
}

function addCharm(collection: ItemCollection, charm: Charm, warn: (message: string) => void): void {
  const item: SourceItem = {
    kind: 'file',
    name: charm.file,
    reference: pathToFileURL(charm.path).href,
    checksums: { sha256: charm.sha256 },
    package: 'charm',
    foundAt: charm.path,
  };
  collection.add(item, { file: charm.path });
  for (const { image, position } of charm.fixed) {
    addImage(collection, image, position, `${charm.file}${position.file.slice(charm.path.length)}:${position.line}`);
    warn(
      `${charm.file}: ${image} stands in a template where no option changes it; ` +
        'nodes need a registry mirror for its host, which the import with --map can fill',
    );
  }
}

function addLists(collection: ItemCollection, inputs: Inputs): void {
  for (const { file, references } of inputs.lists) {
    for (const { text, line } of references) {
      addImage(collection, text, { file, line }, `${file.slice(file.lastIndexOf('/') + 1)}:${line}`);
    }
  }
}

function addJujuImages(collection: ItemCollection, charms: readonly Charm[], jujuVersion: string | undefined): void {
  for (const { base, image } of charmBaseImages(charms.flatMap(({ bases }) => bases))) {
    const user = charms.find(({ bases }) => bases.includes(base));
    const place = user === undefined ? 'charm base image' : `${user.file}/manifest.yaml`;
    addImage(collection, image, { file: user?.path ?? place }, place);
  }
  const place = `juju-version=${jujuVersion}`;
  for (const image of jujuVersion === undefined ? [] : controllerImagesOf(jujuVersion)) {
    addImage(collection, image, { file: place }, place);
  }
}

function addImage(collection: ItemCollection, text: string, position: InputPosition, foundAt: string): void {
  const { repository } = parseReferenceAt(text, position);
  const digest = pinnedDigest(text, undefined, position);
  const item: SourceItem = {
    kind: 'image',
    name: repository.slice(repository.lastIndexOf('/') + 1),
    reference: text,
    ...(digest === undefined ? {} : { digest }),
    foundAt,
  };
  collection.add(item, position);
}
