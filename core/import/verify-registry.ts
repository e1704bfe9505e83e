import type { Digest } from '../../contracts/descriptor.ts';
import type { Problem } from '../../contracts/errors.ts';
import type { VerifyProgress } from '../../contracts/host.ts';
import type { Bundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import { registryOrigin, type Remotes } from '../oci/remotes.ts';
import type { RegistryClient } from '../oci/registry/client.ts';
import type { DestinationRules } from '../oci/rewrite.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { downloadBlob } from '../transfer/download.ts';
import { forEachItem, problemsOf } from '../transfer/failures.ts';
import type { MoverPool } from '../transfer/pool.ts';
import type { Target } from './plan-types.ts';
import { closureOf, targetsOf } from './targets.ts';

export interface RegistryVerifyTools {
  client: RegistryClient;
  remotes: Remotes;
  host: string;
  rules: DestinationRules;
  pool: MoverPool;
  limiter: Limiter;
}

interface PlacedBlob {
  repository: string;
  digest: Digest;
  size: number;
}

/**
 * Reads everything of a bundle back from the registry: every tag, every manifest, every blob, each hashed. A blob that
 * several repositories share is fetched from one and looked for in the others.
 */
export async function verifyInRegistry(
  bundle: Bundle,
  tools: RegistryVerifyTools,
  progress: (progress: VerifyProgress) => void,
): Promise<{ images: number; blobs: number; bytes: number; problems: Problem[] }> {
  const targets = targetsOf(bundle, tools.rules);
  const { signal } = new AbortController();
  const about = { side: 'destination', operation: 'verify', signal, goOn: true } as const;
  const blobs = new Map<string, PlacedBlob>();
  const problems = await problemsOf(() =>
    forEachItem(targets, tools.limiter, { ...about, id: ({ reference }) => reference }, async (target) => {
      const closure = await closureOf(bundle, target);
      const manifests = closure.manifests.map(({ digest }) => digest);
      await checkManifests(tools.client, target, manifests);
      const { repository } = target;
      for (const { digest, size } of closure.blobs) blobs.set(`${repository}@${digest}`, { repository, digest, size });
    }),
  );
  const placed = [...blobs.values()];
  const total = placed.reduce((sum, { size }) => sum + size, 0);
  const fetched = new Set<Digest>();
  let bytesDone = 0;
  let blobsDone = 0;
  const found = await problemsOf(() =>
    forEachItem(placed, tools.limiter, { ...about, id: ({ digest }) => digest }, async (blob) => {
      const first = !fetched.has(blob.digest);
      fetched.add(blob.digest);
      await (first ? fetchAndHash(blob, tools, signal) : lookFor(blob, tools.client));
      bytesDone += blob.size;
      blobsDone += 1;
      progress({ bytesDone, bytesTotal: total, blobsDone, blobsTotal: placed.length });
    }),
  );
  const bytes = placed
    .filter(({ digest }, at) => placed.findIndex((other) => other.digest === digest) === at)
    .reduce((sum, { size }) => sum + size, 0);
  return { images: targets.length, blobs: fetched.size, bytes, problems: [...problems, ...found] };
}

async function checkManifests(client: RegistryClient, target: Target, manifests: Digest[]): Promise<void> {
  const { repository, tag, root } = target;
  const tagged = await client.fetchManifest(repository, tag);
  if (tagged.descriptor.digest !== root) {
    throw new SealiftError('TagConflict', {
      side: 'destination',
      operation: 'verify tag',
      subject: `${client.host}/${repository}:${tag}`,
      message: `it points to ${tagged.descriptor.digest}, the bundle has ${root}`,
      remedy: 'import the bundle again, or find out what else writes this tag',
    });
  }
  for (const digest of manifests) if (digest !== root) await client.fetchManifest(repository, digest);
}

async function fetchAndHash(
  { repository, digest, size }: PlacedBlob,
  tools: RegistryVerifyTools,
  signal: AbortSignal,
): Promise<void> {
  const origin = await registryOrigin(tools.remotes, tools.host, repository, digest);
  await downloadBlob(tools.pool, origin, { digest, size, prefix: 0 }, { signal, onProgress: () => undefined });
}

async function lookFor({ repository, digest, size }: PlacedBlob, client: RegistryClient): Promise<void> {
  const found = await client.headBlob(repository, digest);
  if (found === size) return;
  throw new SealiftError('BlobMissing', {
    side: 'destination',
    operation: 'verify blob',
    subject: `${client.host}/${repository}@${digest}`,
    message: found === undefined ? 'the repository does not have it' : `it has ${found} bytes, the bundle ${size}`,
    remedy: 'import the bundle again: it sends what is missing',
  });
}
