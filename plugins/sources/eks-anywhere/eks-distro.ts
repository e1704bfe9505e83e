import type { SourceContext } from '../../../contracts/source-plugin.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { blockItem, type BlockPlace } from './blocks.ts';
import type { EksDistroLink, Findings } from './bundles.ts';
import { readInputs, sameBytes, type Inputs, type Manifest } from './inputs.ts';
import type { Block, EksDistro } from './schema.ts';

/**
 * The EKS-D Release manifests behind the links, each once: from the input files where one has the name, else read from
 * its manifestUrl.
 * @throws SealiftError InvalidInput when a file fits no link of any Bundles, or a URL leads to another release
 */
export async function eksDistroReleases(
  links: readonly EksDistroLink[],
  inputs: Inputs,
  context: SourceContext,
): Promise<Manifest<EksDistro>[]> {
  const given = givenByName(inputs);
  const releases = new Map<string, Manifest<EksDistro>>();
  for (const link of links) {
    if (releases.has(link.name)) continue;
    releases.set(link.name, given.get(link.name) ?? (await fetchRelease(link, context)));
  }
  return [...releases.values()];
}

function givenByName(inputs: Inputs): Map<string, Manifest<EksDistro>> {
  const known = new Set(
    inputs.bundles.flatMap(({ content }) => content.spec.versionsBundles.map((bundle) => bundle.eksD.name)),
  );
  const given = new Map<string, Manifest<EksDistro>>();
  for (const manifest of inputs.eksDistro) {
    const { name } = manifest.content.metadata;
    const position = manifest.document.positionOf(['metadata', 'name']);
    if (!known.has(name)) {
      throw inputError(position, `no Bundles given refers to the EKS-D release ${name}`, {
        remedy: `give the EKS-D manifests of: ${[...known].join(', ')}`,
      });
    }
    const earlier = given.get(name);
    if (earlier !== undefined && !sameBytes(earlier, manifest)) {
      throw inputError(position, `${name} is given twice with different contents, first in ${earlier.document.file}`);
    }
    given.set(name, earlier ?? manifest);
  }
  return given;
}

async function fetchRelease(link: EksDistroLink, context: SourceContext): Promise<Manifest<EksDistro>> {
  const { eksDistro } = await readInputs([link.manifestUrl], context);
  const found = eksDistro.find((manifest) => manifest.content.metadata.name === link.name);
  if (found !== undefined) return found;
  const names = eksDistro.map((manifest) => manifest.content.metadata.name);
  throw inputError(
    link.manifest.document.positionOf([...link.path, 'manifestUrl']),
    `${link.manifestUrl} holds ${names.length === 0 ? 'no EKS-D release' : names.join(', ')}, not ${link.name}`,
    { remedy: `give the manifest of ${link.name} with -f` },
  );
}

/**
 * Finds every asset of an EKS-D release that is an image, or an archive for Linux: the nodes of EKS Anywhere run nothing else.
 * @throws SealiftError InvalidInput for a malformed reference, URL, digest or checksum
 */
export function walkEksDistro(manifest: Manifest<EksDistro>, findings: Findings): void {
  const { document, content } = manifest;
  content.status.components.forEach((component, componentIndex) => {
    component.assets?.forEach((asset, assetIndex) => {
      const path = ['status', 'components', componentIndex, 'assets', assetIndex];
      const place = (part: 'image' | 'archive'): BlockPlace => ({
        foundAt: `eksD[${content.metadata.name}].${component.name}.${asset.name}`,
        key: part,
        name: asset.name,
        positionOf: (field) => document.positionOf([...path, part, field]),
      });
      if (asset.image === undefined && asset.archive === undefined) {
        const { file, line } = document.positionOf(path);
        findings.warn(`${file}:${line}: asset ${asset.name} has neither image nor archive; Sealift does not carry it`);
      }
      const described = { name: asset.name, os: asset.os, arch: asset.arch };
      if (asset.image !== undefined) take(describedBlock(asset.image, described), place('image'), findings);
      if (asset.archive === undefined || (asset.os !== undefined && asset.os !== 'linux')) return;
      take(describedBlock(asset.archive, described), place('archive'), findings);
    });
  });
}

function describedBlock(
  part: Pick<Block, 'uri' | 'imageDigest' | 'sha256' | 'sha512'>,
  described: { name: string; os: string | undefined; arch: string[] | undefined },
): Block {
  const { name, os, arch } = described;
  return { ...part, name, ...(os === undefined ? {} : { os }), ...(arch === undefined ? {} : { arch }) };
}

function take(block: Block, place: BlockPlace, findings: Findings): void {
  const item = blockItem(block, place);
  if (item !== undefined) findings.add(item, place.positionOf('uri'));
}
