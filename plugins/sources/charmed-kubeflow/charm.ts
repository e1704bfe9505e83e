import { basename } from 'node:path';
import type { SourceContext } from '../../../contracts/source-plugin.ts';
import type { z } from 'zod';
import { inputError, type InputPosition } from '../../../core/sources/input-error.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { parseYamlDocuments, readShape, type YamlDocument } from '../../../core/sources/yaml-documents.ts';
import { configShape, manifestShape, metadataShape } from './schema.ts';

/** A file inside a charm, with the shape it was checked against. */
export interface CharmFile<T> {
  document: YamlDocument;
  content: T;
}

/** A `.charm` file and what is read of it; nothing in it is run. */
export interface Charm {
  name: string;
  path: string;
  /** its file name, e.g. `mysql-k8s_r127.charm` */
  file: string;
  /** hex */
  sha256: string;
  metadata: CharmFile<z.infer<typeof metadataShape>>;
  config?: CharmFile<z.infer<typeof configShape>>;
  /** the files that hold what an option stands for when it is not set, by their path inside the charm */
  defaults: ReadonlyMap<string, YamlDocument>;
  /** e.g. `ubuntu-22.04` */
  bases: string[];
  /** images that stand in templates where no option reaches them */
  fixed: { image: string; position: InputPosition }[];
}

/** Templates that held literal images in some releases of kserve. */
const TEMPLATES = ['src/templates/serving_runtimes_manifests.yaml.j2', 'src/templates/configmap_manifests.yaml.j2'];
const TEMPLATE_IMAGE = /^\s*(?:- )?"?image"?\s*:\s*["']?([^\s"',{}]+)["']?,?\s*$/;

/** Where a charm keeps the values of an option that has none in config.yaml. */
export function defaultsFile(option: string): string {
  return option === 'custom_images' ? 'src/default-custom-images.json' : `src/default-${option}.yaml`;
}

/** Reads what a charm says about itself. @throws SealiftError InvalidInput with the place inside the charm; FileMissing */
export async function readCharm(path: string, context: SourceContext): Promise<Charm> {
  const read = async (entry: string): Promise<YamlDocument | undefined> => {
    const bytes = await context.readEntry(path, entry);
    return bytes === undefined ? undefined : onlyDocument(`${path}/${entry}`, bytes);
  };
  const metadata = await read('metadata.yaml');
  if (metadata === undefined) {
    throw inputError({ file: path }, 'it holds no metadata.yaml, so it is no packed charm', {
      remedy: 'give the .charm file that `juju download` or `charmcraft pack` made',
    });
  }
  const config = await read('config.yaml');
  const manifest = await read('manifest.yaml');
  const content = readShape(metadata, metadataShape);
  const configured = config === undefined ? undefined : { document: config, content: readShape(config, configShape) };
  const defaults = new Map<string, YamlDocument>();
  for (const option of Object.keys(configured?.content.options ?? {})) {
    if (!/[-_]images$/.test(option)) continue;
    const found = await read(defaultsFile(option));
    if (found !== undefined) defaults.set(defaultsFile(option), found);
  }
  return {
    name: content.name,
    path,
    file: basename(path),
    sha256: await context.hash(path, 'sha256'),
    metadata: { document: metadata, content },
    ...(configured === undefined ? {} : { config: configured }),
    defaults,
    bases: manifest === undefined ? [] : basesOf(manifest),
    fixed: await fixedImages(path, context),
  };
}

/** The one document of a YAML file. @throws SealiftError InvalidInput when there are several */
export function onlyDocument(file: string, bytes: Uint8Array): YamlDocument {
  const [document, second] = parseYamlDocuments(file, bytes);
  if (second !== undefined) throw inputError(second.positionOf([]), 'only one YAML document is expected here');
  return document!;
}

function basesOf(manifest: YamlDocument): string[] {
  return (readShape(manifest, manifestShape).bases ?? [])
    .filter(({ name }) => name === 'ubuntu')
    .map(({ channel }) => `ubuntu-${typeof channel === 'number' ? channel.toFixed(2) : channel.split('/')[0]}`);
}

async function fixedImages(path: string, context: SourceContext): Promise<Charm['fixed']> {
  const found: Charm['fixed'] = [];
  for (const entry of TEMPLATES) {
    const bytes = await context.readEntry(path, entry);
    if (bytes === undefined) continue;
    const file = `${path}/${entry}`;
    for (const [index, line] of decodeText(file, bytes).split('\n').entries()) {
      const image = TEMPLATE_IMAGE.exec(line)?.[1];
      if (image !== undefined) found.push({ image, position: { file, line: index + 1 } });
    }
  }
  return found;
}
