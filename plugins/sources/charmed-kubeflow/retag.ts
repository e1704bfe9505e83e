import type { NodeConfigRequest } from '../../../contracts/source-plugin.ts';
import { parseReference } from '../../../core/oci/reference.ts';
import { destinationOf, placeDestination } from '../../../core/oci/rewrite.ts';

export type Registry = NonNullable<NodeConfigRequest['registry']>;

/**
 * Where `sealift import artifacts` puts an image: `HOST[/PREFIX]/PATH:TAG`, the origin's host dropped whatever the number of
 * path components, and a digest as tag only where there is no tag.
 * @throws SealiftError InvalidInput when it is no image reference
 */
export function retag(image: string, registry: Registry): string {
  const reference = parseReference(image);
  const destination = destinationOf(reference, { namespace: '', map: {} });
  const rules = { namespace: registry.prefix, map: registry.map };
  return `${registry.host}/${placeDestination(destination, reference.host, rules)}`;
}

/** The repository below which the images of one Docker Hub organisation or registry folder land, without a slash at the end. */
export function retagFolder(folder: string, registry: Registry): string {
  const image = '/x:1';
  return retag(`${folder}${image}`, registry).slice(0, -image.length);
}
