import type { SourceDocument } from '../../../contracts/bill-of-materials.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { sameBytes, type Manifest } from './inputs.ts';
import type { ChosenRelease } from './release.ts';
import type { Bundles, EksDistro } from './schema.ts';

interface Carried {
  destination: string;
  title: string;
  manifest: Manifest<unknown>;
}

/**
 * The manifests that led to the items, byte by byte as they were read, so that the far side needs no other copy.
 * A file of several YAML documents is carried whole under the name of each. Sorted by destination.
 * @throws SealiftError InvalidInput when two different manifests have one name
 */
export function carriedDocuments(
  releases: readonly ChosenRelease[],
  bundles: readonly Manifest<Bundles>[],
  eksDistro: readonly Manifest<EksDistro>[],
): SourceDocument[] {
  const carried = [
    ...releases.map(({ manifest, version }) => ({
      destination: `sealift/eks-anywhere/releases:${tagOf(version)}`,
      title: 'eks-a-release.yaml',
      manifest,
    })),
    ...bundles.map((manifest) => ({
      destination: `sealift/eks-anywhere/bundles:${manifest.content.metadata.name}`,
      title: 'bundle-release.yaml',
      manifest,
    })),
    ...eksDistro.map((manifest) => ({
      destination: `sealift/eks-distro/releases:${manifest.content.metadata.name}`,
      title: `${manifest.content.metadata.name}.yaml`,
      manifest,
    })),
  ];
  return onePerDestination(carried).map(({ destination, title, manifest }) => ({
    destination,
    title,
    mediaType: 'application/yaml',
    content: manifest.bytes,
  }));
}

// A tag cannot hold the `+` of a version with build metadata; Helm writes `_` for it in a registry, and so do we.
function tagOf(version: string): string {
  return version.replaceAll('+', '_');
}

function onePerDestination(carried: readonly Carried[]): Carried[] {
  const byDestination = new Map<string, Carried>();
  for (const entry of carried) {
    const earlier = byDestination.get(entry.destination);
    if (earlier !== undefined && !sameBytes(earlier.manifest, entry.manifest)) {
      throw inputError(
        entry.manifest.document.positionOf(['metadata', 'name']),
        `${earlier.manifest.document.file} has the same name and other contents`,
        { remedy: 'give each manifest once' },
      );
    }
    byDestination.set(entry.destination, earlier ?? entry);
  }
  return [...byDestination.values()].sort((a, b) => (a.destination < b.destination ? -1 : 1));
}
