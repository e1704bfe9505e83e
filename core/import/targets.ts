import type { ImportArtifactsInput } from '../../contracts/operations.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import type { Bundle } from '../bundle/reader.ts';
import { billOfMaterialsRefName } from '../bundle/index-json.ts';
import { Annotation } from '../../contracts/media-types.ts';
import { SealiftError } from '../errors.ts';
import { hexOf } from '../oci/digest.ts';
import { placeDestination, splitDestination, type DestinationRules } from '../oci/rewrite.ts';
import type { Target } from './plan-types.ts';

/** Where the bill of materials of each bundle lands, below the namespace. */
export const BILL_REPOSITORY = 'sealift/bundles';

/** Everything in the bundle with its place in the destination, the bill of materials included. @throws SealiftError InvalidInput when two items would share a tag */
export function targetsOf(bundle: Bundle, rules: DestinationRules): Target[] {
  const targets = placedTargets(bundle, rules);
  refuseCollisions(targets);
  return targets;
}

/** The same where two items may want one tag. @throws SealiftError InvalidInput when a rule makes a place that is no repository */
export function placedTargets(bundle: Bundle, rules: DestinationRules): Target[] {
  const targets = bundle.billOfMaterials.items.map((item): Target => {
    const { repository, tag } = splitDestination(placeDestination(item.destination, item.origin, rules));
    return {
      reference: item.reference,
      kind: item.kind,
      root: item.digest,
      repository,
      tag,
      attached: item.attached ?? [],
    };
  });
  const bill = bundle.index.manifests.find(
    ({ annotations }) => annotations?.[Annotation.refName] === billOfMaterialsRefName,
  )!;
  const place = placeDestination(`${BILL_REPOSITORY}:${hexOf(bundle.identity).slice(0, 12)}`, '', rules);
  targets.push({
    ...splitDestination(place),
    reference: billOfMaterialsRefName,
    kind: 'bill-of-materials',
    root: bill.digest,
    attached: [],
  });
  return targets;
}

/** Everything a target needs: manifests children first, and blobs; those of its attached signatures and SBOMs included. */
export async function closureOf(
  bundle: Bundle,
  target: Target,
): Promise<{ manifests: Descriptor[]; blobs: Descriptor[] }> {
  const manifests = new Map<Digest, Descriptor>();
  const blobs = new Map<Digest, Descriptor>();
  for (const digest of [target.root, ...target.attached.map((attached) => attached.digest)]) {
    const closure = await bundle.closure(digest);
    for (const manifest of closure.manifests) manifests.set(manifest.digest, manifest);
    for (const blob of closure.blobs) blobs.set(blob.digest, blob);
  }
  return { manifests: [...manifests.values()], blobs: [...blobs.values()] };
}

/** @throws SealiftError BundleCorrupt when the file is another bundle than the operation began with */
export function checkIdentity(bundle: Bundle, identity: Digest): void {
  if (bundle.identity === identity) return;
  throw new SealiftError('BundleCorrupt', {
    side: 'local',
    operation: 'open bundle',
    subject: bundle.path,
    message: `it is ${bundle.identity} now; the import began with ${identity}`,
    remedy: 'put the bundle back that the import began with, or import the new one as an operation of its own',
  });
}

export function rulesOf({ namespace, map }: Pick<ImportArtifactsInput, 'namespace' | 'map'>): DestinationRules {
  return { namespace, map };
}

function refuseCollisions(targets: Target[]): void {
  const seen = new Map<string, Target>();
  for (const target of targets) {
    const place = `${target.repository}:${target.tag}`;
    const other = seen.get(place);
    if (other !== undefined && other.root !== target.root) {
      throw new SealiftError('InvalidInput', {
        side: 'destination',
        operation: 'place',
        subject: `${other.reference} and ${target.reference}`,
        message: `both would become ${place} with different content`,
        remedy: 'give their origins different namespaces with --map ORIGIN=NAMESPACE',
      });
    }
    seen.set(place, target);
  }
}
