import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import type { HashSpan } from '../image-archive/docker-manifest.ts';
import { withArchivedImage } from '../image-archive/open-image.ts';
import { parseReference } from '../oci/reference.ts';
import { moveError } from '../transfer/download.ts';
import { ItemGraph } from './item-graph.ts';
import type { LockedItem } from './lock-file.ts';
import type { BlobFrom, ResolvedItem } from './plan-types.ts';
import type { ResolveTools } from './resolve-item.ts';

/**
 * What an image is that lies in an archive on this machine: no registry is asked.
 * @throws SealiftError InvalidInput, DigestMismatch naming the entry; TagMoved when the source or the lock file states another digest
 */
export async function resolveArchived(
  tools: ResolveTools,
  item: SourceItem,
  locked: LockedItem | undefined,
): Promise<ResolvedItem> {
  const { folder, options } = tools;
  const reference = parseReference(item.reference);
  return withArchivedImage(item.archive!, hashing(tools), async (image) => {
    const warnings: string[] = [];
    const { digest } = image.root.descriptor;
    const wanted = locked?.digest ?? item.digest ?? reference.digest;
    if (wanted !== undefined && wanted !== digest) otherDigest(item, wanted, digest, options.digestPolicy, warnings);
    const graph = new ItemGraph(folder, reference, {
      manifest: (child) => image.manifest(child),
      blob: (blob): BlobFrom => ({ kind: 'span', ...image.blob(blob) }),
    });
    const root = await graph.addRoot(image.root, options.platforms);
    const { manifests, blobs } = graph;
    const originDigest = wanted ?? digest;
    return {
      root,
      lock: digest,
      ...(root.digest === originDigest ? {} : { originDigest }),
      ...{ manifests, blobs, attached: [], warnings },
    };
  });
}

function hashing({ pool, signal }: ResolveTools): HashSpan {
  return async ({ path, offset, size }) => {
    const outcome = await pool.run({ kind: 'hash', from: { path, offset }, size }, { signal });
    signal.throwIfAborted();
    if (outcome.kind === 'done') return outcome.digest!;
    const failure = outcome.kind === 'failed' ? outcome : { type: 'InternalError' as const, message: outcome.kind };
    throw moveError(failure, 'local', 'hash layer of', path);
  };
}

/** `docker save` keeps no manifest, so an image that is asked for by digest comes out under another one. */
function otherDigest(
  item: SourceItem,
  wanted: Digest,
  found: Descriptor['digest'],
  policy: 'enforce' | 'warn',
  warnings: string[],
): void {
  const message = `${wanted} is asked for (${item.foundAt}), in ${item.archive!.shownAs} it has the digest ${found}`;
  if (policy === 'warn') {
    warnings.push(`${item.reference}: ${message}; taken as it is there`);
    return;
  }
  throw new SealiftError('TagMoved', {
    side: 'source',
    operation: 'compare digest of',
    subject: item.reference,
    message,
    remedy:
      '--digest-policy warn takes it as it is in the archive; save it with its manifest (`skopeo copy --all ... oci-archive:`), ' +
      'or skip leaves it out',
  });
}
