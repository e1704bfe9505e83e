import type { SourceContext } from '../../../contracts/source-plugin.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { parseYamlDocuments, readShape, type YamlDocument } from '../../../core/sources/yaml-documents.ts';
import {
  bundlesShape,
  EKS_ANYWHERE_GROUP,
  EKS_DISTRO_GROUP,
  eksDistroShape,
  envelopeShape,
  releaseShape,
  type Bundles,
  type EksDistro,
  type Release,
} from './schema.ts';

/** A manifest with what is needed to blame a place in it, and to carry it along as it was. */
export interface Manifest<T> {
  document: YamlDocument;
  content: T;
  /** the whole file, byte by byte */
  bytes: Uint8Array;
}

/** The manifests of all input files, by what they are. */
export interface Inputs {
  bundles: Manifest<Bundles>[];
  releases: Manifest<Release>[];
  eksDistro: Manifest<EksDistro>[];
}

/**
 * Reads files (paths or URLs) and sorts their YAML documents by kind.
 * @throws SealiftError InvalidInput for an unknown kind or a field that does not fit; whatever `context.read` throws
 */
export async function readInputs(files: readonly string[], context: SourceContext): Promise<Inputs> {
  const inputs: Inputs = { bundles: [], releases: [], eksDistro: [] };
  for (const file of new Set(files)) {
    const bytes = await context.read(file);
    for (const document of parseYamlDocuments(file, bytes)) sortIn(inputs, document, bytes);
  }
  return inputs;
}

function sortIn(inputs: Inputs, document: YamlDocument, bytes: Uint8Array): void {
  const { apiVersion, kind } = readShape(document, envelopeShape);
  const group = apiVersion.split('/')[0];
  if (group === EKS_ANYWHERE_GROUP && kind === 'Bundles') {
    inputs.bundles.push({ document, bytes, content: readShape(document, bundlesShape) });
  } else if (group === EKS_ANYWHERE_GROUP && (kind === 'Release' || kind === 'Releases')) {
    inputs.releases.push({ document, bytes, content: readShape(document, releaseShape) });
  } else if (group === EKS_DISTRO_GROUP && kind === 'Release') {
    inputs.eksDistro.push({ document, bytes, content: readShape(document, eksDistroShape) });
  } else {
    throw inputError(document.positionOf(['kind']), `unknown kind ${kind} of ${apiVersion}`, {
      remedy: `give Bundles or Release of ${EKS_ANYWHERE_GROUP}, or Release of ${EKS_DISTRO_GROUP}`,
    });
  }
}

/** Whether two manifests came from the same bytes, though maybe from two files. */
export function sameBytes(a: Manifest<unknown>, b: Manifest<unknown>): boolean {
  return Buffer.compare(a.bytes, b.bytes) === 0;
}
